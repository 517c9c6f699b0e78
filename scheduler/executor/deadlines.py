"""When the time of each attempt is up: one timer for all, since one each costs a quick task a sixth of its time."""

import asyncio
import time
from math import inf
from typing import Final, Protocol

_EARLY_SECONDS: Final = 0.001
"""The loop's timers are exact to this, and may ring so much too soon."""


class Timed(Protocol):
    """What has a `deadline`, by the monotonic clock, and is told of it."""

    deadline: float

    def time_out(self) -> None: ...


class Deadlines:
    """Watches the deadlines of whatever runs. On the loop only.

    The timer is set for the first of those that were there when it was set, or came since. Most end long before theirs:
    then it rings for none of them, and is set for the first of those that are there now.
    """

    def __init__(self) -> None:
        self._watched: set[Timed] = set()
        self._rings_at = inf
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, timed: Timed) -> None:
        """Tell `timed` when its deadline passes."""
        self._watched.add(timed)
        if timed.deadline < self._rings_at:
            self._set(timed.deadline)

    def leave(self, timed: Timed) -> None:
        """It has ended."""
        self._watched.discard(timed)

    def _set(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = deadline
        self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - time.monotonic()), self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, inf
        due = time.monotonic() + _EARLY_SECONDS
        for timed in [each for each in self._watched if each.deadline <= due]:
            self._watched.discard(timed)
            timed.time_out()
        if self._watched:
            self._set(min(each.deadline for each in self._watched))
