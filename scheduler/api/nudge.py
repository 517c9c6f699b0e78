"""Signals to pickers and executors that may get lost: whoever misses one finds out by itself, a little later."""

import time
from collections.abc import Callable
from typing import Final

from scheduler.domain.errors import QueueUnavailable
from scheduler.logs import get_log
from scheduler.queue import Signals

log = get_log("api")

_REST_SECONDS: Final = 2.0


class Nudge:
    """Sends signals, and never fails nor delays a request for them: while Redis is away it hardly tries."""

    def __init__(self, signals: Signals, clock: Callable[[], float] = time.monotonic) -> None:
        self._signals = signals
        self._clock = clock
        self._resting_until = 0.0

    def wake_pickers(self) -> None:
        """There is something to claim. Lost, it costs the job one poll of the picker."""
        self._try(self._signals.wake_pickers)

    def cancel(self, job_id: int) -> None:
        """Stop the running job. Lost, its executor notices when it next extends the lease."""
        self._try(lambda: self._signals.cancel(job_id))

    def _try(self, send: Callable[[], None]) -> None:
        if self._clock() < self._resting_until:
            return
        try:
            send()
        except QueueUnavailable as away:
            self._resting_until = self._clock() + _REST_SECONDS
            log.warning("signal lost", error=str(away), silent_for=_REST_SECONDS)
