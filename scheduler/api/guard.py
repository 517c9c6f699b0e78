"""What no handler should see is turned away before: what a page from elsewhere could send, and too much at once."""

from typing import Final

from flask import Flask, request
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

from scheduler.api.services import services

BULK_FACTOR: Final = 16
"""A body under /api/bulk/ may be this many times as large as others: it holds up to 10,000 jobs."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(app: Flask) -> None:
    """Refuse writes that another site's page sends, and bodies that are not JSON."""
    app.before_request(_allow_large_lists)
    app.before_request(_refuse_other_origins)
    app.before_request(_refuse_other_media)


def _allow_large_lists() -> None:
    if request.path.startswith("/api/bulk/"):
        request.max_content_length = BULK_FACTOR * services().max_body_bytes


def _refuse_other_origins() -> None:
    origin = request.headers.get("Origin")
    if request.method in _SAFE or origin is None or origin in services().cors_origins:
        return
    if origin.partition("://")[2] != request.host:
        raise Forbidden("A page of another site may not change anything here.")


def _refuse_other_media() -> None:
    if not request.path.startswith("/api/"):
        return  # forms of pages
    has_body = request.content_length or request.headers.get("Transfer-Encoding")
    if has_body and not request.is_json:
        raise UnsupportedMediaType("Send the body as JSON, with the header Content-Type: application/json.")
