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
from scheduler.api.identity import current_caller, current_identity
from scheduler.api.services import connection, whole
from scheduler.domain.audit import Deed, difference
from scheduler.domain.job import JsonObject
from scheduler.store.audit import how_it_stands, record
from scheduler.store.connection import Connection

_TOLD: Final = "told_audit"


class Audit(Enum):
    """How an operation leaves its entry."""

    WITH = "in the transaction that does it"
    AFTER = "when it is done: what it does to many jobs is no one transaction"
    NOT = "not at all: it changes nothing, records itself, or what it makes tells who made it and when"


def audited(view: Callable[..., Response], *, object_type: str, audit: Audit, changes: bool) -> Callable[..., Response]:
    """Let `view` leave an entry under its own name when it succeeds; what it raises undoes all, and leaves none.

    One that `changes` the thing in its path also tells how that stood before, and after.
    """
    if audit is Audit.NOT:
        return view

    @wraps(view)
    def recording(**arguments: Any) -> Response:
        thing = _Thing(object_type, _id_in(arguments.get("path")) if changes else None)
        with whole(thing.look) if audit is Audit.WITH else nullcontext():
            response = view(**arguments)
            change = thing.change()
            with connection() as conn:
                _record(conn, view.__name__, object_type, arguments, response, change)
            return response

    return recording


class _Thing:
    """What the present request may change: how it stands before, and what of that is another after."""

    def __init__(self, object_type: str, object_id: int | None) -> None:
        self._type = object_type
        self._id = object_id
        self._before: JsonObject = {}

    def look(self) -> None:
        """Before anything is changed."""
        self._before = self._stands()

    def change(self) -> tuple[JsonObject, JsonObject]:
        return difference(self._before, self._stands())

    def _stands(self) -> JsonObject:
        if self._id is None:
            return {}
        with connection() as conn:
            return how_it_stands(conn, current_caller(), self._type, self._id)


def tell(*, before: JsonObject | None = None, after: JsonObject | None = None) -> None:
    """What the entry of the present request shall say, in place of what was asked for. No secrets."""
    setattr(g, _TOLD, (before, after))


def leave_entry(conn: Connection, action: str, object_type: str, object_id: int | None = None, **members: Any) -> None:
    """Leave an entry about the present request; `members` are others of Deed."""
    where = {"address": client_address(), "request_id": request_id()}
    record(conn, Deed(action=action, object_type=object_type, object_id=object_id, **where, **members))


def _record(
    conn: Connection,
    action: str,
    object_type: str,
    arguments: Mapping[str, Any],
    response: Response,
    change: tuple[JsonObject, JsonObject],
) -> None:
    asked = _asked(arguments.get("body")) or {}
    before, after = g.pop(_TOLD, (change[0] or None, {**asked, **change[1]} or None))
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
    if (found := _id_in(path)) is not None:
        return found
    return orjson.loads(response.get_data()).get("id") if response.status_code == 201 else None


def _id_in(path: object) -> int | None:
    return cast("int | None", getattr(path, "id", None))


def _asked(body: object) -> JsonObject | None:
    """The fields that were sent, without what may hold secrets.

    A password shows as stars; a task shows its type alone, and what becomes of its placeholders is left out.
    """
    if not isinstance(body, BaseModel):
        return None
    asked = orjson.loads(orjson.dumps(body.model_dump(exclude_unset=True), default=str))
    if isinstance(asked.get("task"), dict):
        asked["task"] = {"type": asked["task"].get("type")}
    asked.pop("parameters", None)
    return cast("JsonObject", asked) or None
