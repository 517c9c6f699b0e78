"""How far each queue has been claimed, so that a claim need not pass over what is gone.

A claimed job leaves a dead entry in the index of due jobs, at its front, where the next claim begins. Usually
PostgreSQL soon forgets it; but while any transaction in the whole server stays open, it may not. After an hour of
that, a claim would pass over every job of the hour. So a picker remembers where it was a few seconds ago, and
looks from there. What comes in behind that place is found by a full look, which is made less often the longer
it takes.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from scheduler.domain.job import Claimed
from scheduler.store.backlog import FROM_THE_FIRST, Start, Upcoming

SETTLED_SECONDS: Final = 3.0
"""A job may become visible this long after others that are due later: its insert took that long to commit."""


@dataclass(slots=True)
class _Track:
    """Where the claims of one priority were, and when."""

    settled: Start
    recent: deque[tuple[float, Start]] = field(default_factory=deque[tuple[float, Start]])


class Frontier:
    """The places from which claims may look, by queue."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tracks: dict[str, tuple[_Track, ...]] = {}

    def starts(self, queue: str) -> Sequence[Start]:
        """Where to look from in this queue: where its claims were SETTLED_SECONDS ago."""
        tracks = self._tracks.get(queue)
        return [self._settled(track) for track in tracks] if tracks else FROM_THE_FIRST

    def queues(self) -> list[str]:
        """The queues that have been seen."""
        return [*self._tracks]

    def advance(self, queue: str, claimed: Iterable[Claimed]) -> None:
        """These were claimed, each in its turn, and so were all before them in their priority."""
        last = {job.priority: job for job in claimed}
        for priority, job in last.items():
            place = Start(priority, job.next_run_at, job.id)
            self._track(queue, priority).recent.append((self._clock(), place))

    def seen(self, first: Iterable[Upcoming]) -> None:
        """A full look found these to be the first of their queues and priorities: some may lie behind the frontier."""
        for job in first:
            track = self._track(job.queue, job.priority)
            if _order(self._settled(track)) >= (job.next_run_at, job.id):
                self.forget(job.queue, job.priority)

    def forget(self, queue: str, priority: int) -> None:
        """Look from the very first again."""
        track = self._track(queue, priority)
        track.settled = FROM_THE_FIRST[priority - 1]
        track.recent.clear()

    def _track(self, queue: str, priority: int) -> _Track:
        if queue not in self._tracks:
            self._tracks[queue] = tuple(_Track(start) for start in FROM_THE_FIRST)
        return self._tracks[queue][priority - 1]

    def _settled(self, track: _Track) -> Start:
        before = self._clock() - SETTLED_SECONDS
        while track.recent and track.recent[0][0] <= before:
            place = track.recent.popleft()[1]
            track.settled = max(track.settled, place, key=_order)
        return track.settled


def _order(place: Start) -> tuple[object, int]:
    return place.next_run_at, place.id
