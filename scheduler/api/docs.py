"""The OpenAPI document, and the page to read it and try it on, which needs nothing from the internet."""

from pathlib import Path
from typing import Any, Final, cast

import flask_openapi3_swagger
import orjson
from flask import Blueprint, Flask, Response, send_from_directory
from flask_openapi3.openapi import OpenAPI

from scheduler.api.resource import MORE_PARAMETERS

DOCUMENT_PATH: Final = "/openapi.json"
OPEN_PAGES: Final[tuple[str, ...]] = ("docs.document", "docs.page", "docs.start", "docs.assets")
"""Endpoints that tell everybody how the API is used."""
_ASSETS: Final = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scheduler API</title>
<link rel="stylesheet" href="/docs/assets/css/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

_START: Final = f'SwaggerUIBundle({{url: "{DOCUMENT_PATH}", dom_id: "#swagger-ui", deepLinking: true}});\n'


def publish(app: OpenAPI) -> None:
    """Serve the document of all that is registered on `app` by now, and its page at /docs."""
    document = orjson.dumps(_tidied(cast("dict[str, Any]", app.api_doc)))  # pyright: ignore[reportUnknownMemberType] - a bare dict there
    docs = Blueprint("docs", __name__)
    docs.add_url_rule(DOCUMENT_PATH, "document", lambda: Response(document, content_type="application/json"))
    docs.add_url_rule("/docs", "page", lambda: _own_policy(Response(_PAGE, content_type="text/html; charset=utf-8")))
    docs.add_url_rule("/docs/start.js", "start", lambda: Response(_START, content_type="text/javascript"))
    docs.add_url_rule("/docs/assets/<path:name>", "assets", _asset)
    Flask.register_blueprint(app, docs)


def _asset(name: str) -> Response:
    return send_from_directory(_ASSETS, name, max_age=3600)


def _own_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _tidied(document: dict[str, Any]) -> dict[str, Any]:
    """With all parameters, and without the 422 that flask-openapi3 adds to operations that take nothing to be wrong."""
    components: dict[str, Any] = document["components"]
    document["components"] = {name: value for name, value in components.items() if value is not None}
    for operations in document["paths"].values():
        for operation in operations.values():
            if more := operation.pop(MORE_PARAMETERS, None):
                operation["parameters"] = [*operation.get("parameters", ()), *more]
            if "application/json" in operation["responses"]["422"]["content"]:
                del operation["responses"]["422"]
    return document
