"""Claiming a little before the time, so that a job can start on the dot: how much of that is right.

What is claimed ahead is held by an executor until it is due (`executor/hold.py`). It can no longer give way to a job
that comes in meanwhile with a higher priority, so it is little: for a moment, and no more than executors can take soon.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

AHEAD_SECONDS: Final = 0.5
"""Longer than a claim with its push takes, also on a busy machine."""
_AHEAD_OF_LEASE: Final = 4
"""At most this part of a lease: it has to last until the start."""


@dataclass(slots=True)
class _Window:
    until: float
    taken: int = 0


class Ahead:
    """How many jobs of each queue may be claimed up to `seconds` ahead; starts anew each time that these are over."""

    def __init__(self, lease_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds: Final = min(AHEAD_SECONDS, lease_seconds / _AHEAD_OF_LEASE)
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def left(self, queue: str, most: int) -> int:
        """How many more of this queue, when there may be `most` at a time."""
        return max(0, most - self._window(queue).taken)

    def took(self, queue: str, count: int) -> None:
        """So many were claimed ahead."""
        self._window(queue).taken += count

    def _window(self, queue: str) -> _Window:
        now = self._clock()
        window = self._windows.get(queue)
        if window is None or window.until <= now:
            window = self._windows[queue] = _Window(now + self.seconds)
        return window
