"""Say that this picker lives, for the list of workers."""

import os
import socket
from contextlib import suppress

from scheduler.daemon import Worker
from scheduler.domain.errors import StoreUnavailable
from scheduler.domain.queue import NewWorker
from scheduler.store.connection import Database
from scheduler.store.workers import depart, report


class Report:
    """The duty of saying so."""

    def __init__(self, database: Database, *, name: str, version: str) -> None:
        self._database = database
        self._self = NewWorker(name=name, kind="picker", host=socket.gethostname(), pid=os.getpid(), version=version)

    def step(self) -> bool:
        """Say it once."""
        with self._database.connection() as conn:
            report(conn, self._self)
        return False

    def depart(self) -> None:
        """Say that it ends, if PostgreSQL hears it within a second; else its silence says so."""
        last_word = Worker(self._depart, name="report")
        last_word.start()
        last_word.join(1)

    def _depart(self) -> None:
        with suppress(StoreUnavailable), self._database.connection() as conn:
            depart(conn, self._self.name)
