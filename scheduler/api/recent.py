"""Answers that took long to find are given again for a moment: each viewer's page asks for them every two seconds."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, TypeVar

Found = TypeVar("Found")

SHARE: Final = 20
"""For so many times what it took to find, so that finding takes at most a twentieth of the time of each process..."""
LONGEST_SECONDS: Final = 5.0
"""... but no longer than this."""
QUICK_SECONDS: Final = 0.02
"""What took less is found anew each time."""


class Recent:
    """What was found a moment ago, by what was asked. For several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[Hashable, tuple[Any, float]] = {}
        self._lock = Lock()

    def get(self, asked: Hashable, find: Callable[[], Found]) -> Found:
        """The answer to what is `asked`: that of a moment ago, or else what `find` finds."""
        began = self._clock()
        known, until = self._found.get(asked, (None, began))
        if began < until:
            return known
        found = find()
        took = self._clock() - began
        if took >= QUICK_SECONDS:
            self._keep(asked, found, took)
        return found

    def forget(self) -> None:
        """Find everything anew: it was changed."""
        with self._lock:
            self._found.clear()

    def _keep(self, asked: Hashable, found: object, took: float) -> None:
        now = self._clock()
        with self._lock:
            self._found = {each: kept for each, kept in self._found.items() if now < kept[1]}
            self._found[asked] = (found, now + min(took * SHARE, LONGEST_SECONDS))
