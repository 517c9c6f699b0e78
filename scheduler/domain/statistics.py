"""What attempts of some hours came to: how many, how long they waited, how long they took."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scheduler.domain.states import ExecutionStatus

SLOT: Final = timedelta(minutes=5)
"""Attempts are counted by slots of this length; a window begins with one."""
LONGEST_WINDOW_HOURS: Final = 168
BUCKETS_PER_DOUBLING: Final = 8
SHORTEST_MS: Final = 0.01

_TIMELINE_STEPS: Final = ((timedelta(hours=2), SLOT), (timedelta(hours=72), timedelta(hours=1)))
_LONG_STEP: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """In milliseconds, each within 5 % of the true one; None when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Moment:
    """Attempts that ended in the stretch of the timeline that begins at `at`."""

    at: datetime
    completed: int
    failed: int
    queue_wait_ms: Percentiles
    duration_ms: Percentiles


@dataclass(frozen=True, slots=True)
class Performance:
    """How attempts went; `success_rate` is None when none has ended."""

    throughput_per_minute: float
    success_rate: float | None
    queue_wait_ms: Percentiles
    duration_ms: Percentiles
    timeline: list[Moment]


@dataclass(frozen=True, slots=True)
class Tally:
    """So many attempts that ended like this in one stretch of the timeline, with this much of wait or duration."""

    at: datetime
    status: ExecutionStatus
    measure: str
    bucket: int
    attempts: int


_FAILURES: Final = frozenset({ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.LOST})


def timeline_step(window: timedelta) -> timedelta:
    """How long each stretch of a window's timeline is."""
    return next((step for longest, step in _TIMELINE_STEPS if window <= longest), _LONG_STEP)


def performance(tallies: Sequence[Tally], *, stretches: Sequence[datetime], minutes: float) -> Performance:
    """What these tallies, of `minutes` altogether, come to; `stretches` are the beginnings of the timeline's."""
    by_stretch: dict[datetime, list[Tally]] = {at: [] for at in stretches}
    for tally in tallies:
        by_stretch[tally.at].append(tally)
    timeline = [_moment(at, each) for at, each in by_stretch.items()]
    completed = sum(moment.completed for moment in timeline)
    failed = sum(moment.failed for moment in timeline)
    return Performance(
        throughput_per_minute=completed / minutes,
        success_rate=completed / (completed + failed) if completed + failed else None,
        queue_wait_ms=_percentiles_of(tallies, "wait"),
        duration_ms=_percentiles_of(tallies, "duration"),
        timeline=timeline,
    )


def _moment(at: datetime, tallies: Sequence[Tally]) -> Moment:
    ended = [tally for tally in tallies if tally.measure == "duration"]
    return Moment(
        at=at,
        completed=sum(tally.attempts for tally in ended if tally.status is ExecutionStatus.COMPLETED),
        failed=sum(tally.attempts for tally in ended if tally.status in _FAILURES),
        queue_wait_ms=_percentiles_of(tallies, "wait"),
        duration_ms=_percentiles_of(tallies, "duration"),
    )


def _percentiles_of(tallies: Sequence[Tally], measure: str) -> Percentiles:
    histogram = Counter[int]()
    for tally in tallies:
        if tally.measure == measure:
            histogram[tally.bucket] += tally.attempts
    return percentiles(histogram)


def percentiles(histogram: Mapping[int, int]) -> Percentiles:
    """Those of a histogram of buckets."""
    return Percentiles(*(_percentile(histogram, share) for share in (0.50, 0.95, 0.99)))


def _percentile(histogram: Mapping[int, int], share: float) -> float | None:
    rank = math.ceil(share * sum(histogram.values()))
    for bucket in sorted(histogram):
        rank -= histogram[bucket]
        if rank <= 0:
            return bucket_ms(bucket)
    return None


def bucket_ms(bucket: int) -> float:
    """The middle of a bucket: bucket b holds from 2^(b/8) to 2^((b+1)/8) milliseconds, so this is within 4.5 %."""
    return 2.0 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING)
