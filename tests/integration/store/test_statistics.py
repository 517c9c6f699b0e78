"""Statistics: added up in the background or not yet, they say the same."""

import math
from datetime import timedelta

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.states import JobStatus
from scheduler.domain.statistics import Performance, bucket_ms
from scheduler.store.connection import Connection
from scheduler.store.rollup import forget_slots, roll_up
from scheduler.store.statistics import recent_performance
from tests.eventually import eventually
from tests.integration.store.lives import led_to

RECORD = """
    WITH job AS (
        INSERT INTO jobs (owner_id, task_type, task_data, status, attempt, run, next_run_at, picked_at, started_at,
                          completed_at, worker, error)
        SELECT %(owner)s, 'note', '{}', CASE %(status)s WHEN 'completed' THEN 'completed' ELSE 'failed' END::job_status,
               1, 1, started - %(wait_ms)s * interval '1 ms', started, started, started, 'w',
               CASE WHEN %(status)s <> 'completed' THEN '{}'::jsonb END
        FROM (SELECT now() - %(age)s - %(duration_ms)s * interval '1 ms' AS started) AS each
        RETURNING *
    )
    INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error)
    SELECT id, 1, 1, %(status)s::execution_status, started_at, started_at + %(duration_ms)s * interval '1 ms',
           %(duration_ms)s, 'w', error FROM job"""


@pytest.fixture(autouse=True)
def nothing_added_up(conn: Connection) -> None:
    conn.execute("DELETE FROM attempt_slots")
    conn.execute("UPDATE rollup SET through = 0, next_through = 0, next_is_whole_at = '0'")
    conn.execute("ALTER TABLE executions ALTER COLUMN id RESTART")


def record(
    conn: Connection,
    *,
    status: str = "completed",
    age: timedelta = timedelta(),
    wait_ms: float = 1.0,
    duration_ms: float = 1.0,
    owner: int = 0,
) -> None:
    parameters = {"status": status, "age": age, "wait_ms": wait_ms, "duration_ms": duration_ms, "owner": owner}
    conn.execute(RECORD, parameters)


def added_up(conn: Connection, batch: int = 1000) -> None:
    """Until nothing is left, which waits for every transaction that is open meanwhile: those of other tests, too."""

    def nothing_is_left() -> bool:
        while roll_up(conn, batch=batch):
            pass
        row = conn.execute("SELECT through = (SELECT max(id) FROM executions) FROM rollup").fetchone()
        return row == (True,)

    eventually(nothing_is_left, 60)


def read(conn: Connection, hours: int = 24, caller: Caller = OPERATOR) -> Performance:
    return recent_performance(conn, caller, timedelta(hours=hours))


def test_nothing_to_tell(conn: Connection) -> None:
    told = read(conn)
    assert (told.throughput_per_minute, told.success_rate) == (0, None)
    assert (told.duration_ms.p50, told.queue_wait_ms.p99) == (None, None)
    assert len(told.timeline) in {24, 25}


def test_the_same_whether_added_up_or_not(conn: Connection) -> None:
    for n in range(200):
        record(
            conn,
            wait_ms=n,
            duration_ms=10 * n + 1,
            status="failed" if n % 10 == 0 else "completed",
            age=timedelta(minutes=7 * n),
        )
    before = read(conn)
    roll_up(conn)
    assert eventually(lambda: roll_up(conn, batch=70), 60)
    between = read(conn)
    added_up(conn, batch=30)
    assert conn.execute("SELECT through FROM rollup").fetchone() == (200,)
    after = read(conn)
    for told in (between, after):
        assert told.timeline == before.timeline
        assert (told.duration_ms, told.queue_wait_ms, told.success_rate) == (
            before.duration_ms,
            before.queue_wait_ms,
            before.success_rate,
        )
    assert sum(moment.completed for moment in after.timeline) == 180
    assert sum(moment.failed for moment in after.timeline) == 20
    assert after.success_rate == 0.9
    assert after.throughput_per_minute == pytest.approx(180 / (24.5 * 60), rel=0.03)
    for share, value in ((0.5, after.duration_ms.p50), (0.95, after.duration_ms.p95), (0.99, after.duration_ms.p99)):
        assert value == pytest.approx(10 * (math.ceil(200 * share) - 1) + 1, rel=0.05)
    assert after.queue_wait_ms.p50 == pytest.approx(99, rel=0.05)


def test_each_attempt_is_added_up_once(conn: Connection) -> None:
    for _ in range(3):
        record(conn)
        added_up(conn)
    assert conn.execute("SELECT sum(attempts) FROM attempt_slots WHERE measure = 'duration'").fetchone() == (3,)


def test_a_late_commit_is_waited_for(conn: Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as late:
        late.execute(RECORD, {"status": "completed", "age": timedelta(), "wait_ms": 1, "duration_ms": 1, "owner": 0})
        record(conn)
        for _ in range(3):
            assert not roll_up(conn)
        assert conn.execute("SELECT through FROM rollup").fetchone() == (0,)
        late.commit()
    added_up(conn)
    assert conn.execute("SELECT through FROM rollup").fetchone() == (2,)
    assert sum(moment.completed for moment in read(conn).timeline) == 2


def test_what_ended_before_the_window_is_not_told(conn: Connection) -> None:
    record(conn, age=timedelta(hours=3))
    record(conn, age=timedelta(minutes=1))
    assert sum(moment.completed for moment in read(conn, hours=1).timeline) == 1
    added_up(conn)
    assert sum(moment.completed for moment in read(conn, hours=1).timeline) == 1
    assert sum(moment.completed for moment in read(conn, hours=24).timeline) == 2


def test_callers_see_their_own(conn: Connection) -> None:
    record(conn, owner=1)
    added_up(conn)
    record(conn, owner=1)
    assert sum(moment.completed for moment in read(conn, caller=Caller(owner_id=1)).timeline) == 2
    assert sum(moment.completed for moment in read(conn, caller=Caller(owner_id=2)).timeline) == 0


def test_old_slots_are_forgotten(conn: Connection) -> None:
    record(conn, age=timedelta(hours=30))
    record(conn)
    added_up(conn)
    forget_slots(conn, hours=29)
    assert conn.execute("SELECT count(DISTINCT slot) FROM attempt_slots").fetchone() == (1,)


def test_a_real_attempt_is_told(conn: Connection) -> None:
    led_to(conn, JobStatus.COMPLETED)
    told = read(conn)
    assert told.success_rate == 1
    assert told.duration_ms.p50 == pytest.approx(250, rel=0.05)
    assert told.queue_wait_ms.p50 is not None


def test_a_bucket_s_middle_is_within_five_percent() -> None:
    for ms in (0.02, 1.0, 7.3, 1000.0, 86_400_000.0):
        assert bucket_ms(math.floor(8 * math.log2(ms))) == pytest.approx(ms, rel=0.05)


def test_what_was_to_be_added_up_when_a_backup_was_made_is_added_up_where_it_is_restored(conn: Connection) -> None:
    """Another server counts its transactions from another number."""
    record(conn)
    assert not roll_up(conn)
    conn.execute("UPDATE rollup SET next_is_whole_at = '1000000000000'")
    added_up(conn)
    assert conn.execute("SELECT through = next_through AND through > 0 FROM rollup").fetchone() == (True,)
