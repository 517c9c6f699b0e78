"""What `scheduler bench` asks PostgreSQL. A load has a queue of its own, by which it is found and removed again.

Its ids bound every question, so that a large table around it costs nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from scheduler.store.connection import Connection, fetch_one

QUEUE_PREFIX: Final = "bench-"


@dataclass(frozen=True, slots=True)
class Load:
    """The jobs of one measurement: those of `queue` with ids from `first` to `last`."""

    queue: str
    first: int
    last: int

    def __post_init__(self) -> None:
        if not self.queue.startswith(QUEUE_PREFIX):
            raise ValueError("a load is removed by its queue: that must be one of the benchmark's")

    @property
    def parameters(self) -> dict[str, Any]:
        return {"queue": self.queue, "first": self.first, "last": self.last}


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after they were due jobs started, in seconds."""

    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the execution records of a load say; `seconds` is from the first start to the last end."""

    jobs_completed: int
    attempts: int
    attempts_completed: int
    executors: int
    seconds: float
    lateness: Lateness


def database_clock(conn: Connection) -> datetime:
    """The time by the clock that decides what is due."""
    row = fetch_one(conn, "SELECT clock_timestamp()", {})
    assert row is not None
    return row[0]


_FIRST_UNFINISHED: Final = """
    SELECT id FROM jobs
    WHERE id BETWEEN %(first)s AND %(last)s AND queue = %(queue)s AND completed_at IS NULL
    ORDER BY id LIMIT 1"""


def first_unfinished(conn: Connection, load: Load, *, since: int) -> int | None:
    """The first job of the load, from id `since` on, that has not ended; jobs end about in order, so this is quick."""
    row = fetch_one(conn, _FIRST_UNFINISHED, {**load.parameters, "first": since})
    return row[0] if row else None


_MEASURE: Final = """
    WITH attempts AS (
        SELECT jobs.status AS job_status, scheduled_at, executions.*
        FROM jobs JOIN executions ON executions.job_id = jobs.id
        WHERE jobs.id BETWEEN %(first)s AND %(last)s AND jobs.queue = %(queue)s
    ), lateness AS (
        SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99, 1]) WITHIN GROUP
                   (ORDER BY extract(epoch FROM started_at - scheduled_at)::float8) AS p
        FROM attempts WHERE run = 1
    )
    SELECT count(DISTINCT job_id) FILTER (WHERE job_status = 'completed'),
           count(*), count(*) FILTER (WHERE status = 'completed'), count(DISTINCT worker),
           extract(epoch FROM max(finished_at) - min(started_at))::float8,
           (SELECT p FROM lateness)
    FROM attempts"""


def measure(conn: Connection, load: Load) -> Measurement | None:
    """What became of a load, from the database's own records; None when nothing of it was ever started."""
    row = fetch_one(conn, _MEASURE, load.parameters)
    if row is None or not row[1]:
        return None
    jobs_completed, attempts, attempts_completed, executors, seconds, lateness = row
    return Measurement(jobs_completed, attempts, attempts_completed, executors, seconds, Lateness(*lateness))


_REMOVE: Final = """
    WITH removed AS (
        DELETE FROM jobs WHERE id BETWEEN %(first)s AND %(last)s AND queue = %(queue)s RETURNING id
    )
    DELETE FROM executions USING removed WHERE executions.job_id = removed.id"""


def remove(conn: Connection, load: Load) -> None:
    """Delete a load and its records; what still runs of it finds its fence gone, and records nothing."""
    conn.execute(_REMOVE, load.parameters)
