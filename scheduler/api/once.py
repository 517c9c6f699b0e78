"""Idempotency-Key: a request that creates, sent twice under one key, creates once and is answered twice."""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

import orjson
from flask import Response, request
from pydantic import BaseModel

from scheduler.api.identity import current_caller
from scheduler.api.services import transaction
from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.store import idempotency
from scheduler.store.connection import Connection
from scheduler.store.idempotency import KeptAnswer

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_ACCEPTABLE: Final = re.compile(r"[\x21-\x7e]{1,255}")

PARAMETER: Final[Mapping[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again with the same body within 24 hours, the first answer comes back with "
    f"`{REPLAYED}: true`, and nothing is created; with another body it is a 422. Errors are not kept.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


def once(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let `view`, which creates, heed the header: what it writes and its answer are kept in one transaction.

    It must write through services.connection() alone. What it raises undoes both, and frees the key.
    """

    @wraps(view)
    def heeding(**arguments: Any) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return view(**arguments)
        if not _ACCEPTABLE.fullmatch(key):
            raise _refused("Should be 1 to 255 visible ASCII characters.")
        with transaction() as connection:
            return _answer(connection, idempotency.Request(key, _fingerprint(arguments)), lambda: view(**arguments))

    return heeding


def _answer(connection: Connection, asked: idempotency.Request, create: Callable[[], Response]) -> Response:
    caller = current_caller()
    try:
        kept = idempotency.reserve(connection, caller, asked)
    except idempotency.KeyReused:
        raise _refused("This key was sent with another request: take a new one for each.") from None
    if kept is not None:
        return _replayed(kept)
    response = create()
    answer = KeptAnswer(response.status_code, response.headers.get("Location"), response.get_data(as_text=True))
    idempotency.keep(connection, caller, asked.key, answer)
    return response


def _fingerprint(arguments: Mapping[str, Any]) -> bytes:
    """A digest of what is asked for: the same for bodies that differ in spelling only. A password reads as stars."""
    body = arguments.get("body")
    meaning = body.model_dump() if isinstance(body, BaseModel) else None
    text = orjson.dumps([request.method, request.path, meaning], default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()


def _replayed(kept: KeptAnswer) -> Response:
    response = Response(kept.body, status=kept.status, content_type="application/json")
    if kept.location is not None:
        response.headers["Location"] = kept.location
    response.headers[REPLAYED] = "true"
    return response


def _refused(why: str) -> InvalidInput:
    return InvalidInput([FieldError((HEADER,), why, "idempotency_key")])
