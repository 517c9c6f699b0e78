"""Jobs enter the list indexes once they are at rest, and completed ones are counted."""

import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.job import NewJob
from scheduler.domain.states import JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection
from scheduler.store.counts import count_jobs, jobs_by_status
from scheduler.store.intake import create_job
from scheduler.store.settling import settle
from tests.integration.store.lives import JOB, claimed, created, job_row, led_to

LATER = NewJob(task_type="note", task_data={}, delay_seconds=3600)


def settled(conn: Connection, *, patience: float = 60.0) -> int:
    return settle(conn, limit=100, patience_seconds=patience)


@pytest.mark.parametrize("status", JobStatus)
def test_ended_jobs_settle_and_others_do_not(conn: Connection, status: JobStatus) -> None:
    job_id = led_to(conn, status)
    is_ended = status in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
    assert settled(conn) == int(is_ended)
    row = job_row(conn, job_id)
    assert (row["settled"], row["settled_as"]) == (is_ended, status if is_ended else None)
    assert settled(conn) == 0


def test_a_job_for_later_settles_and_is_taken_out_by_its_claim(conn: Connection) -> None:
    job_id = created(conn, LATER)
    assert settled(conn) == 1
    conn.execute("UPDATE jobs SET next_run_at = now()")
    assert job_row(conn, job_id)["settled_as"] == "pending"
    assert claimed(conn) == [job_id]
    assert job_row(conn, job_id)["settled"] is False


def test_a_job_that_has_waited_long_settles(conn: Connection) -> None:
    created(conn)
    assert settled(conn, patience=0.0) == 1


def test_no_more_than_the_limit_settle_oldest_first(conn: Connection) -> None:
    ids = [created(conn, LATER) for _ in range(3)]
    assert settle(conn, limit=2, patience_seconds=60.0) == 2
    assert [job_row(conn, job_id)["settled"] for job_id in ids] == [True, True, False]


def test_a_settled_job_shows_each_move_at_once(conn: Connection) -> None:
    job_id = created(conn, LATER)
    settled(conn)
    transitions.cancel(conn, OPERATOR, job_id)
    assert job_row(conn, job_id)["settled_as"] == "cancelled"
    transitions.retry(conn, OPERATOR, job_id)
    assert job_row(conn, job_id)["settled_as"] == "pending"


def test_counts_are_right_settled_or_not(conn: Connection) -> None:
    for status in JobStatus:
        if status is not JobStatus.PENDING:
            led_to(conn, status)
    led_to(conn, JobStatus.COMPLETED)
    create_job(conn, Caller(owner_id=7), JOB)
    expected = dict.fromkeys(JobStatus, 1) | {JobStatus.COMPLETED: 2}
    assert jobs_by_status(conn, OPERATOR) == expected
    settled(conn, patience=0.0)
    assert jobs_by_status(conn, OPERATOR) == expected
    assert count_jobs(conn, Caller(owner_id=7)) == {(JobStatus.PENDING, "note"): 1}
    assert count_jobs(conn, Caller(owner_id=8)) == {}


def test_deleted_jobs_are_no_longer_counted(conn: Connection) -> None:
    first = led_to(conn, JobStatus.COMPLETED)
    led_to(conn, JobStatus.COMPLETED)
    settled(conn)
    led_to(conn, JobStatus.COMPLETED)
    conn.execute("DELETE FROM jobs WHERE id = %s", (first,))
    assert jobs_by_status(conn, OPERATOR)[JobStatus.COMPLETED] == 2
    conn.execute("TRUNCATE jobs")
    assert count_jobs(conn, OPERATOR) == {}
