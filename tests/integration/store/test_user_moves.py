"""What users do to jobs: cancel and retry, each to their own."""

from dataclasses import replace

import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import Conflict, NotFound
from scheduler.domain.job import NewJob
from scheduler.domain.states import JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection
from tests.integration.store.lives import (
    JOB,
    begun,
    begun_again,
    claimed,
    created,
    failed,
    job_row,
    led_to,
    pass_expiry,
    records,
)

ALICE, BOB = Caller(owner_id=1), Caller(owner_id=2)


def alices(conn: Connection, job_id: int) -> int:
    conn.execute("UPDATE jobs SET owner_id = %s WHERE id = %s", (ALICE.owner_id, job_id))
    return job_id


@pytest.mark.parametrize("status", JobStatus)
def test_others_jobs_are_not_found_and_not_touched(conn: Connection, status: JobStatus) -> None:
    job_id = alices(conn, led_to(conn, status))
    before = job_row(conn, job_id)
    for move in (transitions.cancel, transitions.retry):
        with pytest.raises(NotFound):
            move(conn, BOB, job_id)
    assert job_row(conn, job_id) == before


@pytest.mark.parametrize("caller", [ALICE, OPERATOR], ids=["the owner", "who sees all"])
def test_the_owner_and_who_sees_all_may_cancel_and_retry(conn: Connection, caller: Caller) -> None:
    job_id = alices(conn, led_to(conn, JobStatus.PENDING))
    assert transitions.cancel(conn, caller, job_id).status is JobStatus.CANCELLED
    assert transitions.retry(conn, caller, job_id).status is JobStatus.PENDING


def test_an_unknown_job_is_not_found(conn: Connection) -> None:
    for move in (transitions.cancel, transitions.retry):
        with pytest.raises(NotFound):
            move(conn, OPERATOR, 2**40)


def test_a_users_retry_begins_anew_and_keeps_history_and_run(conn: Connection) -> None:
    key = begun(conn, replace(JOB, max_attempts=1))
    transitions.fail(conn, [failed(key)])
    history = records(conn, key.job_id)
    job = transitions.retry(conn, OPERATOR, key.job_id)
    assert (job.status, job.attempt, job.error, job.progress) == (JobStatus.PENDING, 0, None, None)
    assert (job.picked_at, job.started_at, job.completed_at) == (None, None, None)
    assert records(conn, key.job_id) == history != []
    assert begun_again(conn, key.job_id).run == key.run + 1


def test_a_retry_may_be_put_off(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.FAILED)
    row = conn.execute("SELECT now() + interval '1 day'").fetchone()
    assert row is not None
    job = transitions.retry(conn, OPERATOR, job_id, row[0])
    assert job.scheduled_at == job.next_run_at == row[0]
    assert claimed(conn) == []


def test_a_retry_drops_an_expiry_that_has_passed_and_keeps_one_to_come(conn: Connection) -> None:
    job_id = created(conn)
    pass_expiry(conn, job_id)
    transitions.expire(conn, limit=10)
    assert transitions.retry(conn, OPERATOR, job_id).expires_at is None
    conn.execute("UPDATE jobs SET expires_at = now() + interval '1 day'")
    transitions.cancel(conn, OPERATOR, job_id)
    assert transitions.retry(conn, OPERATOR, job_id).expires_at is not None


def test_a_retry_gives_way_to_another_bearer_of_its_unique_key(conn: Connection) -> None:
    once = replace(JOB, unique_key="once")
    job_id = led_to(conn, JobStatus.FAILED, once)
    created(conn, once)
    before = job_row(conn, job_id)
    with pytest.raises(Conflict):
        transitions.retry(conn, OPERATOR, job_id)
    assert job_row(conn, job_id) == before


def test_cancelling_tells_whether_the_job_ran(conn: Connection) -> None:
    for status, ran in ((JobStatus.PENDING, False), (JobStatus.PICKED, False), (JobStatus.RUNNING, True)):
        job_id = led_to(conn, status, NewJob(task_type="note", task_data={}))
        job = transitions.cancel(conn, OPERATOR, job_id)
        assert job.completed_at is not None
        assert (job.started_at is not None) == ran == bool(records(conn, job_id))
