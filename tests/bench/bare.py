"""The ceiling: a job's full life in plain psycopg. COPY in, claim, running, completed; no queue, record or fence."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any, Final

import psycopg

from tests.bench.stage import Stage

SCHEMA: Final = """
    CREATE TYPE status AS ENUM ('pending', 'picked', 'running', 'completed');
    CREATE TABLE jobs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, task jsonb NOT NULL, due timestamptz NOT NULL,
        status status NOT NULL DEFAULT 'pending', priority smallint NOT NULL DEFAULT 5, attempt int NOT NULL DEFAULT 0,
        picked_at timestamptz, started_at timestamptz, completed_at timestamptz
    ) WITH (fillfactor = 70);
    CREATE INDEX ON jobs (priority, due, id) WHERE picked_at IS NULL"""
_COPY: Final = "COPY jobs (task, due) FROM STDIN"
_CLAIM: Final = """
    UPDATE jobs SET status = 'picked', picked_at = now(), attempt = attempt + 1 WHERE id = ANY (ARRAY(
        SELECT id FROM jobs WHERE picked_at IS NULL AND due <= now() ORDER BY priority, due, id
        LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING id, task"""
_RUNNING: Final = "UPDATE jobs SET status = 'running', started_at = now() WHERE id = ANY (%s)"
_COMPLETED: Final = "UPDATE jobs SET status = 'completed', completed_at = now() WHERE id = ANY (%s)"
_BATCH: Final = 500
_TASK: Final = '{"type": "noop", "data": {}}'


def full_life(processes: int) -> Callable[[Stage, int], dict[str, Any]]:
    """That many processes, 500 jobs a batch."""

    def run(stage: Stage, jobs: int) -> dict[str, Any]:
        with stage.place() as place, get_context("spawn").Pool(processes) as pool:
            with psycopg.connect(place.database_url) as connection:
                connection.execute(SCHEMA)
            pool.map(abs, range(processes))  # they have started
            work = [(place.database_url, jobs // processes)] * processes
            started = time.monotonic()
            pool.starmap(_put, work)
            put = time.monotonic() - started
            with psycopg.connect(place.database_url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE jobs")
            started = time.monotonic()
            pool.starmap(_work, work)
            return {"jobs/s": jobs / (put + time.monotonic() - started)}

    return run


def _put(url: str, count: int) -> None:
    now = datetime.now(UTC)
    with psycopg.connect(url) as connection, connection.cursor().copy(_COPY) as copy:
        for _ in range(count):
            copy.write_row((_TASK, now))


def _work(url: str, _count: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while ids := [row[0] for row in connection.execute(_CLAIM, (_BATCH,))]:
            connection.execute(_RUNNING, (ids,))
            connection.execute(_COMPLETED, (ids,))
