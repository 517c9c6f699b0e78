"""Count jobs for Prometheus."""

from dataclasses import dataclass, field

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import DEFAULT_QUEUE
from scheduler.metrics import JOBS, OLDEST_DUE, QUEUE_SIZE
from scheduler.store.connection import Database
from scheduler.store.counts import jobs_by_status
from scheduler.store.queues import waiting_by_queue


@dataclass(frozen=True, slots=True)
class Count:
    """The duty of counting."""

    database: Database
    _queues: set[str] = field(default_factory=lambda: {DEFAULT_QUEUE})

    def step(self) -> bool:
        """Set the gauges; there is never more to do."""
        with self.database.connection() as conn:
            for status, count in jobs_by_status(conn, OPERATOR).items():
                JOBS.labels(status.value).set(count)
            waiting = waiting_by_queue(conn)
        self._queues.update(waiting)
        for queue in self._queues:  # one that is empty now as well
            jobs, oldest_seconds = waiting.get(queue, (0, 0.0))
            QUEUE_SIZE.labels(queue).set(jobs)
            OLDEST_DUE.labels(queue).set(oldest_seconds)
        return False
