"""A duty of the monitor: done every so often, and never for more than a fifth of the time."""

import time
from collections.abc import Callable
from typing import Final

PAUSE_SHARE: Final = 4
"""The pause after a step, in times of what it took: this work is for readers, and must not slow down jobs."""


class Duty:
    """`step` does some of the work and says whether there is more: then it goes on after a short pause."""

    def __init__(
        self, every_seconds: float, step: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_seconds = every_seconds
        self._step = step
        self._clock = clock
        self._next = 0.0

    def step_if_due(self) -> float:
        """Do the duty's next step if it is time for it; seconds until the one after."""
        began = self._clock()
        if began >= self._next:
            has_more = self._step()
            ended = self._clock()
            pause = (ended - began) * PAUSE_SHARE
            self._next = ended + (pause if has_more else max(pause, self._every_seconds))
        return max(0.0, self._next - self._clock())
