"""Messages in, while there is room for what they ask for."""

import time
from contextlib import suppress
from typing import Final

from scheduler.daemon import Backoff, Stop, Worker
from scheduler.domain.errors import Unavailable
from scheduler.executor.hold import Hold
from scheduler.executor.recorder import Recorder
from scheduler.executor.slots import Slots
from scheduler.executor.starter import Starter
from scheduler.executor.worker import Message, MessageWorker
from scheduler.logs import get_log
from scheduler.queue import LARGEST_MESSAGE

log = get_log("receiver")

_PAUSE_SECONDS: Final = 0.5
IN_HAND_SECONDS: Final = 0.1
"""How long the rest of a message waits here for slots: no longer, since another executor may have some."""


class Receiver:
    """A thread that takes messages and has their jobs started as slots come free, or held until they are due."""

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
        self._in_hand: Message | None = None
        self._in_hand_until = 0.0
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
        with suppress(Unavailable):  # then their leases will run out
            self._give_back()

    def _step(self) -> None:
        if self._recorder.is_full:
            self._give_back()
            self._stop.requested.wait(_PAUSE_SECONDS)
            return
        if not self._has_room():
            self._give_back()
            return
        message = self._in_hand or self._received()
        self._in_hand = None
        if message is None:
            return
        if self._stop.requested.is_set():
            self._starter.give_back(message)
            return
        unstarted = self._starter.start(message)
        self._hold.keep(message.queue, unstarted.due_in)
        if unstarted.without_slot.ids:
            self._in_hand = unstarted.without_slot

    def _has_room(self) -> bool:
        """Whether something can begin soon: while the rest of a message may be kept in hand, if there is one."""
        seconds, wanted = _PAUSE_SECONDS, self._comfortable
        if self._in_hand:
            seconds, wanted = self._in_hand_until - time.monotonic(), min(wanted, len(self._in_hand.ids))
        return seconds > 0 and self._starter.wait_until_admitted(seconds) and self._slots.wait_for_room(wanted, seconds)

    def _received(self) -> Message | None:
        message = self._worker.receive()
        self._in_hand_until = time.monotonic() + IN_HAND_SECONDS
        return message

    def _give_back(self) -> None:
        rest, self._in_hand = self._in_hand, None
        if rest:
            self._starter.give_back(rest)
