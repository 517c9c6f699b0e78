"""Let go of what ended long ago: jobs and their executions. The audit stays, and so do statistics."""

from dataclasses import dataclass
from typing import Final

from scheduler.logs import get_log
from scheduler.store.connection import Database
from scheduler.store.removal import delete_ended

log = get_log("retention")

BATCH: Final = 500
"""Jobs in a transaction: few enough that nobody waits for its locks."""
_DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Retain:
    """The duty of keeping ended jobs for `days`, and no longer; 0 keeps them for ever."""

    database: Database
    days: float

    def step(self) -> bool:
        """Remove a batch; whether there may be more."""
        if not self.days:
            return False
        with self.database.connection() as conn:
            removed = delete_ended(conn, older_than_seconds=self.days * _DAY_SECONDS, limit=BATCH)
        if removed:
            log.info("removed ended jobs", jobs=removed, older_than_days=self.days)
        return removed == BATCH
