"""A list of jobs as SQL: its order, its conditions, and which of them an index covers. See docs/adr/0012."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.listing import MAX_ID, JobFilter, PageRequest
from scheduler.domain.states import LIVE, JobStatus
from scheduler.store.connection import Connection
from scheduler.store.filters import Conditions, conditions, is_plain
from scheduler.store.trigrams import telling_pattern

_KEY_TYPES: Final[dict[str, LiteralString]] = {
    "id": "bigint",
    "priority": "bigint",
    "scheduled_at": "timestamptz",
    "created_at": "timestamptz",
}
_ENDS: Final[dict[str, tuple[int, int] | tuple[datetime, datetime]]] = {
    "bigint": (-1, MAX_ID),
    "timestamptz": (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}
"""Keys before and after all."""
_LANES: Final = {
    "id": ("schedule_id", "task_type", "queue", "priority", "owner"),
    "priority": ("priority", "task_type", "queue", "owner"),
    "scheduled_at": ("task_type", "queue", "owner"),
    "created_at": ("task_type", "queue", "owner"),
}
"""For each order, the filters that an index has in front of it, the most selective first."""
_RANGE: Final = ("scheduled_from", "scheduled_before")
"""Filters that every order has an index for: on its key, or by day."""

DAY: Final = "(scheduled_at AT TIME ZONE 'UTC')::date"
"""A job's day, as the indexes by day have it: every order but that of scheduled_at has one with it in front."""

_TRIGRAM: Final = re.compile(r"[^\W_]{3}")


class Place(NamedTuple):  # a tuple, for a page may compare some ten thousand
    """Where a job stands in the list."""

    key: int | datetime
    id: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as SQL: all conditions, those that the index of its order covers (`lane`), and those it does not."""

    request: PageRequest
    search: str | None
    all: Conditions
    lane: Conditions
    remainder: Conditions
    resting: list[str]
    """The statuses to look for among jobs at rest."""
    is_indexed: bool
    """Whether an index can find the matches when they are rare."""
    is_by_day: bool
    """Whether the lane is the days of a range, each in its own order."""

    @classmethod
    def of(cls, caller: Caller, wanted: JobFilter, request: PageRequest) -> "Listing":
        asked = conditions(caller, wanted)
        narrowing = asked.without("statuses", *(["owner"] if caller.sees_all else []))
        in_range = [name for name in _RANGE if name in narrowing.fragments]
        lane = in_range or [name for name in _LANES[request.sort.column] if name in narrowing.fragments][:1]
        return cls(
            request=request,
            search=wanted.search,
            all=asked,
            lane=narrowing.only(*lane),
            remainder=narrowing.without(*lane),
            resting=[status for status in wanted.statuses or JobStatus if status not in LIVE],
            is_indexed=wanted.search is None or _TRIGRAM.search(wanted.search) is not None,
            is_by_day=bool(in_range) and request.sort.column != "scheduled_at",
        )

    def by_index(self, conn: Connection) -> "Listing":
        """The same, for a statement that finds its matches by the indexes of the filters."""
        if self.search is None or not is_plain(self.search):
            return self
        wider = telling_pattern(conn, self.search)
        return replace(self, all=self.all.looking_up(wider), remainder=self.remainder.looking_up(wider))

    @property
    def rows(self) -> int:
        """How many places to look for: up to the end of the page, and one to know whether there is more."""
        return self.request.offset + self.request.limit + 1

    @property
    def start(self) -> Place:
        """The place after which the page begins: where the page before ended, or one before all that are in range.

        An index is entered at one place only: here, and so this must be as near as the range is.
        """
        if self.request.after is not None:
            return Place(self.request.after.key, self.request.after.id)
        lowest, highest = _ENDS[_KEY_TYPES[self.request.sort.column]]
        if self.request.sort.column == "scheduled_at":
            lowest = self.all.parameters.get("scheduled_from", lowest)
            highest = self.all.parameters.get("scheduled_before", highest)
        return Place(highest, MAX_ID) if self.request.sort.descends else Place(lowest, -1)

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day of the range, which may be open."""
        first, before = (self.all.parameters.get(name) for name in _RANGE)
        last = (before - timedelta(microseconds=1)).date() if before else date.max
        return first.date() if first else date.min, last

    def statement(self, template: sql.SQL, **more: sql.Composable) -> sql.Composed:
        """A statement with the order, the place to begin after, and the conditions put in, and what it has `more`."""
        down = self.request.sort.descends
        return template.format(
            key=sql.Identifier(self.request.sort.column),
            key_type=sql.SQL(_KEY_TYPES[self.request.sort.column]),
            settled_key=self._columns("settled_id")[0],
            order=self._order("id", down=down),
            settled_order=self._order("settled_id", down=down),
            reverse_order=self._order("settled_id", down=not down),
            beyond=self._beyond("id", "%(after_key)s", "%(after_id)s"),
            found_beyond=sql.SQL("(key, id) {} (%(after_key)s, %(after_id)s)").format(sql.SQL("<" if down else ">")),
            lane_beyond=self._beyond("settled_id", "lane.after_key", "lane.after_id"),
            found_order=sql.SQL("key DESC, id DESC" if down else "key, id"),
            all=self.all.sql,
            lane=self.lane.sql,
            to_walk=sql.SQL(f"{DAY} = lane.day") if self.is_by_day else self.lane.sql,
            to_judge=(self.lane + self.remainder if self.is_by_day else self.remainder).sql,
            remainder=self.remainder.sql,
            **more,
        )

    def _order(self, id_column: LiteralString, *, down: bool) -> sql.Composable:
        direction = sql.SQL(" DESC" if down else "")
        return sql.SQL(", ").join([column + direction for column in self._columns(id_column)])

    def _beyond(self, id_column: LiteralString, after_key: LiteralString, after_id: LiteralString) -> sql.Composable:
        """After such a place."""
        columns = self._columns(id_column)
        place = [sql.SQL(after_key), sql.SQL(after_id)][-len(columns) :]
        template = sql.SQL("({}) < ({})" if self.request.sort.descends else "({}) > ({})")
        return template.format(sql.SQL(", ").join(columns), sql.SQL(", ").join(place))

    def _columns(self, id_column: LiteralString) -> list[sql.Composable]:
        """What the list is sorted by: its key, and the id where that is another."""
        column = self.request.sort.column
        return [*([] if column == "id" else [sql.Identifier(column)]), sql.SQL(id_column)]

    def parameters(self, **more: Any) -> dict[str, Any]:
        after = {"after_key": self.start.key, "after_id": self.start.id}
        return {**self.all.parameters, **after, "resting": self.resting, "rows": self.rows, **more}

    def ordered(self, places: set[Place]) -> list[Place]:
        return sorted(places, reverse=self.request.sort.descends)

    def is_after(self, place: Place, other: Place) -> bool:
        return place < other if self.request.sort.descends else place > other
