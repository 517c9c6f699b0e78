"""What took very many rows to find is given again for a moment: each viewer's page asks for it every two seconds."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, TypeVar

Found = TypeVar("Found")

MANY: Final = 100_000
"""Rows read. With fewer, everything is found anew each time."""
SECONDS: Final = 5.0
"""How long it is given again."""


class Recent:
    """What was found a moment ago, by what was asked. For several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[Hashable, tuple[Any, float]] = {}
        self._lock = Lock()

    def get(self, asked: Hashable, find: Callable[[], Found], rows: Callable[[Found], int]) -> Found:
        """The answer to what is `asked`: that of a moment ago, or else what `find` finds, by reading so many `rows`."""
        known, until = self._found.get(asked, (None, 0.0))
        if self._clock() < until:
            return known
        found = find()
        if rows(found) >= MANY:
            self._keep(asked, found)
        return found

    def _keep(self, asked: Hashable, found: object) -> None:
        now = self._clock()
        with self._lock:
            self._found = {each: kept for each, kept in self._found.items() if now < kept[1]}
            self._found[asked] = (found, now + SECONDS)
