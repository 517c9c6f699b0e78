"""Say that this executor lives, for the list of workers: in PostgreSQL, as its presence in Redis is for pickers."""

import threading
from contextlib import suppress

from scheduler.daemon import Worker
from scheduler.domain.errors import StoreUnavailable
from scheduler.domain.queue import NewWorker
from scheduler.store.connection import Database
from scheduler.store.workers import REPORT_SECONDS, depart, report


class Report:
    """A thread that says so every few seconds."""

    def __init__(self, database: Database, worker: NewWorker) -> None:
        self._database = database
        self._worker = worker
        self._ended = threading.Event()
        self._thread = Worker(self._run, name="report")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Say that it ends, if PostgreSQL hears it within a second; else its silence says so."""
        self._ended.set()
        self._thread.join(1)

    def _run(self) -> None:
        while not self._ended.is_set():
            with suppress(StoreUnavailable), self._database.connection() as conn:
                report(conn, self._worker)
            self._ended.wait(REPORT_SECONDS)
        with suppress(StoreUnavailable), self._database.connection() as conn:
            depart(conn, self._worker.name)
