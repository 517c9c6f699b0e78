"""Count jobs for Prometheus."""

from dataclasses import dataclass

from scheduler.domain.caller import OPERATOR
from scheduler.metrics import JOBS
from scheduler.store.connection import Database
from scheduler.store.counts import jobs_by_status


@dataclass(frozen=True, slots=True)
class Count:
    """The duty of counting."""

    database: Database

    def step(self) -> bool:
        """Set the gauges; there is never more to do."""
        with self.database.connection() as conn:
            for status, count in jobs_by_status(conn, OPERATOR).items():
                JOBS.labels(status.value).set(count)
        return False
