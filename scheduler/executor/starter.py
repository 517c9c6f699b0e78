"""Picked jobs become started attempts, never more than there are free slots, so no executor hoards work."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scheduler.domain.errors import QueueUnavailable, StoreUnavailable, Unavailable
from scheduler.domain.job import Attempt
from scheduler.executor.slots import Slots
from scheduler.executor.worker import Message, MessageWorker
from scheduler.logs import get_log
from scheduler.metrics import LATENESS
from scheduler.store import backlog, transitions
from scheduler.store.connection import Database

log = get_log("starter")

Admit = Callable[[Sequence[Attempt], float], threading.Event]
"""Takes attempts and the monotonic time at which their start was asked for; the event is set when they run."""


class Unstarted(NamedTuple):
    """What a start left over: jobs that are not due yet, with the seconds until they are, and those without a slot."""

    due_in: dict[int, float]
    without_slot: Message


class Starter:
    """Starts jobs in the database and hands the attempts to `admit`. For several threads."""

    def __init__(
        self, worker: MessageWorker, database: Database, slots: Slots, admit: Admit, *, lease_seconds: float
    ) -> None:
        self._worker = worker
        self._database = database
        self._slots = slots
        self._admit = admit
        self._lease_seconds = lease_seconds
        self._admitted = threading.Event()
        self._admitted.set()

    def wait_until_admitted(self, seconds: float) -> bool:
        """Wait until what was started last has begun; False when it has not: the loop is blocked, and what it cannot
        begin should be left to others."""
        return self._admitted.wait(seconds)

    def start(self, message: Message) -> Unstarted:
        """Start what there is room for. Raises StoreUnavailable and QueueUnavailable; all is given back then."""
        room = self._slots.take(len(message.ids))
        left = Message(message.queue, message.ids[room:])
        try:
            return Unstarted(self._start(message, message.ids[:room]) if room else {}, left)
        except Unavailable:
            self.give_back(left)
            raise

    def _start(self, message: Message, ids: tuple[int, ...]) -> dict[int, float]:
        asked = time.monotonic()
        queue = message.queue
        attempts: list[Attempt] = []
        later: dict[int, float] = {}
        try:
            with self._database.connection() as conn:
                attempts = transitions.start(
                    conn, queue=queue, ids=ids, worker=self._worker.name, lease_seconds=self._lease_seconds
                )
                if attempts:
                    self._admitted = self._admit(attempts, asked)
                if len(attempts) < len(ids):
                    later = backlog.due_later(conn, queue, ids)
                    if len(attempts) + len(later) < len(ids):
                        transitions.give_back_paused(conn, queue, ids)
        except StoreUnavailable:
            self.give_back(Message(queue, ids))  # one that did start is stale to whoever takes it
            raise
        finally:
            self._slots.release(len(ids) - len(attempts))
        for attempt in attempts:  # they run by now
            LATENESS.observe(max(0.0, attempt.lateness_seconds))
        if stale := len(ids) - len(attempts) - len(later):
            log.debug("stale ids dropped", count=stale, queue=queue)
        return later

    def give_back(self, message: Message) -> None:
        """Hand back what is not started here: to the queue, else to the database, else to the lease."""
        if not message.ids:
            return
        try:
            self._worker.put_back(message)
        except QueueUnavailable:
            with self._database.connection() as conn:
                transitions.give_back(conn, message.ids)
