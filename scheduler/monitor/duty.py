"""A duty of the monitor: done every so often, and for a fifth of the time at most, or half when it stays behind."""

import time
from collections.abc import Callable
from typing import Final

PAUSE_SHARE: Final = 4
"""The pause after a step, in times of what it took: this work is for readers, and must not slow down jobs."""
HASTY_PAUSE_SHARE: Final = 1
"""The same once it has been behind for BEHIND_SECONDS: readers then wait for what it has not done."""
BEHIND_SECONDS: Final = 20.0


class Duty:
    """`step` does some of the work and says whether there is more: then it goes on after a short pause."""

    def __init__(
        self, every_seconds: float, step: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_seconds = every_seconds
        self._step = step
        self._clock = clock
        self._next = 0.0
        self._behind_since: float | None = None

    def step_if_due(self) -> float:
        """Do the duty's next step if it is time for it; seconds until the one after."""
        began = self._clock()
        if began >= self._next:
            has_more = self._step()
            ended = self._clock()
            self._next = ended + self._pause(began, ended, has_more=has_more)
        return max(0.0, self._next - self._clock())

    def _pause(self, began: float, ended: float, *, has_more: bool) -> float:
        if not has_more:
            self._behind_since = None
            return max((ended - began) * PAUSE_SHARE, self._every_seconds)
        if self._behind_since is None:
            self._behind_since = began
        is_hasty = ended - self._behind_since >= BEHIND_SECONDS
        return (ended - began) * (HASTY_PAUSE_SHARE if is_hasty else PAUSE_SHARE)
