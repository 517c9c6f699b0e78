"""Doing less often what takes long."""

import time
from collections.abc import Callable
from typing import Final, Self

PAUSE_SHARE: Final = 20
"""The pause after a duty, in times of what it took: none takes more than 5 % of the time..."""
LONGEST_PAUSE_SECONDS: Final = 5.0
"""... unless that means a pause longer than this. What took long may only have waited for a server that was away, and
jobs wait for it in turn."""


class Sparing:
    """A context manager around a duty whose cost can grow: it tells when the next may begin."""

    def __init__(self, *, every_seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_seconds = every_seconds
        self._clock = clock
        self._began = 0.0
        self._next = 0.0

    def may_begin(self) -> bool:
        return self._clock() >= self._next

    def seconds_left(self) -> float:
        """Seconds until the next may begin."""
        return max(0.0, self._next - self._clock())

    def at_once(self) -> None:
        """There is more to do: begin again without a pause."""
        self._next = 0.0

    def __enter__(self) -> Self:
        self._began = self._clock()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._clock()
        pause = min((now - self._began) * PAUSE_SHARE, LONGEST_PAUSE_SECONDS)
        self._next = now + max(self._every_seconds, pause)
