"""How many attempts run at once: work is admitted into free slots only."""

import threading
import time
from typing import Final

_PATIENCE_SECONDS: Final = 0.005


class Slots:
    """`total` slots, counted across threads."""

    def __init__(self, total: int) -> None:
        self.total: Final = total
        self._free = total
        self._wanted = 1
        self._changed = threading.Condition()

    @property
    def busy(self) -> int:
        return self.total - self._free

    def take(self, count: int) -> int:
        """Take up to `count` free slots; how many there were."""
        with self._changed:
            taken = max(0, min(count, self._free))
            self._free -= taken
            return taken

    def release(self, count: int = 1) -> None:
        with self._changed:
            self._free += count
            if self._free >= self._wanted:  # else the waiting thread would wake up for nothing, again and again
                self._changed.notify()

    def wait_for_room(self, comfortable: int, limit: float) -> bool:
        """Whether there is a free slot within `limit` seconds.

        Waits a moment for `comfortable` many, so that quick tasks fill whole messages, then makes do with fewer,
        so that slow ones leave no slot empty.
        """
        deadline = time.monotonic() + limit
        with self._changed:
            self._wait_for(comfortable, _PATIENCE_SECONDS)
            self._wait_for(1, max(0.0, deadline - time.monotonic()))
            return self._free > 0

    def _wait_for(self, wanted: int, seconds: float) -> None:
        self._wanted = wanted
        self._changed.wait_for(lambda: self._free >= wanted, seconds)
