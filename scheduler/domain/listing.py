"""Lists: what to look for, in which order, which page of it, and what comes back."""

import base64
import binascii
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.states import ExecutionStatus, JobStatus

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 200
MAX_PAGE: Final = 1_000_000
MAX_ID: Final = 2**63 - 1
EXACT_COUNT: Final = 10_000
"""Up to here a list counts its rows; beyond, it estimates."""

Item = TypeVar("Item")


class Sort(StrEnum):
    """A column to sort by, upward, or downward with a `-` before it. Ties go by id, the same way."""

    ID = "id"
    ID_DOWN = "-id"
    SCHEDULED_AT = "scheduled_at"
    SCHEDULED_AT_DOWN = "-scheduled_at"
    CREATED_AT = "created_at"
    CREATED_AT_DOWN = "-created_at"
    PRIORITY = "priority"
    PRIORITY_DOWN = "-priority"

    @property
    def column(self) -> str:
        return self.value.removeprefix("-")

    @property
    def descends(self) -> bool:
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs: those that every given field matches. `search` is text to find in name, description or task."""

    statuses: tuple[JobStatus, ...] = ()
    task_type: str | None = None
    search: str | None = None
    scheduled_from: datetime | None = None
    scheduled_before: datetime | None = None
    """Exclusive."""
    queue: str | None = None
    priority: int | None = None
    schedule_id: int | None = None

    def among(self, statuses: Collection[JobStatus]) -> "JobFilter | None":
        """The same, of jobs in one of these statuses alone; None when it asks for others only."""
        both = tuple(status for status in self.statuses or JobStatus if status in statuses)
        return replace(self, statuses=both) if both else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions: those that every given field matches."""

    job_id: int | None = None
    statuses: tuple[ExecutionStatus, ...] = ()
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: after the row with this sort key and id. `page` is the number of the page that follows it."""

    sort: Sort
    key: int | datetime
    id: int
    page: int

    def encode(self) -> str:
        """As opaque, URL-safe text."""
        key = self.key.isoformat() if isinstance(self.key, datetime) else self.key
        text = json.dumps([self.sort.value, key, self.id, self.page], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, *, sort: Sort) -> "Cursor":
        """The cursor that `encode` wrote for a list in the order `sort`; raises InvalidInput for any other text."""
        try:
            parts: object = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            match parts:
                case [str(of), (int() | str()) as raw, int(row_id), int(page)]:
                    key = datetime.fromisoformat(raw) if isinstance(raw, str) else raw
                    cursor = cls(Sort(of), key, row_id, page)
                case _:
                    raise _no_cursor()
        except (ValueError, binascii.Error, RecursionError):
            raise _no_cursor() from None
        if not cursor._is_sane():
            raise _no_cursor()
        if cursor.sort is not sort:
            msg = (
                f"This cursor belongs to a list sorted by {cursor.sort.value}: repeat sort={cursor.sort.value} with it."
            )
            raise InvalidInput([FieldError(("cursor",), msg, "cursor_mismatch")])
        return cursor

    def _is_sane(self) -> bool:
        is_moment = self.sort.column in {"scheduled_at", "created_at"}
        if isinstance(self.key, datetime):
            fits = is_moment and self.key.tzinfo is not None
        else:
            fits = not is_moment and type(self.key) is int and abs(self.key) <= MAX_ID
        counts = type(self.id) is int and type(self.page) is int  # a bool is an int too
        return fits and counts and 0 <= self.id <= MAX_ID and 1 <= self.page <= MAX_ID


def _no_cursor() -> InvalidInput:
    msg = "Not a cursor of this list: take next_cursor from its previous answer, as it is."
    return InvalidInput([FieldError(("cursor",), msg, "cursor_malformed")])


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One page of a list: `page` (from 1), or what follows `after`, which then decides alone."""

    limit: int = DEFAULT_LIMIT
    page: int = 1
    sort: Sort = Sort.ID_DOWN
    after: Cursor | None = None

    @property
    def number(self) -> int:
        return self.after.page if self.after else self.page

    @property
    def offset(self) -> int:
        return 0 if self.after else (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some rows of a list, and where it goes on; `total` counts the whole list."""

    items: list[Item] = field(default_factory=list[Item])
    number: int
    limit: int
    total: int
    total_is_estimate: bool
    next: Cursor | None
