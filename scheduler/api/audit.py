"""The audit, for admins."""

from typing import Annotated, Final, Self

from flask import Response
from pydantic import Field, JsonValue

from scheduler.api.access import Access
from scheduler.api.fields import Id, Output, UtcTime, example
from scheduler.api.identity import current_caller
from scheduler.api.pagination import PAGINATION_EXAMPLE, Pagination
from scheduler.api.queries import PageQuery
from scheduler.api.resource import Resource, answer
from scheduler.api.services import connection
from scheduler.domain.audit import AuditEntry, AuditFilter
from scheduler.store.reads import list_audit

audit: Final = Resource("audit", "Who did what to which thing, for admins.")

_ENTRY_EXAMPLE: Final = {
    "id": 12,
    "at": "2026-02-18T16:20:31.105822Z",
    "account_id": 1,
    "actor": "admin@example.com",
    "action": "change_user",
    "object_type": "user",
    "object_id": 2,
    "address": "192.0.2.7",
    "request_id": "0d6ba6e0f5a94ef39ad4fcd43be9d5b1",
    "before": {"role": "user", "active": True},
    "after": {"role": "admin", "active": True},
}


class AuditQuery(PageQuery):
    """Which entries."""

    account_id: Annotated[Id | None, Field(alias="accountId", description="Who did it.")] = None
    action: Annotated[str | None, Field(max_length=100, description="An operation's id, or log_in_refused.")] = None
    object_type: Annotated[str | None, Field(alias="objectType", max_length=100)] = None
    object_id: Annotated[Id | None, Field(alias="objectId")] = None

    def wanted(self) -> AuditFilter:
        return AuditFilter(
            account_id=self.account_id, action=self.action, object_type=self.object_type, object_id=self.object_id
        )


class EntryOut(Output):
    """What was done, or refused. Secrets are not in it."""

    model_config = example(_ENTRY_EXAMPLE)

    id: int
    at: UtcTime
    account_id: Annotated[int | None, Field(description="Null where a log-in was refused.")]
    actor: Annotated[str, Field(description="The account's e-mail as it was, or the one given at the log-in.")]
    action: str
    object_type: str
    object_id: int | None
    address: Annotated[str | None, Field(description="Where from; null at the machine itself.")]
    request_id: str | None
    before: Annotated[
        dict[str, JsonValue] | None,
        Field(
            description="What it was: of what was changed the fields that differ, of what was removed all. Of many "
            "jobs at once, how many there were in each status."
        ),
    ]
    after: Annotated[
        dict[str, JsonValue] | None,
        Field(
            description="What became of it, or what was asked for. Of many jobs at once the filter, the counts and the "
            "ids. Of a task its type alone."
        ),
    ]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        return cls(
            id=entry.id,
            at=entry.at,
            account_id=entry.account_id,
            actor=entry.actor,
            action=entry.action,
            object_type=entry.object_type,
            object_id=entry.object_id,
            address=entry.address,
            request_id=entry.request_id,
            before=entry.before,
            after=entry.after,
        )


class AuditOut(Output):
    """A page of the audit."""

    model_config = example({"entries": [_ENTRY_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    entries: list[EntryOut]
    pagination: Pagination


@audit.get("/api/audit", Access.ADMIN, {200: AuditOut}, problems=(422, 503))
def find_entries(query: AuditQuery) -> Response:
    """List what was done, newest first.

    Jobs that are created leave no entry: each tells its owner and its time itself.
    """
    with connection() as conn:
        page = list_audit(conn, current_caller(), query.wanted(), query.page_request())
    return answer(AuditOut(entries=[EntryOut.of(entry) for entry in page.items], pagination=Pagination.of(page)))
