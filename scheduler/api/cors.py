"""Pages of other sites: none may call this API unless CORS_ORIGINS names its origin."""

from typing import Final

from flask import Flask, Response, request

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
_EXPOSED: Final = "Location, Retry-After, X-Request-ID, Idempotency-Replayed, Content-Disposition"


def cors(app: Flask, origins: tuple[str, ...]) -> None:
    """Tell browsers that pages of these origins may call `app`: with tokens, never with cookies."""

    def is_allowed() -> bool:
        return request.headers.get("Origin") in origins

    def answer_preflight() -> Response | None:
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204, headers=_PREFLIGHT) if is_preflight and is_allowed() else None

    def allow(response: Response) -> Response:
        response.vary.add("Origin")
        if is_allowed():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    if origins:
        app.before_request(answer_preflight)
        app.after_request(allow)
