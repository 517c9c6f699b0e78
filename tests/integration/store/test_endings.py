"""The end of an attempt: its job moves and its record is written, in one statement or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from psycopg import errors

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import AttemptKey, Failed
from scheduler.domain.states import ExecutionStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection
from tests.integration.store.lives import JOB, WORKER, Row, begun, completed, failed, job_row, lapse, records


@dataclass(frozen=True)
class Ending:
    """One way for an attempt to end, and what it leaves on the record and on the job."""

    happen: Callable[[Connection, AttemptKey], object]
    record: str
    job: str
    error: str | None
    max_attempts: int = 3
    logs: tuple[str, ...] = ("one", "two")


def error_type(row: Row) -> str | None:
    return row["error"]["type"] if row["error"] else None


def _timed_out(key: AttemptKey, retry_in: float | None) -> Failed:
    return failed(key, status=ExecutionStatus.TIMED_OUT, retry_in=retry_in)


def _rescued(conn: Connection, key: AttemptKey) -> object:
    lapse(conn, key.job_id)
    return transitions.rescue(conn, limit=10, lease_seconds=0)


def _buried(conn: Connection, key: AttemptKey) -> object:
    lapse(conn, key.job_id)
    return transitions.bury(conn, limit=10, lease_seconds=0)


ENDINGS = {
    "completed": Ending(lambda c, k: transitions.complete(c, [completed(k)]), "completed", "completed", None),
    "failed for now": Ending(
        lambda c, k: transitions.retry_later(c, [failed(k, retry_in=5)]), "failed", "pending", "ValueError"
    ),
    "failed for good": Ending(lambda c, k: transitions.fail(c, [failed(k)]), "failed", "failed", "ValueError"),
    "timed out for now": Ending(
        lambda c, k: transitions.retry_later(c, [_timed_out(k, 5)]), "timed_out", "pending", "ValueError"
    ),
    "timed out for good": Ending(
        lambda c, k: transitions.fail(c, [_timed_out(k, None)]), "timed_out", "failed", "ValueError"
    ),
    "cancelled": Ending(
        lambda c, k: transitions.cancel(c, OPERATOR, k.job_id), "cancelled", "cancelled", "cancelled", logs=()
    ),
    "lost": Ending(_rescued, "lost", "pending", "lost", logs=()),
    "lost for good": Ending(_buried, "lost", "failed", "lost", max_attempts=1, logs=()),
}
each_ending = pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())


@each_ending
def test_an_attempt_that_ends_leaves_one_record(conn: Connection, ending: Ending) -> None:
    key = begun(conn, replace(JOB, max_attempts=ending.max_attempts))
    started_at = job_row(conn, key.job_id)["started_at"]

    ending.happen(conn, key)

    (record,) = records(conn, key.job_id)
    assert (record["status"], record["run"], record["attempt"], record["worker"]) == (ending.record, key.run, 1, WORKER)
    assert error_type(record) == ending.error
    assert tuple(record["logs"]) == ending.logs
    assert record["started_at"] == started_at <= record["finished_at"]
    assert record["result"] == ({"n": 1} if ending.record == "completed" else None)
    if ending.logs:  # its executor told how long it took
        assert record["duration_ms"] == 250
    else:
        taken = record["finished_at"] - started_at
        assert record["duration_ms"] == pytest.approx(taken.total_seconds() * 1000)


@each_ending
def test_and_its_job_moves(conn: Connection, ending: Ending) -> None:
    key = begun(conn, replace(JOB, max_attempts=ending.max_attempts))
    ending.happen(conn, key)
    row = job_row(conn, key.job_id)
    assert (row["status"], row["attempt"], row["run"]) == (ending.job, 1, key.run)
    assert row["lease_until"] is None
    assert row["result"] == ({"n": 1} if ending.job == "completed" else None)
    if ending.job == "pending":
        assert (row["picked_at"], row["started_at"], row["worker"]) == (None, None, None)
    else:
        assert row["completed_at"] == records(conn, key.job_id)[0]["finished_at"]
    if ending.job != "cancelled":  # nothing went wrong there: the record tells of the attempt
        assert error_type(row) == ending.error


@each_ending
def test_a_record_that_cannot_be_written_keeps_the_job_where_it_is(conn: Connection, ending: Ending) -> None:
    """In autocommit: were these two statements, the job would have moved."""
    key = begun(conn, replace(JOB, max_attempts=ending.max_attempts))
    conn.execute(
        """INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker)
        VALUES (%s, %s, 1, 'completed', now(), now(), 1, 'somebody else')""",
        (key.job_id, key.run),
    )
    with pytest.raises(errors.UniqueViolation):
        ending.happen(conn, key)
    assert job_row(conn, key.job_id)["status"] == "running"
    assert len(records(conn, key.job_id)) == 1


def test_a_group_is_written_at_once_and_a_stale_one_keeps_nobody_back(conn: Connection) -> None:
    keys = [begun(conn) for _ in range(3)]
    stale = AttemptKey(keys[1].job_id, 99)
    answer = transitions.complete(conn, [completed(keys[0]), completed(stale), completed(keys[2], result=None)])
    assert answer == {keys[0], keys[2]}
    assert [job_row(conn, key.job_id)["status"] for key in keys] == ["completed", "running", "completed"]
    assert job_row(conn, keys[2].job_id)["result"] is None


def test_each_of_a_group_gets_its_own(conn: Connection) -> None:
    keys = [begun(conn) for _ in range(3)]
    transitions.complete(conn, [completed(key, result=str(key.job_id)) for key in reversed(keys)])
    assert [job_row(conn, key.job_id)["result"] for key in keys] == [key.job_id for key in keys]
    assert [records(conn, key.job_id)[0]["result"] for key in keys] == [key.job_id for key in keys]


@pytest.mark.parametrize("name", ["completed", "failed for good"])
def test_a_result_that_waited_for_the_database_is_dated_back(conn: Connection, name: str) -> None:
    key = begun(conn)
    conn.execute("UPDATE jobs SET started_at = now() - interval '1 hour'")
    if name == "completed":
        transitions.complete(conn, [completed(key, age=600)])
    else:
        transitions.fail(conn, [failed(key, age=600)])
    row = job_row(conn, key.job_id)
    waited = (row["updated_at"] - row["completed_at"]).total_seconds()
    assert 600 <= waited < 3600
    assert records(conn, key.job_id)[0]["finished_at"] == row["completed_at"]


def test_a_result_is_never_dated_before_its_start(conn: Connection) -> None:
    key = begun(conn)
    transitions.complete(conn, [completed(key, age=86_400)])
    row = job_row(conn, key.job_id)
    assert row["completed_at"] == row["started_at"]


def test_a_retry_waits_from_now_however_late_the_failure_was_written(conn: Connection) -> None:
    key = begun(conn)
    transitions.retry_later(conn, [failed(key, retry_in=60, age=600)])
    row = job_row(conn, key.job_id)
    assert (row["next_run_at"] - row["updated_at"]).total_seconds() == 60


def test_success_after_a_failure_shows_no_error(conn: Connection) -> None:
    key = begun(conn)
    conn.execute("""UPDATE jobs SET error = '{"type": "earlier"}'""")
    assert transitions.complete(conn, [completed(key)]) == {key}
    assert job_row(conn, key.job_id)["error"] is None


def test_a_rescued_claim_keeps_the_error_of_the_attempt_before(conn: Connection) -> None:
    key = begun(conn)
    transitions.retry_later(conn, [failed(key, retry_in=0)])
    transitions.claim(conn, queue="default", limit=1, lease_seconds=30, ageing_seconds=60)
    lapse(conn, key.job_id)
    assert transitions.rescue(conn, limit=1, lease_seconds=0).picked == [key.job_id]
    assert job_row(conn, key.job_id)["error"] == {"type": "ValueError", "message": "no"}
