"""Messages in, while there is room for what they ask for."""

from typing import Final

from scheduler.daemon import Backoff, Stop, Worker
from scheduler.domain.errors import Unavailable
from scheduler.executor.hold import Hold
from scheduler.executor.recorder import Recorder
from scheduler.executor.slots import Slots
from scheduler.executor.starter import Starter
from scheduler.executor.worker import MessageWorker
from scheduler.logs import get_log
from scheduler.queue import LARGEST_MESSAGE

log = get_log("receiver")

_PAUSE_SECONDS: Final = 0.5


class Receiver:
    """A thread that takes messages and has their jobs started, or held until they are due."""

    def __init__(
        self, worker: MessageWorker, starter: Starter, hold: Hold, *, slots: Slots, recorder: Recorder, stop: Stop
    ) -> None:
        self._worker = worker
        self._starter = starter
        self._hold = hold
        self._slots = slots
        self._comfortable = max(1, min(LARGEST_MESSAGE, slots.total // 2))
        self._recorder = recorder
        self._stop = stop
        self._thread = Worker(self._run, name="receiver")

    def start(self) -> None:
        self._thread.start()

    def join(self, patience: float) -> None:
        """Wait for the thread, which ends within a pop of the request to stop."""
        self._thread.join(max(0.0, patience))

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stop.requested.is_set():
            try:
                self._step()
            except Unavailable as away:
                pause = backoff.next()
                log.warning("server away", error=str(away), retry_in=round(pause, 2))
                self._stop.requested.wait(pause)
            else:
                if backoff.reset():
                    log.info("server back")

    def _step(self) -> None:
        if not self._starter.wait_until_admitted(_PAUSE_SECONDS):
            return
        if self._recorder.is_full:
            self._stop.requested.wait(_PAUSE_SECONDS)
            return
        if not self._slots.wait_for_room(self._comfortable, _PAUSE_SECONDS):
            return
        message = self._worker.receive()
        if message is None:
            return
        if self._stop.requested.is_set():
            self._starter.give_back(message, message.ids)
            return
        self._hold.keep(message.queue, self._starter.start(message))
