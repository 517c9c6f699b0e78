"""Jobs led into each state through real transitions, and rows as they stand."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from psycopg.rows import dict_row

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import Conflict
from scheduler.domain.job import AttemptKey, Completed, Failed, Job, NewJob
from scheduler.domain.states import Event, ExecutionStatus, JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection
from scheduler.store.intake import create_job

LEASE = 30.0
AGEING = 60.0
WORKER = "host.1.abc"
JOB = NewJob(task_type="note", task_data={"text": "hello"})

ROUTES: dict[JobStatus, tuple[Event, ...]] = {
    JobStatus.PENDING: (),
    JobStatus.PICKED: (Event.CLAIM,),
    JobStatus.RUNNING: (Event.CLAIM, Event.START),
    JobStatus.COMPLETED: (Event.CLAIM, Event.START, Event.COMPLETE),
    JobStatus.FAILED: (Event.CLAIM, Event.START, Event.FAIL),
    JobStatus.CANCELLED: (Event.CLAIM, Event.START, Event.CANCEL),
}

Row = dict[str, Any]


def created(conn: Connection, new: NewJob = JOB) -> int:
    """A new pending job."""
    job, is_new = create_job(conn, OPERATOR, new)
    assert is_new
    return job.id


def led_to(conn: Connection, status: JobStatus, new: NewJob = JOB) -> int:
    """A new job, led to this state; it must be the only one that is due."""
    job_id = created(conn, new)
    for event in ROUTES[status]:
        assert happens(conn, event, job_id), event
    assert job_row(conn, job_id)["status"] == status
    return job_id


def happens(conn: Connection, event: Event, job_id: int) -> bool:
    """Let this happen to the job as it stands now; whether the function says that it did."""
    return _HAPPENINGS[event](conn, job_id)


def _rescued(conn: Connection, job_id: int) -> bool:
    rescued = transitions.rescue(conn, limit=10, lease_seconds=0)
    return [*rescued.picked, *rescued.lost] == [job_id]


def _moved_by_user(move: Callable[[Connection, Caller, int], Job], conn: Connection, job_id: int) -> bool:
    try:
        return move(conn, OPERATOR, job_id).id == job_id
    except Conflict as refused:
        return refused.current_status != job_row(conn, job_id)["status"]  # a refusal has to name it


_HAPPENINGS: dict[Event, Callable[[Connection, int], bool]] = {
    Event.CLAIM: lambda conn, job_id: claimed(conn) == [job_id],
    Event.START: lambda conn, job_id: started(conn, job_id) is not None,
    Event.COMPLETE: lambda conn, job_id: bool(transitions.complete(conn, [completed(key_of(conn, job_id))])),
    Event.RETRY_LATER: lambda conn, job_id: bool(
        transitions.retry_later(conn, [failed(key_of(conn, job_id), retry_in=0.0)])
    ),
    Event.FAIL: lambda conn, job_id: bool(transitions.fail(conn, [failed(key_of(conn, job_id))])),
    Event.GIVE_BACK: lambda conn, job_id: transitions.give_back(conn, [job_id]) == 1,
    Event.RESCUE: _rescued,
    Event.BURY: lambda conn, job_id: transitions.bury(conn, limit=10, lease_seconds=0) == [job_id],
    Event.EXPIRE: lambda conn, job_id: transitions.expire(conn, limit=10) == [job_id],
    Event.CANCEL: lambda conn, job_id: _moved_by_user(transitions.cancel, conn, job_id),
    Event.RETRY: lambda conn, job_id: _moved_by_user(transitions.retry, conn, job_id),
}


def claimed(conn: Connection, *, queue: str = "default", limit: int = 10) -> list[int]:
    jobs = transitions.claim(conn, queue=queue, limit=limit, lease_seconds=LEASE, ageing_seconds=AGEING)
    return [job.id for job in jobs]


def claimed_keyed(conn: Connection, *, queue: str = "default", limit: int = 10) -> list[int]:
    jobs = transitions.claim_keyed(conn, queue=queue, limit=limit, lease_seconds=LEASE, ageing_seconds=AGEING)
    return [job.id for job in jobs]


def started(conn: Connection, job_id: int) -> AttemptKey | None:
    attempts = transitions.start(conn, queue="default", ids=[job_id], worker=WORKER, lease_seconds=LEASE)
    return attempts[0].key if attempts else None


def begun(conn: Connection, new: NewJob = JOB) -> AttemptKey:
    """A new job that runs."""
    return key_of(conn, led_to(conn, JobStatus.RUNNING, new))


def begun_again(conn: Connection, job_id: int) -> AttemptKey:
    """The next attempt at a pending job."""
    assert claimed(conn) == [job_id]
    key = started(conn, job_id)
    assert key is not None
    return key


def completed(key: AttemptKey, *, result: str | None = '{"n": 1}', age: float = 0.0) -> Completed:
    """An attempt that returned `age` seconds ago."""
    finished = time.monotonic() - age
    return Completed(key=key, duration_seconds=0.25, finished=finished, logs=("one", "two"), result=result)


def failed(
    key: AttemptKey,
    *,
    status: ExecutionStatus = ExecutionStatus.FAILED,
    retry_in: float | None = None,
    age: float = 0.0,
) -> Failed:
    """An attempt that failed `age` seconds ago."""
    return Failed(
        key=key,
        duration_seconds=0.25,
        finished=time.monotonic() - age,
        logs=("one", "two"),
        status=status,
        error={"type": "ValueError", "message": "no"},
        retry_in=retry_in,
    )


def key_of(conn: Connection, job_id: int) -> AttemptKey:
    """The fence of the attempt that the job is at, or was at last."""
    return AttemptKey(job_id, job_row(conn, job_id)["run"])


def lapse(conn: Connection, job_id: int) -> None:
    """Let the lease run out, if there is one."""
    conn.execute(
        "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = %s AND lease_until IS NOT NULL", (job_id,)
    )


def pass_expiry(conn: Connection, job_id: int) -> None:
    """Let `expires_at` pass."""
    conn.execute("UPDATE jobs SET expires_at = now() - interval '1 s' WHERE id = %s", (job_id,))


def job_row(conn: Connection, job_id: int) -> Row:
    """The job, column by column."""
    row = conn.cursor(row_factory=dict_row).execute("SELECT * FROM jobs WHERE id = %s", (job_id,)).fetchone()
    assert row is not None
    return row


def records(conn: Connection, job_id: int) -> list[Row]:
    """The job's executions, oldest first."""
    cursor = conn.cursor(row_factory=dict_row)
    return cursor.execute("SELECT * FROM executions WHERE job_id = %s ORDER BY id", (job_id,)).fetchall()


def keyed(key: str) -> NewJob:
    return replace(JOB, concurrency_key=key)
