"""What a job leaves: bytes in tables, indexes and the write-ahead log; and what that comes to at so many jobs a day."""

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from tests.bench.ours import running
from tests.bench.stage import Stage
from tests.eventually import eventually

_INSERT: Final = """
    INSERT INTO jobs (name, description, task_type, task_data)
    SELECT 'order ' || n, 'of customer ' || n * 7919 %% 100003 || repeat(' x', 60), 'noop', '{}'
    FROM generate_series(1, %s) AS n"""
_SIZES: Final = """
    SELECT pg_table_size('jobs'), pg_indexes_size('jobs'), pg_table_size('executions'), pg_indexes_size('executions'),
           pg_current_wal_lsn() - '0/0'"""
_LEFT: Final = "SELECT count(*) FROM jobs WHERE settled_as IS DISTINCT FROM 'completed'"

DAY_SECONDS: Final = 86_400
DAYS_KEPT: Final = 30
PEAK: Final = 5
"""How many times the day's mean its busiest minutes are."""


def growth(stage: Stage, jobs: int) -> dict[str, Any]:
    """Bytes a job, after a whole life at its first attempt, settled for lists and counted for statistics."""
    with (
        stage.place() as place,
        running(place, "picker", "executor", "monitor"),
        psycopg.connect(place.database_url, autocommit=True) as conn,
    ):
        before = _sizes(conn)
        conn.execute(_INSERT, (jobs,))
        eventually(lambda: _rows_left(conn) == 0, 60 + jobs / 500, what="the settling of all jobs")
        conn.execute("VACUUM ANALYZE")
        used = [after - earlier for after, earlier in zip(_sizes(conn), before, strict=True)]
    names = ("jobs", "its indexes", "executions", "their index", "WAL")
    return {f"{name} B/job": size / jobs for name, size in zip(names, used, strict=True)}


def _sizes(conn: "psycopg.Connection[Any]") -> list[int]:
    row = conn.execute(_SIZES).fetchone()
    assert row is not None
    return [int(each) for each in row]


def _rows_left(conn: "psycopg.Connection[Any]") -> int:
    row = conn.execute(_LEFT).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class Forecast:
    """What so many jobs a day come to. Rates are a second, sizes in GB."""

    mean_rate: float
    peak_rate: float
    rows_kept: int
    """Of jobs and of their executions together."""
    stored: float
    wal_a_day: float


def forecast(jobs_a_day: int, *, stored_bytes: float, wal_bytes: float) -> Forecast:
    """For jobs that leave so many bytes each, and are kept for DAYS_KEPT."""
    kept = jobs_a_day * DAYS_KEPT
    return Forecast(
        mean_rate=jobs_a_day / DAY_SECONDS,
        peak_rate=jobs_a_day / DAY_SECONDS * PEAK,
        rows_kept=2 * kept,
        stored=kept * stored_bytes / 1e9,
        wal_a_day=jobs_a_day * wal_bytes / 1e9,
    )
