"""Claims: which jobs, in which order, and never one job twice."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.states import Event, JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection, Database
from scheduler.store.intake import create_jobs
from tests.eventually import eventually
from tests.integration.store.lives import (
    JOB,
    LEASE,
    WORKER,
    claimed,
    claimed_keyed,
    completed,
    created,
    happens,
    job_row,
    keyed,
    lapse,
    pass_expiry,
    started,
)


def waiting(conn: Connection, *, priority: int = 5, seconds: float = 0, key: str | None = None) -> int:
    """A job that has been due for so many seconds."""
    due = datetime.now(UTC) - timedelta(seconds=seconds)
    return created(conn, replace(JOB, priority=priority, scheduled_at=due, concurrency_key=key))


Claimer = Callable[..., list[int]]
either_claim = pytest.mark.parametrize("claims", [claimed, claimed_keyed])


def key_for(claims: Claimer, number: int) -> str | None:
    return f"key {number}" if claims is claimed_keyed else None


# ── which, in which order ───────────────────────────────────────────────────────────────────────────────────────────


@either_claim
@pytest.mark.parametrize(
    ("jobs", "order"),
    [
        ([(5, 10), (5, 30), (5, 20)], [1, 2, 0]),
        ([(9, 10), (1, 10), (5, 10)], [1, 2, 0]),
        ([(1, 10), (2, 60)], [0, 1]),  # waiting has not made up for the step yet
        ([(1, 10), (2, 80)], [1, 0]),  # by now it has
        ([(1, 10), (9, 480)], [0, 1]),
        ([(1, 10), (9, 500)], [1, 0]),
    ],
)
def test_the_first_in_turn_goes_first(
    conn: Connection, claims: Claimer, jobs: list[tuple[int, int]], order: list[int]
) -> None:
    ids = [
        waiting(conn, priority=priority, seconds=seconds, key=key_for(claims, number))
        for number, (priority, seconds) in enumerate(jobs)
    ]
    expected = [ids[place] for place in order]
    assert claims(conn, limit=1) == expected[:1]
    transitions.give_back(conn, expected[:1])
    assert claims(conn, limit=10) == expected


@either_claim
def test_among_equals_the_older_id_goes_first(conn: Connection, claims: Claimer) -> None:
    ids = [created(conn, replace(JOB, concurrency_key=key_for(claims, number))) for number in range(5)]
    conn.execute("UPDATE jobs SET next_run_at = '2020-01-01Z'")
    assert claims(conn, limit=3) == ids[:3]
    assert claims(conn) == ids[3:]


@either_claim
def test_what_is_not_due_here_is_not_claimed(conn: Connection, claims: Claimer) -> None:
    job = replace(JOB, concurrency_key=key_for(claims, 0))
    pass_expiry(conn, created(conn, job))
    created(conn, replace(job, concurrency_key=key_for(claims, 1), delay_seconds=3600))
    created(conn, replace(job, concurrency_key=key_for(claims, 2), queue="other"))
    assert claims(conn) == []
    assert len(claims(conn, queue="other")) == 1


def test_each_claim_takes_its_own_kind(conn: Connection) -> None:
    plain, with_key = created(conn), created(conn, keyed("a"))
    assert claimed(conn) == [plain]
    assert claimed_keyed(conn) == [with_key]


@either_claim
def test_a_claimed_job_is_held_under_a_lease(conn: Connection, claims: Claimer) -> None:
    job_id = created(conn, replace(JOB, concurrency_key=key_for(claims, 0)))
    assert claims(conn) == [job_id]
    row = job_row(conn, job_id)
    assert (row["lease_until"] - row["picked_at"]).total_seconds() == LEASE
    assert claims(conn) == []


def test_a_row_that_someone_holds_is_passed_over(conn: Connection, db: Database) -> None:
    held, free = created(conn), created(conn)
    conn.execute("SET lock_timeout = '5s'")  # whoever waits instead would wait for ever
    with db.connection() as other, other.transaction():
        other.execute("SELECT FROM jobs WHERE id = %s FOR UPDATE", (held,))
        assert claimed(conn) == [free]
    assert claimed(conn) == [held]


# ── concurrency keys ────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_job_of_a_key_at_a_time(conn: Connection) -> None:
    first, second, other = created(conn, keyed("a")), created(conn, keyed("a")), created(conn, keyed("b"))
    assert claimed_keyed(conn) == [first, other]
    assert claimed_keyed(conn) == []
    key = started(conn, first)
    assert claimed_keyed(conn) == []
    assert key is not None
    transitions.complete(conn, [completed(key)])
    assert claimed_keyed(conn) == [second]


@pytest.mark.parametrize("freed_by", [Event.CANCEL, Event.GIVE_BACK, Event.RESCUE])
def test_whatever_ends_the_hold_frees_the_key(conn: Connection, freed_by: Event) -> None:
    first, second = waiting(conn, seconds=10, key="a"), waiting(conn, key="a")
    assert claimed_keyed(conn) == [first]
    if freed_by is Event.RESCUE:
        lapse(conn, first)
    assert happens(conn, freed_by, first)
    assert claimed_keyed(conn) == [second if freed_by is Event.CANCEL else first]


def test_a_key_counts_across_queues_and_not_across_owners(conn: Connection) -> None:
    here = created(conn, keyed("a"))
    there = created(conn, replace(keyed("a"), queue="other"))
    anothers = created(conn, keyed("a"))
    conn.execute("UPDATE jobs SET owner_id = 7 WHERE id = %s", (anothers,))
    assert claimed_keyed(conn) == [here, anothers]
    assert claimed_keyed(conn, queue="other") == []
    transitions.cancel(conn, OPERATOR, here)
    assert claimed_keyed(conn, queue="other") == [there]


def test_the_database_itself_refuses_two_of_a_key(conn: Connection) -> None:
    claims = [created(conn, keyed("a")), created(conn, keyed("a"))]
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        conn.execute(
            "UPDATE jobs SET status = 'picked', picked_at = now(), lease_until = now() WHERE id = ANY (%s)", (claims,)
        )
    assert refused.value.diag.constraint_name == "jobs_concurrency_key"


# ── many at once ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_many_claimers_never_get_the_same_job(database_url: str, conn: Connection) -> None:
    expected = create_jobs(conn, OPERATOR, [replace(JOB, priority=1 + n % 9) for n in range(1000)])
    together = threading.Barrier(8)
    got: list[int] = []

    def claimer() -> None:
        with psycopg.connect(database_url, autocommit=True) as mine:
            together.wait()
            eventually(lambda: (got.extend(claimed(mine, limit=20)), len(got) >= len(expected))[1])

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(claimer) for _ in range(8)]:
            each.result()
    assert sorted(got) == expected


def test_racing_claimers_never_hold_two_jobs_of_a_key(database_url: str, conn: Connection) -> None:
    """Of two queues: there, two claims that look at the same moment find two different jobs of a key."""
    queues = ("a", "b")
    jobs = [replace(keyed(f"key {n // 2 % 10}"), queue=queues[n % 2]) for n in range(200)]
    ids = create_jobs(conn, OPERATOR, jobs)
    keys = {job_id: job.concurrency_key or "" for job_id, job in zip(ids, jobs, strict=True)}
    holds: Counter[str] = Counter()
    most, done = [0], list[int]()
    guard = threading.Lock()
    together = threading.Barrier(4)

    def take_and_finish(mine: Connection, queue: str) -> bool:
        taken = claimed_keyed(mine, queue=queue, limit=4)
        with guard:
            holds.update(keys[job_id] for job_id in taken)
            most[0] = max(most[0], *holds.values(), 0)
        attempts = transitions.start(mine, queue=queue, ids=taken, worker=WORKER, lease_seconds=LEASE)
        assert len(attempts) == len(taken)
        with guard:
            holds.subtract(keys[job_id] for job_id in taken)
        recorded = transitions.complete(mine, [completed(attempt.key) for attempt in attempts])
        done.extend(key.job_id for key in recorded)
        return len(done) >= len(ids)

    def claimer(queue: str) -> None:
        with psycopg.connect(database_url, autocommit=True) as mine:
            together.wait()
            eventually(lambda: take_and_finish(mine, queue), 30)

    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(claimer, queue) for queue in queues * 2]:
            each.result()
    assert most == [1]
    assert sorted(done) == ids
    assert {job_row(conn, job_id)["status"] for job_id in ids} == {JobStatus.COMPLETED}


@pytest.mark.parametrize("change", ["queue = 'mail'", "next_run_at = now() + interval '1 hour'", "expires_at = now()"])
def test_a_job_with_a_key_that_is_being_changed_is_claimed_as_it_is_then(
    conn: Connection, database_url: str, change: LiteralString
) -> None:
    job_id = waiting(conn, key="one")
    with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute(f"UPDATE jobs SET {change} WHERE id = %s", (job_id,))
        claim = pool.submit(claimed_keyed, conn)
        blocked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        eventually(lambda: other.execute(blocked, (conn.info.backend_pid,)).fetchone() == (True,))
        other.commit()
        assert claim.result(10) == []
    assert job_row(conn, job_id)["status"] == "pending"
