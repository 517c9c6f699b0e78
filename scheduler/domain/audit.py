"""The audit: who did what to which thing, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scheduler.domain.job import JsonObject

_UNTOLD: Final = frozenset({"result", "error", "progress", "updated_at"})
"""What a task said may hold secrets, and the entry has a time of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that was done, or refused, as it goes into the audit. It never holds a secret."""

    action: str
    object_type: str
    object_id: int | None = None
    account_id: int | None = None
    actor: str | None = None
    """The account's e-mail unless it says otherwise."""
    address: str | None = None
    request_id: str | None = None
    before: JsonObject | None = None
    after: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A deed as it was recorded."""

    id: int
    at: datetime
    account_id: int | None
    actor: str
    action: str
    object_type: str
    object_id: int | None
    address: str | None
    request_id: str | None
    before: JsonObject | None
    after: JsonObject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries: of this account, this action, this kind of thing, this one."""

    account_id: int | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: int | None = None


def told(thing: JsonObject) -> JsonObject:
    """What an entry may tell of a thing: of its task the type alone, for the data may hold secrets."""
    fields = {name: value for name, value in thing.items() if name not in _UNTOLD}
    if isinstance(task := fields.get("task"), dict):
        fields["task"] = {"type": task.get("type")}
    return fields


def told_change(before: JsonObject | None, after: JsonObject | None) -> tuple[JsonObject | None, JsonObject | None]:
    """What an entry tells of a thing that was made (None before), removed (None after) or changed: what differs."""
    if before is None or after is None:
        return before and told(before), after and told(after)
    names = [name for name in before if before[name] != after.get(name)]
    return told({name: before[name] for name in names}), told({name: after.get(name) for name in names})
