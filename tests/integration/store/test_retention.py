"""Jobs that ended long ago leave, with their history, and nothing else does."""

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.states import JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection
from scheduler.store.counts import jobs_by_status
from scheduler.store.removal import delete_ended
from scheduler.store.settling import settle
from tests.integration.store.lives import led_to, records
from tests.integration.store.plans import MODES, plan_of

DAY = 86_400.0
ENDED = {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
INSERT_ENDED = """
    INSERT INTO jobs (task_type, task_data, status, attempt, run, picked_at, started_at, completed_at, settled)
    SELECT 'note', '{}', 'completed', 1, 1, now(), now(), now() - n * interval '1 hour', true
    FROM generate_series(1, %s) AS n"""


def settled(conn: Connection) -> None:
    settle(conn, limit=1_000, patience_seconds=60.0)


def days_pass(conn: Connection, days: float) -> None:
    """Let everything have happened that much earlier."""
    conn.execute(
        "UPDATE jobs SET completed_at = completed_at - %(ago)s * interval '1 day',"
        " updated_at = updated_at - %(ago)s * interval '1 day'",
        {"ago": days},
    )


def left(conn: Connection) -> list[int]:
    return [job_id for (job_id,) in conn.execute("SELECT id FROM jobs ORDER BY id").fetchall()]


@pytest.mark.parametrize("status", JobStatus)
def test_what_ended_long_ago_leaves_with_its_history(conn: Connection, status: JobStatus) -> None:
    job_id = led_to(conn, status)
    settled(conn)
    days_pass(conn, 29)
    assert delete_ended(conn, older_than_seconds=30 * DAY, limit=10) == 0
    days_pass(conn, 2)
    assert delete_ended(conn, older_than_seconds=30 * DAY, limit=10) == int(status in ENDED)
    assert left(conn) == ([] if status in ENDED else [job_id])
    assert records(conn, job_id) == []
    assert sum(jobs_by_status(conn, OPERATOR).values()) == len(left(conn))


def test_a_job_that_was_retried_long_after_it_failed_stays(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.FAILED)
    settled(conn)
    days_pass(conn, 31)
    transitions.retry(conn, OPERATOR, job_id)
    assert delete_ended(conn, older_than_seconds=30 * DAY, limit=10) == 0
    assert (left(conn), len(records(conn, job_id))) == ([job_id], 1)


def test_two_at_once_share_the_work(conn: Connection, database_url: str) -> None:
    """One that is in the middle of a batch holds up nobody, and nobody takes the same jobs."""
    conn.execute(INSERT_ENDED, (30,))
    with psycopg.connect(database_url) as other:
        assert delete_ended(other, older_than_seconds=0, limit=20) == 20
        assert delete_ended(conn, older_than_seconds=0, limit=20) == 10
    assert left(conn) == []


def test_no_row_is_read_but_those_that_leave(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(INSERT_ENDED, (5_000,))
        conn.execute("VACUUM (ANALYZE) jobs")
        age = 4_950 * 3600.0
        call = lambda: delete_ended(conn, older_than_seconds=age, limit=20)  # noqa: E731
        plan = plan_of(conn, call, [age, 20], MODES[0])
    assert set(plan.scans) == {"jobs_ended", "jobs_pkey"}
    assert plan.rows_read == 2 * 20  # to lock them, and to delete them
