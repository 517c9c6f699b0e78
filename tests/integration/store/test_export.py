"""What an export reads before its first rows come: little, however many there are."""

from collections.abc import Generator
from contextlib import closing

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.listing import EXACT_COUNT, JobFilter
from scheduler.domain.states import JobStatus
from scheduler.store import export
from scheduler.store.connection import Connection
from scheduler.store.export import export_jobs
from tests.servers import Servers, fresh_database

ROWS = 30_000
WIDTH = 2_000
"""So wide that all of them fit into no buffer between the server and us."""
OLDEST = 100


@pytest.fixture(scope="module")
def wide(servers: Servers) -> Generator[Connection]:
    with fresh_database(servers) as url, psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = on")  # until it is on the disk, VACUUM takes no row for visible to all
        conn.execute(
            """
            INSERT INTO jobs (description, task_type, task_data, queue, status, attempt, run, picked_at, started_at,
                              completed_at, error, settled)
            SELECT repeat('x', %(width)s), CASE WHEN n <= %(oldest)s THEN 'old' ELSE 'note' END, '{}',
                   (ARRAY['default', 'mail'])[1 + n %% 2], status, 1, 1, now(), now(), now(),
                   CASE status WHEN 'failed' THEN '{}'::jsonb END, true
            FROM (SELECT n, (CASE WHEN n %% 9 = 0 THEN 'failed' ELSE 'completed' END)::job_status AS status
                  FROM generate_series(1, %(rows)s) AS n) AS jobs""",
            {"rows": ROWS, "width": WIDTH, "oldest": OLDEST},
        )
        conn.execute("VACUUM (ANALYZE) jobs")
        yield conn


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(),
        JobFilter(statuses=(JobStatus.COMPLETED, JobStatus.PENDING)),
        JobFilter(task_type="note"),
        JobFilter(task_type="note", queue="mail"),
        JobFilter(search="xxx"),
    ],
    ids=repr,
)
def test_the_first_rows_of_many_come_before_the_others_are_read(
    wide: Connection, wanted: JobFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MANY", ROWS // 10)
    before = rows_read(wide)
    with closing(export_jobs(wide, OPERATOR, wanted)) as chunks:
        assert next(chunks).startswith(b"id,")
    assert rows_read(wide) - before < EXACT_COUNT + ROWS / 3


def test_few_are_gathered_without_a_look_at_the_others(wide: Connection) -> None:
    before = rows_read(wide)
    text = b"".join(export_jobs(wide, OPERATOR, JobFilter(task_type="old", queue="mail")))
    assert text.count(b"\n") == 1 + OLDEST // 2
    assert rows_read(wide) - before <= 2 * OLDEST


def rows_read(conn: Connection) -> int:
    conn.execute("SELECT pg_stat_force_next_flush()")
    row = conn.execute("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'jobs'").fetchone()
    assert row is not None
    return row[0]
