"""How jobs come in: what is kept of them, and what a unique_key is good for."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import Conflict
from scheduler.domain.job import Job, NewJob
from scheduler.domain.retry import Backoff, RetryPolicy
from scheduler.domain.states import JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection
from scheduler.store.intake import create_job, create_jobs
from scheduler.store.rows import JOB_COLUMNS, job_from_row
from tests.integration.store.lives import JOB, created, job_row, led_to

T = TypeVar("T")
ONCE = replace(JOB, unique_key="once")
ALICE, BOB = Caller(owner_id=1), Caller(owner_id=2)
FULL = NewJob(
    task_type="api",
    task_data={"url": "http://example.com", "json": {"n": [1, 2.5, None, True, "ü 漢 \\ \t\n"]}},
    name="name\twith\na \\N in it",
    description='"quoted"',
    queue="mail",
    priority=2,
    scheduled_at=datetime(2030, 1, 2, 3, 4, 5, 678901, UTC),
    max_attempts=7,
    timeout_seconds=1.25,
    retry=RetryPolicy(Backoff.LINEAR, 1.5, 99.5, jitter=False),
    unique_key="unique",
    concurrency_key="key",
    expires_at=datetime(2031, 1, 1, tzinfo=UTC),
    schedule_id=11,
    template_id=12,
    duplicated_from=13,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def all_jobs(conn: Connection) -> list[Job]:
    return [job_from_row(row) for row in conn.execute(f"SELECT {JOB_COLUMNS} FROM jobs ORDER BY id")]


def by_one(conn: Connection, caller: Caller, jobs: list[NewJob]) -> list[int]:
    return [create_job(conn, caller, new)[0].id for new in jobs]


either_way = pytest.mark.parametrize("create", [by_one, create_jobs])
Create = Callable[[Connection, Caller, list[NewJob]], list[int]]


@either_way
def test_everything_asked_for_is_kept(conn: Connection, create: Create) -> None:
    (job_id,) = create(conn, ALICE, [FULL])
    (job,) = all_jobs(conn)
    for field in set(FULL.__dataclass_fields__) - {"delay_seconds", "traceparent"}:
        assert getattr(job, field) == getattr(FULL, field), field
    assert (job.id, job.owner_id, job.status, job.attempt) == (job_id, ALICE.owner_id, JobStatus.PENDING, 0)
    assert job.next_run_at == job.scheduled_at
    assert conn.execute("SELECT traceparent FROM jobs").fetchone() == (FULL.traceparent,)


@either_way
@pytest.mark.parametrize("delay", [0, 90.5])
def test_a_delay_counts_from_the_databases_now(conn: Connection, create: Create, delay: float) -> None:
    create(conn, OPERATOR, [replace(JOB, delay_seconds=delay)])
    (job,) = all_jobs(conn)
    assert job.scheduled_at - job.created_at == timedelta(seconds=delay)
    assert job.next_run_at == job.scheduled_at


def test_a_created_job_is_answered_as_it_stands(conn: Connection) -> None:
    job, is_new = create_job(conn, ALICE, FULL)
    assert is_new
    assert [job] == all_jobs(conn)


# ── unique_key ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", JobStatus)
def test_a_unique_key_is_borne_until_its_job_has_ended(conn: Connection, status: JobStatus) -> None:
    bearer = led_to(conn, status, ONCE)
    job, is_new = create_job(conn, OPERATOR, ONCE)
    has_ended = status in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
    assert is_new == has_ended == (job.id != bearer)


def test_each_owner_has_keys_of_their_own(conn: Connection) -> None:
    assert create_job(conn, ALICE, ONCE)[1]
    assert create_job(conn, BOB, ONCE)[1]
    assert not create_job(conn, ALICE, ONCE)[1]


def test_a_bearer_is_answered_and_left_as_it_was(conn: Connection) -> None:
    job_id = created(conn, ONCE)
    before = job_row(conn, job_id)
    job, _ = create_job(conn, OPERATOR, replace(ONCE, name="another", priority=1))
    assert job.name is None
    assert job_row(conn, job_id) == before


def at_once(url: str, count: int, act: Callable[[Connection], T]) -> list[T]:
    """What `count` callers get, each on its own connection, that all act at one moment."""
    together = threading.Barrier(count)

    def caller() -> T:
        with psycopg.connect(url, autocommit=True) as conn:
            together.wait()
            return act(conn)

    with ThreadPoolExecutor(count) as threads:
        return [each.result() for each in [threads.submit(caller) for _ in range(count)]]


def test_of_many_at_once_one_is_created_and_all_get_it(database_url: str, conn: Connection) -> None:
    answers = at_once(database_url, 20, lambda mine: create_job(mine, OPERATOR, ONCE))
    assert sum(is_new for _, is_new in answers) == 1
    assert {job.id for job, _ in answers} == {job.id for job in all_jobs(conn)}
    assert len(all_jobs(conn)) == 1


def test_a_key_may_change_hands_while_many_ask_for_it(database_url: str, conn: Connection) -> None:
    """Each caller gets a job though bearers end all the time: also between its insert and its look at the bearer."""

    def create_and_end(mine: Connection) -> int:
        news = 0
        for _ in range(15):
            job, is_new = create_job(mine, OPERATOR, ONCE)
            if is_new:
                news += 1
                transitions.cancel(mine, OPERATOR, job.id)
        return news

    news = sum(at_once(database_url, 6, create_and_end))
    jobs = all_jobs(conn)
    assert len(jobs) == news
    assert {job.status for job in jobs} == {JobStatus.CANCELLED}


# ── many ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_come_in_the_order_given(conn: Connection) -> None:
    ids = create_jobs(conn, OPERATOR, [replace(JOB, name=str(n)) for n in range(500)])
    names = {job.id: job.name for job in all_jobs(conn)}
    assert [names[job_id] for job_id in ids] == [str(n) for n in range(500)]
    assert created(conn) not in ids


def test_none_are_none(conn: Connection) -> None:
    assert create_jobs(conn, OPERATOR, []) == []


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (ONCE, Conflict),
        (replace(JOB, unique_key="twice"), Conflict),
        (replace(JOB, priority=10), psycopg.errors.CheckViolation),
        (replace(JOB, max_attempts=0), psycopg.errors.CheckViolation),
    ],
    ids=["borne already", "borne twice among them", "priority", "max_attempts"],
)
def test_all_or_none(conn: Connection, bad: NewJob, error: type[Exception]) -> None:
    bearer = created(conn, ONCE)
    with pytest.raises(error):
        create_jobs(conn, OPERATOR, [JOB, replace(JOB, unique_key="twice"), JOB, bad])
    assert [job.id for job in all_jobs(conn)] == [bearer]
    assert len(create_jobs(conn, OPERATOR, [JOB, JOB])) == 2  # the connection is fit for use
