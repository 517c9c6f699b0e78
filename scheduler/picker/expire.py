"""Fail jobs whose `expires_at` passed before they could start."""

from dataclasses import dataclass
from typing import Final

from scheduler.logs import get_log
from scheduler.metrics import FAILED
from scheduler.store import transitions
from scheduler.store.connection import Database

log = get_log("expire")

_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Expire:
    """The duty of expiring."""

    database: Database

    def step(self) -> bool:
        """Expire a batch; whether there may be more."""
        with self.database.connection() as conn:
            expired = transitions.expire(conn, limit=_LIMIT)
        FAILED.inc(len(expired))
        if expired:
            log.info("jobs expired", count=len(expired), job_ids=expired[:20])
        return len(expired) == _LIMIT
