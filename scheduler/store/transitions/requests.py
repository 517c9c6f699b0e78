"""What users do to a job that is there: cancel it, or send it round again."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from psycopg import errors

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, IllegalTransition, NotFound
from scheduler.domain.job import Job
from scheduler.domain.states import Event, JobStatus
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.rows import JOB_COLUMNS, job_from_row

KEY_HAS_PASSED: Final = "Another unfinished job bears this job's unique_key by now: wait for it, or cancel it."

_CANCELLING: Final = """
        UPDATE jobs SET status = 'cancelled', completed_at = greatest(started_at, now()), updated_at = now(),
                        lease_until = NULL
        WHERE status IN ('pending', 'picked', 'running') AND (%(sees_all)s OR owner_id = %(owner_id)s)"""

_RECORDING: Final = """
        INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error)
        SELECT id, run, attempt, 'cancelled', started_at, completed_at,
               extract(epoch FROM completed_at - started_at) * 1000, worker,
               jsonb_build_object('type', 'cancelled', 'message', 'A user cancelled the job while it ran.')
        FROM moved WHERE started_at IS NOT NULL  -- only a running job has it: going back to pending clears it"""

_CANCEL: Final = f"""
    WITH moved AS ({_CANCELLING} AND id = %(id)s
        RETURNING *
    ), recorded AS ({_RECORDING}
    )
    SELECT {JOB_COLUMNS} FROM moved"""


def cancel(conn: Connection, caller: Caller, job_id: int) -> Job:
    """Cancel an unfinished job; one that ran has `started_at`. Raises NotFound, Conflict when it has ended."""
    if row := fetch_one(conn, _CANCEL, {"id": job_id, "sees_all": caller.sees_all, "owner_id": caller.owner_id}):
        return job_from_row(row)
    raise _refusal(conn, caller, job_id, Event.CANCEL)


_CANCEL_FREE: Final = f"""
    WITH moved AS ({_CANCELLING} AND id = ANY (ARRAY(
            SELECT id FROM jobs WHERE id = ANY (%(ids)s) FOR UPDATE SKIP LOCKED))
        RETURNING *
    ), recorded AS ({_RECORDING}
    )
    SELECT id, started_at IS NOT NULL FROM moved"""


def cancel_free(conn: Connection, caller: Caller, ids: Sequence[int]) -> dict[int, bool]:
    """Cancel those of these unfinished jobs that nobody is writing to just now; each with whether it ran.

    To wait for the others while holding these could lock up with executors, which write many rows at once, too.
    """
    parameters = {"ids": list(ids), "sees_all": caller.sees_all, "owner_id": caller.owner_id}
    return dict(fetch_all(conn, _CANCEL_FREE, parameters))


_RETRYING: Final = """
    UPDATE jobs
    SET status = 'pending', attempt = 0, next_run_at = due, scheduled_at = coalesce(%(scheduled_at)s, scheduled_at),
        expires_at = CASE WHEN expires_at > due THEN expires_at END, updated_at = now(),
        picked_at = NULL, started_at = NULL, completed_at = NULL, worker = NULL, error = NULL, progress = NULL
    FROM (SELECT coalesce(%(scheduled_at)s::timestamptz, now())) AS t(due)
    WHERE status IN ('failed', 'cancelled') AND (%(sees_all)s OR owner_id = %(owner_id)s)"""

_RETRY: Final = f"""{_RETRYING} AND id = %(id)s
    RETURNING {JOB_COLUMNS}"""


def retry(conn: Connection, caller: Caller, job_id: int, scheduled_at: datetime | None = None) -> Job:
    """Send a failed or cancelled job round again, due now or at `scheduled_at`; an `expires_at` before that is dropped.

    Raises NotFound; Conflict in another state, or when its unique_key has passed to another unfinished job.
    """
    parameters = {
        "id": job_id,
        "sees_all": caller.sees_all,
        "owner_id": caller.owner_id,
        "scheduled_at": scheduled_at,
    }
    try:
        if row := fetch_one(conn, _RETRY, parameters):
            return job_from_row(row)
    except errors.UniqueViolation as error:
        raise Conflict(KEY_HAS_PASSED) from error
    raise _refusal(conn, caller, job_id, Event.RETRY)


_RETRY_MANY: Final = f"""{_RETRYING} AND id = ANY (ARRAY(
        SELECT id FROM jobs WHERE id = ANY (%(ids)s) AND status = ANY (%(statuses)s::job_status[])
        ORDER BY id FOR UPDATE))
    RETURNING id"""


def retry_many(
    conn: Connection, caller: Caller, ids: Sequence[int], statuses: Collection[JobStatus]
) -> tuple[list[int], list[int]]:
    """Send those of these jobs round again, due now, that stand in one of `statuses`, failed or cancelled.

    Answers with them, and with those whose unique_key has passed to another unfinished job: where one stands in the
    way of all, halves are tried, and so on.
    """
    parameters = {
        "ids": list(ids),
        "statuses": [status.value for status in statuses],
        "sees_all": caller.sees_all,
        "owner_id": caller.owner_id,
        "scheduled_at": None,
    }
    try:
        return [row[0] for row in fetch_all(conn, _RETRY_MANY, parameters)], []
    except errors.UniqueViolation:
        if len(ids) == 1:
            return [], list(ids)
    middle = len(ids) // 2
    halves = [retry_many(conn, caller, half, statuses) for half in (ids[:middle], ids[middle:])]
    return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]


_STATUS: Final = "SELECT status::text FROM jobs WHERE id = %(id)s AND (%(sees_all)s OR owner_id = %(owner_id)s)"


def _refusal(conn: Connection, caller: Caller, job_id: int, event: Event) -> NotFound | Conflict:
    """Why a user's move changed no row."""
    status = _status(conn, caller, job_id)
    if status is None:
        return NotFound(f"There is no job {job_id}.")
    return IllegalTransition(event=event.value, current_status=status)


def _status(conn: Connection, caller: Caller, job_id: int) -> str | None:
    row = fetch_one(conn, _STATUS, {"id": job_id, "sees_all": caller.sees_all, "owner_id": caller.owner_id})
    return row[0] if row else None
