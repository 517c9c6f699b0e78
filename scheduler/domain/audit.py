"""The audit: who did what to which thing."""

from dataclasses import dataclass
from datetime import datetime

from scheduler.domain.job import JsonObject


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


def difference(before: JsonObject, after: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Of how a thing stood before and after, what has changed; of one that is gone all, and nothing after."""
    if not after:
        return before, after
    changed = [name for name in after if before.get(name) != after[name]]
    return {name: before[name] for name in changed if name in before}, {name: after[name] for name in changed}
