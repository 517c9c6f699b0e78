"""Settle jobs at rest, so that lists find them by their indexes."""

from dataclasses import dataclass
from typing import Final

from scheduler.store.connection import Database
from scheduler.store.settling import settle

BATCH: Final = 1_000
PATIENCE_SECONDS: Final = 60.0
"""A job that waits for less is left alone: it is soon on its way."""


@dataclass(frozen=True, slots=True)
class Settle:
    """The duty of settling."""

    database: Database

    def step(self) -> bool:
        """Settle a batch; whether there may be more."""
        with self.database.connection() as conn:
            return settle(conn, limit=BATCH, patience_seconds=PATIENCE_SECONDS) == BATCH
