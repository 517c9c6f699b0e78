"""Say that this picker lives, for the list of workers."""

from contextlib import suppress
from dataclasses import dataclass

from scheduler.daemon import Worker
from scheduler.domain.errors import StoreUnavailable
from scheduler.domain.queue import NewWorker
from scheduler.store.connection import Database
from scheduler.store.workers import depart, report


@dataclass(frozen=True, slots=True)
class Report:
    """The duty of saying so."""

    database: Database
    worker: NewWorker

    def step(self) -> bool:
        """Say it once."""
        with self.database.connection() as conn:
            report(conn, self.worker)
        return False

    def depart(self) -> None:
        """Say that it ends, if PostgreSQL hears it within a second; else its silence says so."""
        last_word = Worker(self._depart, name="report")
        last_word.start()
        last_word.join(1)

    def _depart(self) -> None:
        with suppress(StoreUnavailable), self.database.connection() as conn:
            depart(conn, self.worker.name)
