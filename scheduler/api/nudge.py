"""Signals to pickers and executors that may get lost: whoever misses one finds out by itself, a little later."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from scheduler.domain.errors import QueueUnavailable
from scheduler.logs import get_log
from scheduler.queue import Signals

log = get_log("api")

_REST_SECONDS: Final = 2.0
_BREATH_SECONDS: Final = 0.002
"""Between wake-ups: a picker takes about as long to claim, and each wake-up takes the interpreter from requests."""


class Nudge:
    """Sends signals from a thread of its own: no request waits for Redis. While that is away it hardly tries."""

    def __init__(
        self,
        signals: Signals,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._signals = signals
        self._clock = clock
        self._pause = pause
        self._resting_until = 0.0
        self._sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nudge")
        self._wake_up_waits = False

    def wake_pickers(self) -> None:
        """There is something to claim. Lost, it costs the job one poll of the picker."""
        if not self._wake_up_waits:  # one that has still to be sent tells of this job, too
            self._wake_up_waits = True
            self._sender.submit(self._wake_pickers)

    def cancel(self, job_id: int) -> None:
        """Stop the running job. Lost, its executor notices when it next extends the lease."""
        self._sender.submit(self._try, lambda: self._signals.cancel(job_id))

    def flush(self) -> None:
        """Wait until all that was said is sent, or lost."""
        self._sender.submit(lambda: None).result()

    def _wake_pickers(self) -> None:
        self._wake_up_waits = False  # before it is sent: it may not tell of who comes from now on
        self._try(self._signals.wake_pickers)
        self._pause(_BREATH_SECONDS)

    def _try(self, send: Callable[[], None]) -> None:
        if self._clock() < self._resting_until:
            return
        try:
            send()
        except QueueUnavailable as away:
            self._resting_until = self._clock() + _REST_SECONDS
            log.warning("signal lost", error=str(away), silent_for=_REST_SECONDS)
