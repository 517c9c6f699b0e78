"""What every request and every answer have in common: an id, one line in the log, and the headers of caution."""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final
from wsgiref.types import StartResponse

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, unbind_contextvars

from scheduler.api.client_address import is_encrypted
from scheduler.logs import get_log
from scheduler.tracing import Traced, is_tracing, span

log = get_log("api")

REQUEST_ID: Final = "X-Request-ID"
_ACCEPTABLE_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")

_CAUTION: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
"""A page that needs more sets its own policy, and keeps it."""
_JSON: Final = frozenset({("Content-Type", "application/json"), ("Content-Type", "application/problem+json")})
_PRIVATE: Final = ("Cache-Control", "no-store")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS: Final = 500
_TRANSPORT_SECURITY: Final = "max-age=31536000"


def exchange(app: Flask) -> None:
    """Give each request its id, each answer its headers, and the log a line for both."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def request_id() -> str:
    """The present request's id: the caller's own where it sent one, printable and at most 128 long."""
    return g.request_id


def traceparent() -> str | None:
    """The trace that belongs to what the present request makes, where somebody follows it."""
    traced: Traced | None = g.get("traced")
    return traced and traced.traceparent


def with_caution(start: StartResponse) -> StartResponse:
    """`start`, for answers that carry the headers of caution as well, where they have none of that name.

    Here and not on the response: werkzeug looks twice at each header of that, a tenth of a short request's time.
    """

    def start_with_caution(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        caution = _CAUTION if _JSON.isdisjoint(headers) else (*_CAUTION, _PRIVATE)
        present = {name for name, _ in headers}
        return start(status, headers + [each for each in caution if each[0] not in present], exc_info)

    return start_with_caution


def _begin() -> None:
    sent = request.headers.get(REQUEST_ID, "")
    g.request_id = sent if _ACCEPTABLE_ID.fullmatch(sent) else uuid.uuid4().hex
    g.began = time.perf_counter()
    bind_contextvars(request_id=g.request_id)
    if is_tracing() and request.method not in _SAFE:
        g.span = span(f"{request.method} {request.url_rule}", request.headers.get("traceparent"))
        g.traced = g.span.__enter__()


def _end(response: Response) -> Response:
    response.headers[REQUEST_ID] = g.request_id
    if is_encrypted():
        response.headers["Strict-Transport-Security"] = _TRANSPORT_SECURITY
    if "traced" in g and response.status_code >= _OURS:
        g.traced.failure = response.status
    milliseconds = round((time.perf_counter() - g.began) * 1000, 1)
    log.info("request", method=request.method, path=request.path, status=response.status_code, ms=milliseconds)
    return response


def _forget(_error: BaseException | None) -> None:
    if "span" in g:
        g.pop("span").__exit__(None, None, None)
    unbind_contextvars("request_id", "job_id")
