"""A list of jobs as SQL: its order, its conditions, and which of them an index covers. See docs/adr/0012."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.listing import JobFilter, PageRequest
from scheduler.domain.states import LIVE, JobStatus
from scheduler.store.filters import Conditions, conditions

_LANES: Final = {
    "id": ("schedule_id", "task_type", "queue", "priority", "owner"),
    "priority": ("priority",),
    "scheduled_at": ("scheduled_from", "scheduled_before"),
    "created_at": (),
}
"""For each order, the filters that an index has in front of it or on its key, the most selective first."""

_TRIGRAM: Final = re.compile(r"[^\W_]{3}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a job stands in the list."""

    key: int | datetime
    id: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as SQL: all conditions, those that the index of its order covers (`lane`), and those it does not."""

    request: PageRequest
    all: Conditions
    lane: Conditions
    remainder: Conditions
    resting: list[str]
    """The statuses to look for among jobs at rest."""
    is_indexed: bool
    """Whether an index can find the matches when they are rare."""

    @classmethod
    def of(cls, caller: Caller, wanted: JobFilter, request: PageRequest) -> "Listing":
        asked = conditions(caller, wanted)
        narrowing = asked.without("statuses", *(["owner"] if caller.sees_all else []))
        covered = [name for name in _LANES[request.sort.column] if name in narrowing.fragments]
        lane = covered if request.sort.column == "scheduled_at" else covered[:1]
        return cls(
            request=request,
            all=asked,
            lane=narrowing.only(*lane),
            remainder=narrowing.without(*lane),
            resting=[status for status in wanted.statuses or JobStatus if status not in LIVE],
            is_indexed=wanted.search is None or _TRIGRAM.search(wanted.search) is not None,
        )

    @property
    def rows(self) -> int:
        """How many places to look for: up to the end of the page, and one to know whether there is more."""
        return self.request.offset + self.request.limit + 1

    def statement(self, template: sql.SQL, **more: sql.Composable) -> sql.Composed:
        """A statement with the order, the place to begin after, and the conditions put in, and what it has `more`."""
        down = self.request.sort.descends
        return template.format(
            key=sql.Identifier(self.request.sort.column),
            settled_key=self._columns("settled_id")[0],
            order=self._order("id", down=down),
            settled_order=self._order("settled_id", down=down),
            reverse_order=self._order("settled_id", down=not down),
            beyond=self._beyond("id"),
            settled_beyond=self._beyond("settled_id"),
            found_order=sql.SQL("key DESC, id DESC" if down else "key, id"),
            all=self.all.sql,
            lane=self.lane.sql,
            remainder=self.remainder.sql,
            **more,
        )

    def _order(self, id_column: LiteralString, *, down: bool) -> sql.Composable:
        direction = sql.SQL(" DESC" if down else "")
        return sql.SQL(", ").join([column + direction for column in self._columns(id_column)])

    def _beyond(self, id_column: LiteralString) -> sql.Composable:
        """After the place where the page before ended, if there is one."""
        if self.request.after is None:
            return sql.SQL("true")
        columns = self._columns(id_column)
        place = [sql.Placeholder("after_key"), sql.Placeholder("after_id")][-len(columns) :]
        template = sql.SQL("({}) < ({})" if self.request.sort.descends else "({}) > ({})")
        return template.format(sql.SQL(", ").join(columns), sql.SQL(", ").join(place))

    def _columns(self, id_column: LiteralString) -> list[sql.Composable]:
        """What the list is sorted by: its key, and the id where that is another."""
        column = self.request.sort.column
        return [*([] if column == "id" else [sql.Identifier(column)]), sql.SQL(id_column)]

    def parameters(self, **more: Any) -> dict[str, Any]:
        after = self.request.after
        place = {"after_key": after.key, "after_id": after.id} if after else {}
        return {**self.all.parameters, **place, "resting": self.resting, "rows": self.rows, **more}

    def ordered(self, places: set[Place]) -> list[Place]:
        return sorted(places, reverse=self.request.sort.descends)

    def is_after(self, place: Place, other: Place) -> bool:
        return place < other if self.request.sort.descends else place > other
