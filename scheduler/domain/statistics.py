"""What attempts of some hours came to: how many, how long they waited, how long they took."""

import math
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
    timeline = {at: [0, 0] for at in stretches}
    histograms: dict[str, dict[int, int]] = {"wait": {}, "duration": {}}
    for tally in tallies:
        histogram = histograms[tally.measure]
        histogram[tally.bucket] = histogram.get(tally.bucket, 0) + tally.attempts
        if tally.measure == "duration":
            timeline[tally.at][0] += tally.attempts * (tally.status is ExecutionStatus.COMPLETED)
            timeline[tally.at][1] += tally.attempts * (tally.status in _FAILURES)
    completed = sum(counts[0] for counts in timeline.values())
    failed = sum(counts[1] for counts in timeline.values())
    return Performance(
        throughput_per_minute=completed / minutes,
        success_rate=completed / (completed + failed) if completed + failed else None,
        queue_wait_ms=percentiles(histograms["wait"]),
        duration_ms=percentiles(histograms["duration"]),
        timeline=[Moment(at, *counts) for at, counts in timeline.items()],
    )


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
