"""The audit: every operation that changes something leaves an entry, in the transaction that changes it."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from enum import Enum
from functools import wraps
from typing import Any, Final, cast

import orjson
from flask import Response, g
from pydantic import BaseModel

from scheduler.api.client_address import client_address
from scheduler.api.exchange import request_id
from scheduler.api.identity import current_identity
from scheduler.api.services import connection, whole
from scheduler.domain.audit import Deed, told, told_change
from scheduler.domain.job import JsonObject
from scheduler.store.audit import record
from scheduler.store.connection import Connection

_TOLD: Final = "told_audit"


class Audit(Enum):
    """How an operation leaves its entry."""

    WITH = "in the transaction that does it"
    AFTER = "when it is done: what it does to many jobs is no one transaction"
    NOT = "not at all: it changes nothing, records itself, or what it makes tells who made it and when"


def audited(view: Callable[..., Response], *, object_type: str, audit: Audit) -> Callable[..., Response]:
    """Let `view` leave an entry under its own name when it succeeds; what it raises undoes all, and leaves none."""
    if audit is Audit.NOT:
        return view

    @wraps(view)
    def recording(**arguments: Any) -> Response:
        with whole() if audit is Audit.WITH else nullcontext():
            response = view(**arguments)
            with connection() as conn:
                _record(conn, view.__name__, object_type, arguments, response)
            return response

    return recording


def tell(*, before: JsonObject | None = None, after: JsonObject | None = None) -> None:
    """What the entry of the present request shall say, in place of what was asked for. No secrets."""
    setattr(g, _TOLD, lambda: (before, after))


def tell_change(*, before: BaseModel | None = None, after: BaseModel | None = None) -> None:
    """The same of a thing as it was and as it is, None where it was not there: what differs. Task data stays out."""
    setattr(g, _TOLD, lambda: told_change(_fields(before), _fields(after)))


def leave_entry(conn: Connection, action: str, object_type: str, object_id: int | None = None, **members: Any) -> None:
    """Leave an entry about the present request; `members` are others of Deed."""
    where = {"address": client_address(), "request_id": request_id()}
    record(conn, Deed(action=action, object_type=object_type, object_id=object_id, **where, **members))


def _record(conn: Connection, action: str, object_type: str, arguments: Mapping[str, Any], response: Response) -> None:
    before, after = g.pop(_TOLD, lambda: (None, _asked(arguments.get("body"))))()
    leave_entry(
        conn,
        action,
        object_type,
        _object_id(arguments.get("path"), response),
        account_id=current_identity().account_id,
        before=before,
        after=after,
    )


def _object_id(path: object, response: Response) -> int | None:
    """The id in the path, or that of what was created."""
    if (found := getattr(path, "id", None)) is not None:
        return cast("int", found)
    return orjson.loads(response.get_data()).get("id") if response.status_code == 201 else None


def _asked(body: object) -> JsonObject | None:
    """The fields that were sent. A password shows as stars."""
    if not isinstance(body, BaseModel):
        return None
    asked = orjson.loads(orjson.dumps(body.model_dump(exclude_unset=True), default=str))
    return told(asked) or None


def _fields(thing: BaseModel | None) -> JsonObject | None:
    return cast("JsonObject", thing.model_dump(mode="json")) if thing else None
