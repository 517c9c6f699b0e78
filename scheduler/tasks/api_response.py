"""What the answer to an HTTP request means for the job: a result, another attempt, or its end."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, cast

import orjson
from aiohttp import ClientResponse
from yarl import URL

from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.domain.job import JsonObject, JsonValue
from scheduler.tasks.text import storable

ERROR_TYPE: Final = "http_status"
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
_DEEPEST: Final = 200
"""Levels of JSON that are kept as such: orjson writes 254, and an answer lies a few below its result."""

_RETRIED: Final = frozenset({408, 425, 429})
_KEPT_HEADERS: Final = (
    "content-type",
    "content-length",
    "content-encoding",
    "content-language",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "x-request-id",
)
"""Worth keeping, and never a secret: no cookies, no challenges."""


async def read_result(response: ClientResponse, limit: int) -> JsonObject:
    """The job's result: status, some headers, and the body (JSON or text) up to `limit` bytes, decompressed."""
    body, truncated = await _read(response, limit)
    headers: JsonObject = {
        name: storable(_without_credentials(name, response.headers[name]))
        for name in _KEPT_HEADERS
        if name in response.headers
    }
    return {
        "status": response.status,
        "headers": headers,
        "body": _decoded(response, body, truncated=truncated),
        "truncated": truncated,
    }


def unexpected(*, what: str, status: int, headers: Mapping[str, str], now: datetime) -> TaskError:
    """The error for a status that was not expected. `what` names the request, without its secrets."""
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    message = f"{what} answered {phrase}."
    if status in _RETRIED or status >= 500:
        if (seconds := retry_after_seconds(headers.get("Retry-After"), now)) is None:
            return TaskError(message, type=ERROR_TYPE)
        later = RetryLater(seconds, message)
        later.type = ERROR_TYPE
        return later
    if 300 <= status < 400:
        return PermanentError(
            f"{message} Use the new address, set follow_redirects, or name it in expected_status.", type=ERROR_TYPE
        )
    if status >= 400:
        return PermanentError(f"{message} Correct the request, or name it in expected_status.", type=ERROR_TYPE)
    return TaskError(f"{message} If that is a success, name it in expected_status.", type=ERROR_TYPE)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, in either of its forms; at most an hour. None when it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)


async def _read(response: ClientResponse, limit: int) -> tuple[bytes, bool]:
    """Up to `limit` bytes, and whether there was more: then the connection is closed instead of drained."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            response.close()
            return bytes(body[:limit]), True
    return bytes(body), False


def _decoded(response: ClientResponse, body: bytes, *, truncated: bool) -> JsonValue:
    kind = response.content_type
    if not truncated and (kind == "application/json" or kind.endswith("+json")):
        try:
            value = cast("JsonValue", orjson.loads(body))
            if _is_storable(value, _DEEPEST):
                return value
        except (orjson.JSONDecodeError, RecursionError):
            pass  # the server calls it JSON: keep what it really sent
    try:
        text = body.decode(response.charset or "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    return storable(text)


def _is_storable(value: JsonValue, levels: int) -> bool:
    """Whether PostgreSQL can keep it: JSON allows NUL characters (as an escape), its database type does not.

    Nor what is nested deeper than `levels`: what reads that may still be unable to write it.
    """
    match value:
        case str():
            return "\x00" not in value
        case dict():
            return levels > 0 and all(
                "\x00" not in key and _is_storable(each, levels - 1) for key, each in value.items()
            )
        case list():
            return levels > 0 and all(_is_storable(each, levels - 1) for each in value)
        case float():
            return math.isfinite(value)
        case _:
            return True


def _without_credentials(name: str, value: str) -> str:
    if name != "location":
        return value
    try:
        return str(URL(value).with_user(None)) if "@" in value else value
    except ValueError:
        return ""
