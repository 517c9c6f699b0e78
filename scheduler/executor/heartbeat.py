"""Leases: extended while their attempts live, and let go when they may not go on.

An attempt may go on while its lease is surely ours. Nobody rescues it before the lease runs out by the database's
clock; we give it up once as much time has passed on our own monotonic clock since we *asked* for it. So no clocks of
different hosts have to agree.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import Final

from scheduler.daemon import Backoff, Wake, Worker
from scheduler.domain.errors import StoreUnavailable
from scheduler.domain.job import AttemptKey
from scheduler.executor.recorder import Recorder
from scheduler.executor.run import Running
from scheduler.logs import get_log
from scheduler.store import leases
from scheduler.store.connection import Database

log = get_log("heartbeat")

BEATS_PER_LEASE: Final = 4
_TICK_SECONDS: Final = 1.0
_LOOKS_PER_LEASE: Final = 40
_MARGIN_OF_LEASE: Final = 10
"""An attempt is given up a tenth of a lease early: its task needs a moment to stop."""
_OVERDUE_SECONDS: Final = 5.0
"""An attempt this long past its deadline does not react: the loop is blocked. Its lease is no longer extended."""


class Heartbeat:
    """A thread that beats for all attempts of an executor. `abandon` is told of those that may not go on."""

    def __init__(
        self,
        database: Database,
        *,
        lease_seconds: float,
        running: Callable[[], Collection[Running]],
        recorder: Recorder,
        abandon: Callable[[Collection[AttemptKey]], None],
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._running = running
        self._recorder = recorder
        self._abandon = abandon
        self._backoff = Backoff(limit=1.0)
        self._wake = Wake()
        self._ended = threading.Event()
        self._next_beat = 0.0
        self._thread = Worker(self._run, name="heartbeat")
        self._watch = Worker(self._give_up_lapsed, name="lease-watch")

    def start(self) -> None:
        self._thread.start()
        self._watch.start()

    def beat_now(self) -> None:
        """Do not wait for the next beat: somebody says that an attempt was cancelled."""
        self._next_beat = 0.0
        self._wake.ring()

    def stop(self) -> None:
        self._ended.set()
        self._wake.ring()

    def _run(self) -> None:
        while not self._ended.is_set():
            now = time.monotonic()
            try:
                if now >= self._next_beat:
                    self._next_beat = now + self._lease_seconds / BEATS_PER_LEASE
                    self._beat()
                self._show_progress()
                self._backoff.reset()
            except StoreUnavailable as away:
                self._next_beat = now + self._backoff.next()
                log.warning("leases not extended", error=str(away))
            self._wake.wait(min(_TICK_SECONDS, max(0.0, self._next_beat - time.monotonic())))

    def _beat(self) -> None:
        """Extend every lease, of attempts that run and of those that wait to be recorded."""
        asked = time.monotonic()
        running = [
            each
            for each in self._running()
            if asked < each.held_until and asked < each.deadline + _OVERDUE_SECONDS  # what was lost is not taken back
        ]
        keys = [each.attempt.key for each in running] + self._recorder.unrecorded()
        if not keys:
            return
        with self._database.connection() as conn:
            answer = leases.extend(conn, keys, lease_seconds=self._lease_seconds)
        for each in running:
            if each.attempt.key in answer.extended:
                each.held_until = asked + self._lease_seconds
        if answer.gone:
            self._abandon(answer.gone)

    def _show_progress(self) -> None:
        changed = {each.attempt.key: each.progress for each in self._running() if each.progress is not each.shown}
        if changed:
            with self._database.connection() as conn:
                leases.report_progress(conn, {key: progress for key, progress in changed.items() if progress})
        for each in self._running():
            if each.attempt.key in changed:
                each.shown = changed[each.attempt.key]

    def _give_up_lapsed(self) -> None:
        """In a thread of its own: a beat over a connection that died without a word hangs for as long as it likes."""
        while not self._ended.wait(self._lease_seconds / _LOOKS_PER_LEASE):
            soon = time.monotonic() + self._lease_seconds / _MARGIN_OF_LEASE
            lapsed = [each for each in self._running() if each.held_until <= soon and not each.cancelled]
            for each in lapsed:
                each.cancelled = True  # here already, should the loop be blocked
            if lapsed:
                log.warning("attempts given up: their leases could not be extended in time", count=len(lapsed))
                self._abandon([each.attempt.key for each in lapsed])
