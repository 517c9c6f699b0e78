"""How many attempts run at once: work is admitted into free slots only."""

import threading
import time
from typing import Final

_PATIENCE_SECONDS: Final = 0.02


class Slots:
    """`total` slots, counted across threads."""

    def __init__(self, total: int) -> None:
        self.total: Final = total
        self._free = total
        self._changed = threading.Condition()

    @property
    def busy(self) -> int:
        return self.total - self._free

    def take(self, count: int) -> None:
        with self._changed:
            self._free -= count

    def release(self, count: int = 1) -> None:
        with self._changed:
            self._free += count
            self._changed.notify()

    def wait_for_room(self, comfortable: int, limit: float) -> int:
        """Free slots, 0 when there are none within `limit` seconds.

        Waits a moment for `comfortable` many, so that quick tasks fill whole messages, then makes do with fewer,
        so that slow ones leave no slot empty.
        """
        deadline = time.monotonic() + limit
        with self._changed:
            self._changed.wait_for(lambda: self._free >= comfortable, _PATIENCE_SECONDS)
            self._changed.wait_for(lambda: self._free > 0, max(0.0, deadline - time.monotonic()))
            return max(0, self._free)
