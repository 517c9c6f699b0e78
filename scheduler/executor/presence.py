"""An executor's presence in Redis: pickers count on its slots, and `rq info` shows it at work."""

import threading
from collections.abc import Callable
from typing import Final

from scheduler.daemon import Worker
from scheduler.domain.errors import QueueUnavailable
from scheduler.executor.worker import MessageWorker
from scheduler.logs import get_log

log = get_log("presence")

_EVERY_SECONDS: Final = 2.0


class Presence:
    """A thread that announces the worker every two seconds. `tally` tells busy slots, finished and failed attempts."""

    def __init__(self, worker: MessageWorker, tally: Callable[[], tuple[int, int, int]]) -> None:
        self._worker = worker
        self._tally = tally
        self._ended = threading.Event()
        self._thread = Worker(self._run, name="presence")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Sign off, if Redis is there to hear it; else the entry runs out by itself."""
        self._ended.set()
        self._thread.join(1)
        try:
            self._worker.depart()
        except QueueUnavailable:
            log.info("left without signing off: Redis is away")

    def _run(self) -> None:
        is_new = True
        while not self._ended.is_set():
            busy, finished, failed = self._tally()
            try:
                self._worker.announce(busy=busy > 0, finished=finished, failed=failed)
                if is_new:
                    self._worker.wake_pickers()
                is_new = False
            except QueueUnavailable:
                is_new = True  # pickers may have forgotten us by the time that Redis is back
            self._ended.wait(_EVERY_SECONDS)
