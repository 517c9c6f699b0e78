"""A schedule: a job that recurs, and what becomes of each of its occurrences."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, islice, takewhile
from typing import Final

from scheduler.domain.job import NewJob
from scheduler.domain.recurrence import Recurrence, read_rule, read_zone

AHEAD: Final = timedelta(seconds=5)
"""How long before an occurrence its job is made, so that it starts as precisely as any other."""
MISSED: Final = timedelta(seconds=5)
"""An occurrence whose job could not be made by this long after its time has been missed."""
CATCH_UP: Final = 1000
"""Missed occurrences that `run_all` makes up for, at the most."""
CATCH_UP_INTERVAL: Final = timedelta(seconds=1)
"""Between the starts of jobs that make up for missed occurrences."""


class Misfire(StrEnum):
    """What becomes of occurrences that were missed, because no picker ran: one job for all, each its own, or none."""

    RUN_ONCE = "run_once"
    RUN_ALL = "run_all"
    SKIP = "skip"


class Overlap(StrEnum):
    """Whether an occurrence makes a job while one before it is unfinished."""

    ALLOW = "allow"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a schedule's jobs run. `jitter_seconds` is the longest that one may start after its occurrence."""

    cron: str
    timezone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    misfire: Misfire = Misfire.RUN_ONCE
    overlap: Overlap = Overlap.ALLOW
    jitter_seconds: float = 0.0

    def recurrence(self, created_at: datetime) -> Recurrence:
        """Its occurrences; an interval counts from `created_at`. Raises InvalidInput."""
        return Recurrence(read_rule(self.cron), read_zone(self.timezone), created_at, self.starts_at, self.ends_at)

    def make_at(self, occurrence: datetime) -> datetime:
        """When to make its job. What others are doing at its time is known only then."""
        return occurrence if self.overlap is Overlap.SKIP else occurrence - AHEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A schedule as it is asked for. Each occurrence makes a `job`, at its own time; its name is the schedule's."""

    timing: Timing
    job: NewJob
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(NewSchedule):
    """A schedule as it stood at `seen_at`, by the database's clock. `next_at`: its first occurrence without a job."""

    id: int
    next_at: datetime | None
    created_at: datetime
    updated_at: datetime
    owner_id: int
    seen_at: datetime

    def upcoming(self) -> Iterator[datetime]:
        """Its occurrences from now on; none while it is paused."""
        return self.timing.recurrence(self.created_at).occurrences(self.seen_at) if self.enabled else iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSchedule:
    """A schedule whose next job is to be made, at `now` by the database's clock.

    `is_live`: a job of it is unfinished. Known only where it matters, for Overlap.SKIP.
    """

    id: int
    timing: Timing
    created_at: datetime
    next_at: datetime
    now: datetime
    is_live: bool


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An occurrence that gets a job: due at `scheduled_at`, which is later by the jitter, and not before `start_at`."""

    at: datetime
    scheduled_at: datetime
    start_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done for a due schedule: jobs to make, and which occurrence comes next, to be made when."""

    schedule_id: int
    occurrences: list[Occurrence]
    next_at: datetime | None
    make_at: datetime | None


def take_turn(due: DueSchedule) -> Turn:
    """What becomes of the occurrences of a schedule up to now, or a little ahead. Raises InvalidInput.

    That happens only if its zone is not known here, as with an older time zone database.
    """
    recurrence = due.timing.recurrence(due.created_at)
    missed, upcoming = _judge(due, recurrence)
    reach = due.now if due.timing.overlap is Overlap.SKIP else due.now + AHEAD
    in_reach: list[datetime] = []
    next_at = None
    for at in upcoming:
        if at > reach:
            next_at = at
            break
        in_reach.append(at)
    wanted = [_occurrence(due, at, due.now + CATCH_UP_INTERVAL * n) for n, at in enumerate(missed)]
    wanted += [_occurrence(due, at, at) for at in in_reach]
    if due.timing.overlap is Overlap.SKIP:
        wanted = [] if due.is_live else wanted[:1]  # the others would overlap with that one
    return Turn(due.id, wanted, next_at, next_at and due.timing.make_at(next_at))


def _judge(due: DueSchedule, recurrence: Recurrence) -> tuple[list[datetime], Iterator[datetime]]:
    """The missed occurrences that get a job all the same, and those that come after all that were missed."""
    if due.next_at >= due.now - MISSED:
        return [], chain([due.next_at], recurrence.occurrences(due.next_at))
    match due.timing.misfire:
        case Misfire.SKIP:
            return [], recurrence.occurrences(due.now - MISSED)
        case Misfire.RUN_ONCE:
            missed = [due.next_at]
        case Misfire.RUN_ALL:
            since = chain([due.next_at], recurrence.occurrences(due.next_at))
            missed = [*islice(takewhile(lambda at: at <= due.now, since), CATCH_UP)]
    return missed, recurrence.occurrences(due.now)


def _occurrence(due: DueSchedule, at: datetime, not_before: datetime) -> Occurrence:
    scheduled_at = at + timedelta(seconds=due.timing.jitter_seconds * _luck(due.id, at))
    return Occurrence(at, scheduled_at, max(scheduled_at, not_before))


def _luck(schedule_id: int, at: datetime) -> float:
    """A number in [0, 1) that looks like chance, and is the same whoever asks."""
    digest = hashlib.blake2b(f"{schedule_id} {at.timestamp():.6f}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
