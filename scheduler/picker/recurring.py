"""Make the jobs of schedules, each a little ahead of its time."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from typing import Final

from scheduler.domain.errors import InvalidInput
from scheduler.domain.schedule import DueSchedule, Turn, take_turn
from scheduler.logs import get_log
from scheduler.metrics import CREATED
from scheduler.picker.sparing import Sparing
from scheduler.store import occurrences
from scheduler.store.connection import Database
from scheduler.tracing import is_tracing

log = get_log("recurring")

_LIMIT: Final = 500
"""Schedules in one transaction."""
_MANY_JOBS: Final = 5_000
"""After this many jobs a transaction takes no further schedule."""
_LOOK_SECONDS: Final = 0.1
"""Between two looks at the least: a picker that is busy wakes hundreds of times a second."""
_ASIDE: Final = timedelta(minutes=1)
"""How long a schedule is put aside that cannot be understood here."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """The duty of making the jobs of schedules. Any number of pickers share it: each takes what no other has taken."""

    database: Database
    _look: Sparing = field(default_factory=lambda: Sparing(every_seconds=_LOOK_SECONDS))

    def step(self) -> float:
        """Make a batch of jobs if any is to be made; the seconds until this has to be asked again."""
        if not self._look.may_begin():
            return self._look.seconds_left()
        with self._look, self.database.connection() as conn:
            seconds = occurrences.seconds_to_next(conn)
        if seconds is None or seconds > 0:
            return inf if seconds is None else seconds
        if self._make_batch():
            self._look.at_once()
            return 0.0
        return self._look.seconds_left()  # other pickers are at all of them

    def _make_batch(self) -> bool:
        """Make the jobs of some schedules in one transaction; whether there were any."""
        turns: list[Turn] = []
        jobs = made = 0
        with self.database.connection() as conn, conn.transaction():
            for due in occurrences.due_schedules(conn, limit=_LIMIT):
                turns.append(_turn(due))
                jobs += len(turns[-1].occurrences)
                if jobs >= _MANY_JOBS:
                    break  # the rest is still due, and taken next
            if turns:
                made = occurrences.make_jobs(conn, turns, traced=is_tracing())
                log.debug("occurrences made", schedules=len(turns), jobs=made)
        CREATED.labels("schedule").inc(made)
        return bool(turns)


def _turn(due: DueSchedule) -> Turn:
    try:
        return take_turn(due)
    except InvalidInput as fault:
        log.warning("schedule put aside", schedule_id=due.id, fault=str(fault))
        return Turn(due.id, [], due.next_at, due.now + _ASIDE)
