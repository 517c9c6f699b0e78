"""Jobs that were claimed ahead of their time wait here, and start on the dot: nothing is left to do then but that."""

import heapq
import threading
import time
from collections.abc import Mapping
from typing import Final

from scheduler.daemon import Stop, Worker
from scheduler.domain.errors import Unavailable
from scheduler.executor.starter import Starter
from scheduler.executor.worker import Message
from scheduler.logs import get_log

log = get_log("hold")

_TOGETHER_SECONDS: Final = 0.0005
"""Jobs due within this are started in one statement; none is started early, which the statement sees to."""


class Hold:
    """A thread that starts each job when it is due. They take no slots before that."""

    def __init__(self, starter: Starter, stop: Stop) -> None:
        self._starter = starter
        self._stop = stop
        self._held: list[tuple[float, int, str]] = []
        self._has_left = False
        self._changed = threading.Condition()
        self._thread = Worker(self._run, name="hold")

    def start(self) -> None:
        self._stop.on_request(self._wake)
        self._thread.start()

    def keep(self, queue: str, due_in: Mapping[int, float]) -> None:
        """Start these jobs of `queue` in so many seconds; hand them on when the thread has left."""
        if not due_in:
            return
        now = time.monotonic()
        with self._changed:
            if not self._has_left:
                for job_id, seconds in due_in.items():
                    heapq.heappush(self._held, (now + seconds, job_id, queue))
                self._changed.notify()
                return
        self._give_back(Message(queue, tuple(due_in)))

    def join(self, patience: float) -> None:
        """Wait for the thread, which after the request to stop gives back what it holds."""
        self._thread.join(max(0.0, patience))

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while not self._stop.requested.is_set():
            for queue, ids in self._due().items():
                self._begin(Message(queue, tuple(ids)))
        with self._changed:
            self._has_left = True
            left = self._taken(float("inf"))
        for queue, ids in left.items():
            self._give_back(Message(queue, tuple(ids)))

    def _due(self) -> dict[str, list[int]]:
        """Wait until something is due, and take it; nothing when something else came up."""
        with self._changed:
            pause = self._held[0][0] - time.monotonic() if self._held else None
            if (pause is None or pause > 0) and not self._stop.requested.is_set():
                self._changed.wait(pause)
            return self._taken(time.monotonic() + _TOGETHER_SECONDS)

    def _taken(self, until: float) -> dict[str, list[int]]:
        taken: dict[str, list[int]] = {}
        while self._held and self._held[0][0] <= until:
            _, job_id, queue = heapq.heappop(self._held)
            taken.setdefault(queue, []).append(job_id)
        return taken

    def _begin(self, message: Message) -> None:
        try:
            unstarted = self._starter.start(message)
            self.keep(message.queue, unstarted.due_in)
            self._starter.give_back(unstarted.without_slot)
        except Unavailable as away:
            log.warning("held jobs not started: others will", count=len(message.ids), error=str(away))

    def _give_back(self, message: Message) -> None:
        try:
            self._starter.give_back(message)
        except Unavailable as away:
            log.warning("held jobs not given back: their leases will run out", error=str(away))
