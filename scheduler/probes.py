"""What probes are told: whether a process goes round, and whether what it stands on is right."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

UNREADY_SECONDS: Final = 10.0
"""A loop this long overdue does no work."""
UNLIVE_SECONDS: Final = 120.0
"""A loop this long overdue will not come back: no statement may take as long as this."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether one thing is right, and in which way, or why not."""

    is_right: bool
    detail: str


Look = Callable[[], Mapping[str, Check]]
"""Looks at each thing that a process stands on. It may block for a few seconds, and raises nothing."""


class Pulse:
    """When a process' loop last came round, and when it was to do so again. For any thread.

    A server that is away stops no loop, so it ends no life: to start anew would not bring it back, and an executor
    that holds results until then would lose them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: float | None = None

    def beat(self, next_in: float) -> None:
        """The loop has come round, and will again in so many seconds at the latest."""
        self._due = self._clock() + next_in

    def is_live(self) -> bool:
        """False when to start the process anew is all that is left to do."""
        return self._overdue() < UNLIVE_SECONDS

    def check(self) -> Check:
        """Whether the loop goes round."""
        if self._due is None:
            return Check(is_right=False, detail="It has not begun yet.")
        if (overdue := self._overdue()) < UNREADY_SECONDS:
            return Check(is_right=True, detail="It goes round.")
        return Check(is_right=False, detail=f"It has been stuck for {overdue:.0f} s: look at what it runs.")

    def _overdue(self) -> float:
        return 0.0 if self._due is None else max(0.0, self._clock() - self._due)
