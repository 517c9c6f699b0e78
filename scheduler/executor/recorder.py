"""Outcomes into the database by group commit: whatever ended since the last write began goes into the next.

Alone, an outcome is written at once. Under load a write begins ten milliseconds after the one before, or when there is
enough for one: a write costs as much as dozens of outcomes in it.

While PostgreSQL is away outcomes wait here, up to a bound after which the executor takes no more work.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final

from scheduler.daemon import Backoff, Worker
from scheduler.domain.errors import Unavailable
from scheduler.domain.job import AttemptKey, Completed, Failed, Outcome
from scheduler.domain.states import ExecutionStatus
from scheduler.logs import get_log
from scheduler.store import transitions
from scheduler.store.connection import Database

log = get_log("recorder")

MAX_WAITING: Final = 10_000
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
_LARGEST_GROUP: Final = 1_000
ENOUGH: Final = 250
BETWEEN_WRITES_SECONDS: Final = 0.01


class Recorder:
    """A thread that writes outcomes. `recorded` is called with those that an attempt's fence let through."""

    def __init__(self, database: Database, recorded: Callable[[Sequence[Outcome]], None]) -> None:
        self._database = database
        self._recorded = recorded
        self._waiting: deque[Outcome] = deque()
        self._writing: list[Outcome] = []
        self._bytes = 0
        self._wanted = 1
        self._began = 0.0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = Worker(self._run, name="recorder")

    def start(self) -> None:
        self._thread.start()

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Write these soon; never blocks."""
        with self._changed:
            self._waiting.extend(outcomes)
            self._bytes += sum(map(_size, outcomes))
            if len(self._waiting) >= self._wanted:
                self._changed.notify()

    @property
    def is_full(self) -> bool:
        """So much waits for PostgreSQL that no more work should be taken."""
        return len(self._waiting) >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES

    def unrecorded(self) -> list[AttemptKey]:
        """Attempts that have ended and are not yet written: their leases still have to be kept."""
        with self._changed:
            return [outcome.key for outcome in (*self._writing, *self._waiting)]

    def close(self, patience: float) -> int:
        """Write what waits, for at most `patience` seconds; how many outcomes could not be written."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(max(0.0, patience))
        return len(self.unrecorded())

    def _run(self) -> None:
        backoff = Backoff(limit=1.0)
        while group := self._next_group():
            while True:
                try:
                    self._write(group)
                    break
                except Unavailable as away:
                    log.warning("results wait for PostgreSQL", waiting=len(self.unrecorded()), error=str(away))
                    time.sleep(backoff.next())  # nothing can wake PostgreSQL
            backoff.reset()
            with self._changed:
                self._writing = []
                self._bytes -= sum(map(_size, group))

    def _next_group(self) -> list[Outcome]:
        """What waits now, once something does; nothing only when the recorder closes and all is written."""
        with self._changed:
            self._wait_for(1, None)
            self._wait_for(ENOUGH, self._began + BETWEEN_WRITES_SECONDS - time.monotonic())
            self._began = time.monotonic()
            self._writing = [self._waiting.popleft() for _ in range(min(_LARGEST_GROUP, len(self._waiting)))]
            return self._writing

    def _wait_for(self, wanted: int, seconds: float | None) -> None:
        self._wanted = wanted
        self._changed.wait_for(lambda: len(self._waiting) >= wanted or self._closing, seconds)

    def _write(self, group: Sequence[Outcome]) -> None:
        try:
            self._recorded(record(self._database, group))
        except Unavailable:
            raise
        except Exception as error:  # one outcome that the database refuses must not keep back the others
            if len(group) > 1:
                for outcome in group:
                    self._write([outcome])
            elif not isinstance(group[0], Failed) or group[0].error["type"] != "unrecordable":
                log.exception("outcome refused by the database", job_id=group[0].key.job_id)
                self._write([_unrecordable(group[0], error)])
            else:
                log.exception("outcome lost: its lease will run out", job_id=group[0].key.job_id)


def record(database: Database, group: Sequence[Outcome]) -> list[Outcome]:
    """Write a group, one statement for each way to end; those whose fence still stood."""
    completed = [outcome for outcome in group if isinstance(outcome, Completed)]
    failed = [outcome for outcome in group if isinstance(outcome, Failed)]
    # Two kinds go together or not at all: a repetition would take the first for late results.
    with database.connection() as conn, conn.transaction() if completed and failed else nullcontext():
        stood = transitions.complete(conn, completed)
        stood |= transitions.retry_later(conn, [outcome for outcome in failed if outcome.retry_in is not None])
        stood |= transitions.fail(conn, [outcome for outcome in failed if outcome.retry_in is None])
    if len(stood) < len(group):
        late = [outcome.key.job_id for outcome in group if outcome.key not in stood]
        log.info("late results dropped: cancelled, or rescued by others", job_ids=late[:20], count=len(late))
    return [outcome for outcome in group if outcome.key in stood]


def _unrecordable(outcome: Outcome, error: Exception) -> Failed:
    return Failed(
        key=outcome.key,
        duration_seconds=outcome.duration_seconds,
        finished=outcome.finished,
        status=ExecutionStatus.FAILED,
        error={
            "type": "unrecordable",
            "message": f"The database refused the attempt's record: {type(error).__name__}.",
        },
        retry_in=None,
    )


def _size(outcome: Outcome) -> int:
    said = len(outcome.result or "") if isinstance(outcome, Completed) else len(str(outcome.error))
    return said + sum(map(len, outcome.logs))
