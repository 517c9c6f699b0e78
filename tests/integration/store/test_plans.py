"""What the engine's statements read: the work in hand, however many jobs wait for later or have ended."""

from collections.abc import Callable, Generator
from typing import LiteralString

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.job import AttemptKey
from scheduler.domain.states import JobStatus
from scheduler.store import backlog, leases, transitions
from scheduler.store.backlog import FROM_THE_FIRST, start_parameters
from scheduler.store.connection import PLANS_FOR_ANY_SIZE, Connection, Database
from scheduler.store.queues import queue_states, waiting_by_queue
from tests.eventually import eventually
from tests.integration.store.crowds import CROWD, DUE, HELD, crowd_in
from tests.integration.store.lives import (
    AGEING,
    LEASE,
    WORKER,
    claimed,
    claimed_keyed,
    completed,
    created,
    failed,
    led_to,
    started,
)
from tests.integration.store.plans import CALLS, KEPT_MODES, MODES, Plan, plan_of
from tests.servers import Servers, fresh_database

KEYS = 20
EVERYWHERE = [*start_parameters(FROM_THE_FIRST).values()]

each_mode = pytest.mark.parametrize("mode", MODES)
each_kept_mode = pytest.mark.parametrize("mode", KEPT_MODES)


@pytest.fixture(scope="module")
def crowd_url(servers: Servers) -> Generator[str]:
    with fresh_database(servers) as url, psycopg.connect(url, autocommit=True) as conn:
        crowd_in(conn)
        conn.execute("VACUUM (ANALYZE) jobs")
        yield url


@pytest.fixture
def crowd(crowd_url: str) -> Generator[Connection]:
    """A new connection to the crowd, as pickers and executors have it."""
    with psycopg.connect(crowd_url, autocommit=True) as conn:
        conn.execute(PLANS_FOR_ANY_SIZE)
        yield conn


@pytest.fixture
def keyed_crowd(database_url: str) -> Generator[Connection]:
    """A hundred jobs behind each of a few keys."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            """INSERT INTO jobs (task_type, task_data, priority, next_run_at, concurrency_key)
            SELECT 'note', '{}', 1 + n %% 9, now() - n * interval '1 s', n %% %s
            FROM generate_series(1, 100 * %s) AS n""",
            (KEYS, KEYS),
        )
        conn.execute("VACUUM (ANALYZE) jobs")
        yield conn


@pytest.fixture
def held(crowd: Connection) -> list[int]:
    """The running jobs."""
    return [job_id for (job_id,) in crowd.execute("SELECT id FROM jobs WHERE status = 'running' ORDER BY id")]


def keys_of(ids: list[int]) -> list[AttemptKey]:
    return [AttemptKey(job_id, 1) for job_id in ids]


# ── plans ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_kept_mode
@pytest.mark.parametrize("limit", [10, DUE])
def test_a_claim_reads_jobs_that_are_due_alone(crowd: Connection, mode: LiteralString, limit: int) -> None:
    plan = plan_of(
        crowd, lambda: claimed(crowd, limit=limit), [LEASE, False, "default", *EVERYWHERE, 0.0, limit, AGEING], mode
    )
    assert set(plan.scans) == {"jobs_due", "jobs_pkey"}
    found = min(DUE, 9 * limit)  # of each priority as many as might be the first in turn
    assert plan.rows_read == found + limit


@each_mode
def test_a_claim_of_keyed_jobs_reads_nothing_of_others(crowd: Connection, mode: LiteralString) -> None:
    plan = plan_of(crowd, lambda: claimed_keyed(crowd, limit=DUE), ["default", LEASE, False, AGEING, DUE], mode)
    assert set(plan.scans) <= {"jobs_keys", "jobs_due_keyed", "jobs_pkey", "jobs_concurrency_key"}
    assert plan.rows_read == 0


@each_mode
def test_looking_ahead_reads_one_job_a_priority(crowd: Connection, mode: LiteralString) -> None:
    plan = plan_of(crowd, lambda: backlog.upcoming(crowd), [], mode)
    assert set(plan.scans) == {"jobs_due"}
    assert plan.rows_read <= 1 + 9


@each_kept_mode
def test_looking_from_a_place_onwards_reads_one_job_a_priority(crowd: Connection, mode: LiteralString) -> None:
    queues = ["default"] * len(FROM_THE_FIRST)
    call = lambda: backlog.upcoming_from(crowd, {"default": FROM_THE_FIRST})  # noqa: E731
    plan = plan_of(crowd, call, [queues, *EVERYWHERE], mode)
    assert set(plan.scans) == {"jobs_due"}
    assert plan.rows_read <= 9


@each_mode
def test_looking_ahead_reads_an_entry_or_two_a_key(keyed_crowd: Connection, mode: LiteralString) -> None:
    plan = plan_of(keyed_crowd, lambda: backlog.upcoming_keyed(keyed_crowd), [], mode)
    assert set(plan.scans) <= {"jobs_keys", "jobs_concurrency_key"}
    assert plan.rows_read <= KEYS + 1


@pytest.fixture
def aged(database_url: str) -> Generator[Connection]:
    """A table with a past: of twenty jobs one waits."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            """INSERT INTO jobs (task_type, task_data, status, attempt, run, picked_at, started_at, completed_at)
            SELECT 'note', '{}', 'completed', 1, 1, now(), now(), now() FROM generate_series(1, %s)""",
            (2 * CROWD,),
        )
        conn.execute(
            """INSERT INTO jobs (task_type, task_data, priority, next_run_at)
            SELECT 'note', '{}', 1 + n %% 9, now() + n * interval '1 s' FROM generate_series(1, %s) AS n""",
            (CROWD // 10,),
        )
        conn.execute("VACUUM (ANALYZE) jobs")
        yield conn


def reads_pending_jobs_alone(plan: Plan) -> bool:
    indexes = {"jobs_due", "jobs_keys", "jobs_due_keyed", "jobs_leased", "queue_slots_pkey"}
    return set(plan.scans) <= indexes and plan.rows_read <= CROWD // 10


@each_mode
def test_the_states_of_queues_are_counted_from_the_indexes_of_pending_jobs(
    aged: Connection, mode: LiteralString
) -> None:
    plan = plan_of(aged, lambda: queue_states(aged, OPERATOR), [None], mode)
    assert reads_pending_jobs_alone(plan), plan


@each_mode
def test_what_waits_in_queues_is_counted_from_the_indexes_of_pending_jobs(
    aged: Connection, mode: LiteralString
) -> None:
    plan = plan_of(aged, lambda: waiting_by_queue(aged), [], mode)
    assert reads_pending_jobs_alone(plan), plan


@each_mode
def test_what_waits_of_one_account_is_counted_from_its_own_jobs(database_url: str, mode: LiteralString) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            """INSERT INTO jobs (owner_id, task_type, task_data, next_run_at, settled)
            SELECT CASE WHEN n %% 1000 = 0 THEN 7 ELSE 8 END, 'note', '{}', now() + interval '1 h', true
            FROM generate_series(1, %s) AS n""",
            (CROWD // 4,),
        )
        conn.execute("VACUUM (ANALYZE) jobs")
        plan = plan_of(conn, lambda: queue_states(conn, Caller(owner_id=7)), [False, 7, None], mode)
    assert "sequential" not in plan.scans
    assert plan.rows_read <= CROWD // 4 // 1000 + 10


@each_kept_mode
def test_a_start_reads_the_jobs_that_it_names(crowd: Connection, crowd_url: str, mode: LiteralString) -> None:
    with psycopg.connect(crowd_url, autocommit=True) as other:
        ids = claimed(other, limit=HELD)
    call = lambda: transitions.start(crowd, queue="default", ids=ids, worker=WORKER, lease_seconds=LEASE)  # noqa: E731
    plan = plan_of(crowd, call, [WORKER, LEASE, ids, "default"], mode)
    transitions.give_back(crowd, ids)
    assert set(plan.scans) == {"jobs_pkey"}
    assert plan.rows_read == HELD


@each_mode
def test_endings_read_the_jobs_that_they_name(crowd: Connection, held: list[int], mode: LiteralString) -> None:
    each = [held, [1] * HELD, [100] * HELD, [100] * HELD, ["[]"] * HELD]
    outcomes = [completed(key) for key in keys_of(held)]
    plan = plan_of(crowd, lambda: transitions.complete(crowd, outcomes), [*each, ["1"] * HELD], mode)
    assert set(plan.scans) == {"jobs_pkey"}
    assert plan.rows_read == HELD


@pytest.mark.parametrize("settings", ["SET jit = off", PLANS_FOR_ANY_SIZE])
@pytest.mark.parametrize("known", ["VACUUM (ANALYZE) jobs", "ALTER TABLE jobs SET (autovacuum_enabled = false)"])
def test_endings_in_a_small_table_are_not_sought_among_all_its_jobs(
    servers: Servers, settings: LiteralString, known: LiteralString
) -> None:
    """Running jobs are rare to the planner, who would find them by reading all, and compare each with each outcome."""
    with fresh_database(servers) as url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(known)  # before, so that nobody analyzes it; and after, so that it is analyzed
            conn.execute("INSERT INTO jobs (task_type, task_data) SELECT 'note', '{}' FROM generate_series(1, 5000)")
            conn.execute(known)
            ids = claimed(conn, limit=HELD)
            transitions.start(conn, queue="default", ids=ids, worker=WORKER, lease_seconds=LEASE)
        outcomes = [completed(key) for key in keys_of(ids)]
        arguments: list[object] = [ids, [1] * HELD, [100] * HELD, [100] * HELD, ["[]"] * HELD, ["1"] * HELD]
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(settings)
            plan = plan_of(conn, lambda: transitions.complete(conn, outcomes), arguments, MODES[0])
    assert set(plan.scans) == {"jobs_pkey"}
    assert (plan.rows_read, plan.compared_in_vain) == (HELD, 0)


@each_mode
def test_failures_read_the_jobs_that_they_name(crowd: Connection, held: list[int], mode: LiteralString) -> None:
    each = [held, [1] * HELD, [100] * HELD, [100] * HELD, ["[]"] * HELD]
    failures = [failed(key) for key in keys_of(held)]
    arguments: list[object] = [*each, ["failed"] * HELD, ["{}"] * HELD, [None] * HELD]
    plan = plan_of(crowd, lambda: transitions.fail(crowd, failures), arguments, mode)
    assert set(plan.scans) == {"jobs_pkey"}
    assert plan.rows_read == 2 * HELD  # to lock them, and to move them
    assert plan.compared_in_vain == 0


@each_mode
def test_extending_reads_the_jobs_that_it_names(crowd: Connection, held: list[int], mode: LiteralString) -> None:
    call = lambda: leases.extend(crowd, keys_of(held), lease_seconds=LEASE)  # noqa: E731
    plan = plan_of(crowd, call, [held, [1] * HELD, LEASE], mode)
    assert set(plan.scans) == {"jobs_pkey"}
    assert plan.rows_read == 3 * HELD
    assert plan.compared_in_vain == 0


@each_mode
def test_a_rescue_of_nobody_reads_nothing(crowd: Connection, mode: LiteralString) -> None:
    call = lambda: transitions.rescue(crowd, limit=DUE, lease_seconds=0.0)  # noqa: E731
    plan = plan_of(crowd, call, [True, 0.0, False, DUE], mode)
    assert set(plan.scans) <= {"jobs_leased", "jobs_pkey"}
    assert plan.scans["jobs_leased"]
    assert plan.rows_read == 0


@each_mode
def test_when_nothing_expires_nothing_is_read(crowd: Connection, mode: LiteralString) -> None:
    plan = plan_of(crowd, lambda: transitions.expire(crowd, limit=DUE), [DUE], mode)
    assert set(plan.scans) <= {"jobs_expiring", "jobs_pkey"}
    assert plan.rows_read == 0


# ── a table that grew ───────────────────────────────────────────────────────────────────────────────────────────────


def test_daemons_that_started_on_a_small_table_do_well_on_a_large_one(servers: Servers) -> None:
    """A plan that reads the whole of a small table must not be kept when the table has grown: autovacuum, which
    would bring it down, comes by once a minute."""
    with fresh_database(servers) as url, psycopg.connect(url, autocommit=True) as admin:
        admin.execute("ALTER TABLE jobs SET (autovacuum_enabled = false)")
        for _ in range(50):
            led_to(admin, JobStatus.COMPLETED)
        admin.execute("VACUUM (ANALYZE) jobs")
        database = Database(url, name="test", keeps_plans=True)
        with database.connection() as conn:
            for statement in engines_statements(conn, []).values():
                for _ in range(CALLS):
                    statement()
            held = crowd_in(admin)
            read = {name: rows_scanned_by(conn, each) for name, each in engines_statements(conn, held).items()}
        database.close()
    assert read == dict.fromkeys(read, 0)


def engines_statements(conn: Connection, ids: list[int]) -> dict[str, Callable[[], object]]:
    keys = keys_of(ids or [1])
    return {
        "claim": lambda: claimed(conn),
        "claim_keyed": lambda: claimed_keyed(conn),
        "upcoming": lambda: backlog.upcoming(conn),
        "upcoming_from": lambda: backlog.upcoming_from(conn, {"default": FROM_THE_FIRST}),
        "start": lambda: transitions.start(conn, queue="default", ids=ids, worker=WORKER, lease_seconds=LEASE),
        "complete": lambda: transitions.complete(conn, [completed(key) for key in keys[:10]]),
        "retry_later": lambda: transitions.retry_later(conn, [failed(key, retry_in=1) for key in keys[10:20]]),
        "fail": lambda: transitions.fail(conn, [failed(key) for key in keys[20:30]]),
        "extend": lambda: leases.extend(conn, keys, lease_seconds=LEASE),
        "rescue": lambda: transitions.rescue(conn, limit=DUE, lease_seconds=0.0),
        "bury": lambda: transitions.bury(conn, limit=DUE, lease_seconds=0.0),
        "expire": lambda: transitions.expire(conn, limit=DUE),
    }


def rows_scanned_by(conn: Connection, statement: Callable[[], object]) -> int:
    """Rows of `jobs` that a statement reads without an index."""
    with conn.transaction():
        before = rows_scanned(conn)
        statement()
        return rows_scanned(conn) - before


def rows_scanned(conn: Connection) -> int:
    row = conn.execute("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'jobs'").fetchone()
    assert row is not None
    return row[0]


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_start_touches_no_index(conn: Connection) -> None:
    created(conn)
    (job_id,) = claimed(conn)
    before = updates(conn)
    started(conn, job_id)
    eventually(lambda: updates(conn)[0] == before[0] + 1)
    assert updates(conn)[1] == before[1] + 1


def updates(conn: Connection) -> tuple[int, int]:
    """Updates of jobs so far, and how many of them were HOT."""
    conn.execute("SELECT pg_stat_force_next_flush()")
    row = conn.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'jobs'").fetchone()
    assert row is not None
    return row[0], row[1]
