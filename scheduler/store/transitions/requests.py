"""What users do to a job that is there: cancel it, or send it round again."""

from datetime import datetime
from typing import Final

from psycopg import errors

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, IllegalTransition, NotFound
from scheduler.domain.job import Job
from scheduler.domain.states import Event
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.rows import JOB_COLUMNS, job_from_row

_CANCEL: Final = f"""
    WITH moved AS (
        UPDATE jobs SET status = 'cancelled', completed_at = greatest(started_at, now()), updated_at = now(),
                        lease_until = NULL
        WHERE id = %(id)s AND status IN ('pending', 'picked', 'running') AND (%(sees_all)s OR owner_id = %(owner_id)s)
        RETURNING *
    ), recorded AS (  -- only a running job has started_at: going back to pending clears it
        INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error)
        SELECT id, run, attempt, 'cancelled', started_at, completed_at,
               extract(epoch FROM completed_at - started_at) * 1000, worker,
               jsonb_build_object('type', 'cancelled', 'message', 'A user cancelled the job while it ran.')
        FROM moved WHERE started_at IS NOT NULL
    )
    SELECT {JOB_COLUMNS} FROM moved"""


def cancel(conn: Connection, caller: Caller, job_id: int) -> Job:
    """Cancel an unfinished job; one that ran has `started_at`. Raises NotFound, Conflict when it has ended."""
    if row := fetch_one(conn, _CANCEL, {"id": job_id, "sees_all": caller.sees_all, "owner_id": caller.owner_id}):
        return job_from_row(row)
    raise _refusal(conn, caller, job_id, Event.CANCEL)


_RETRY: Final = f"""
    UPDATE jobs
    SET status = 'pending', attempt = 0, next_run_at = due, scheduled_at = coalesce(%(scheduled_at)s, scheduled_at),
        expires_at = CASE WHEN expires_at > due THEN expires_at END, updated_at = now(),
        picked_at = NULL, started_at = NULL, completed_at = NULL, worker = NULL, error = NULL, progress = NULL
    FROM (SELECT coalesce(%(scheduled_at)s::timestamptz, now())) AS t(due)
    WHERE id = %(id)s AND status IN ('failed', 'cancelled') AND (%(sees_all)s OR owner_id = %(owner_id)s)
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
        raise Conflict(
            "Another unfinished job bears this job's unique_key by now: wait for it, or cancel it."
        ) from error
    raise _refusal(conn, caller, job_id, Event.RETRY)


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
