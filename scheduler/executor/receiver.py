"""A message becomes started attempts: never more than there are free slots, so no executor hoards work."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from scheduler.daemon import Backoff, Stop, Worker
from scheduler.domain.errors import QueueUnavailable, StoreUnavailable, Unavailable
from scheduler.domain.job import Attempt
from scheduler.executor.recorder import Recorder
from scheduler.executor.slots import Slots
from scheduler.executor.worker import Message, MessageWorker
from scheduler.logs import get_log
from scheduler.queue import LARGEST_MESSAGE
from scheduler.store import transitions
from scheduler.store.connection import Database

log = get_log("receiver")

_PAUSE_SECONDS: Final = 0.5


class Receiver:
    """A thread that takes messages while there is room, starts their jobs, and hands the attempts to `admit` with the
    monotonic time at which their start was asked for. `admit` answers with an event that is set when they run."""

    def __init__(
        self,
        worker: MessageWorker,
        database: Database,
        *,
        lease_seconds: float,
        slots: Slots,
        recorder: Recorder,
        stop: Stop,
        admit: Callable[[Sequence[Attempt], float], threading.Event],
    ) -> None:
        self._worker = worker
        self._database = database
        self._lease_seconds = lease_seconds
        self._slots = slots
        self._recorder = recorder
        self._stop = stop
        self._admit = admit
        self._admitted = threading.Event()
        self._admitted.set()
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
        if not self._admitted.wait(_PAUSE_SECONDS):  # the loop is blocked: what it cannot begin is left to others
            return
        if self._recorder.is_full:
            self._stop.requested.wait(_PAUSE_SECONDS)
            return
        room = self._slots.wait_for_room(min(LARGEST_MESSAGE, self._slots.total), _PAUSE_SECONDS)
        if not room:
            return
        message = self._worker.receive()
        if message is None:
            return
        if self._stop.requested.is_set():
            room = 0
        self._return(message, message.ids[room:])
        if room:
            self._begin(message, message.ids[:room])

    def _begin(self, message: Message, ids: Sequence[int]) -> None:
        self._slots.take(len(ids))
        asked = time.monotonic()
        attempts: list[Attempt] = []
        try:
            with self._database.connection() as conn:
                attempts = transitions.start(conn, ids=ids, worker=self._worker.name, lease_seconds=self._lease_seconds)
        except StoreUnavailable:
            self._return(message, ids)
            raise
        finally:
            self._slots.release(len(ids) - len(attempts))
        if len(attempts) < len(ids):
            log.debug("stale ids dropped", count=len(ids) - len(attempts), queue=message.queue)
        self._admitted = self._admit(attempts, asked)

    def _return(self, message: Message, ids: Sequence[int]) -> None:
        """Hand back what this executor cannot start: to the queue, else to the database, else to the lease."""
        if not ids:
            return
        try:
            self._worker.put_back(message, ids)
        except QueueUnavailable:
            with self._database.connection() as conn:
                transitions.give_back(conn, ids)
