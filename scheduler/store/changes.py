"""Changing a job that waits."""

from typing import Any, Final

from psycopg import errors, sql

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, FieldError, InvalidInput
from scheduler.domain.job import Job, JobChanges
from scheduler.store.connection import Connection
from scheduler.store.filters import OWNED, ownership
from scheduler.store.reads import get_status
from scheduler.store.rows import JOB_COLUMNS, job_from_row, to_json

_ASSIGNMENTS: Final = {
    "task_type": sql.SQL("task_type = %(task_type)s"),
    "task_data": sql.SQL("task_data = %(task_data)s"),
    "name": sql.SQL("name = %(name)s"),
    "description": sql.SQL("description = %(description)s"),
    "queue": sql.SQL("queue = %(queue)s"),
    "priority": sql.SQL("priority = %(priority)s"),
    "scheduled_at": sql.SQL(
        "scheduled_at = coalesce(%(scheduled_at)s, now()), next_run_at = coalesce(%(scheduled_at)s, now())"
    ),
    "max_attempts": sql.SQL("max_attempts = %(max_attempts)s"),
    "timeout_seconds": sql.SQL("timeout_seconds = %(timeout_seconds)s"),
    "retry_backoff": sql.SQL("retry_backoff = %(retry_backoff)s"),
    "retry_delay_seconds": sql.SQL("retry_delay_seconds = %(retry_delay_seconds)s"),
    "retry_max_delay_seconds": sql.SQL("retry_max_delay_seconds = %(retry_max_delay_seconds)s"),
    "retry_jitter": sql.SQL("retry_jitter = %(retry_jitter)s"),
    "expires_at": sql.SQL("expires_at = %(expires_at)s"),
}

_CHANGE: Final = sql.SQL("UPDATE jobs SET {assignments} WHERE {pending} AND {owned} RETURNING {columns}")
_PENDING: Final = sql.SQL("id = %(id)s AND status = 'pending'")


def change_job(conn: Connection, caller: Caller, job_id: int, changes: JobChanges) -> Job:
    """Change a pending job, and return it as it then stands.

    Raises NotFound; Conflict in another state; InvalidInput when it would have no attempt left, or would expire
    before it is due.
    """
    statement = _CHANGE.format(
        assignments=sql.SQL(", ").join([sql.SQL("updated_at = now()"), *(_ASSIGNMENTS[name] for name in changes)]),
        pending=_PENDING,
        owned=sql.SQL(OWNED),
        columns=sql.SQL(JOB_COLUMNS),
    )
    parameters: dict[str, Any] = {**changes, "id": job_id, **ownership(caller)}
    if "task_data" in changes:
        parameters["task_data"] = to_json(changes["task_data"])
    try:
        with conn.transaction():
            if row := conn.execute(statement, parameters).fetchone():
                return _sensible(job_from_row(row), changes)
    except errors.CheckViolation as broken:
        if broken.diag.constraint_name != "waiting_has_an_attempt_left":
            raise
        raise _refused("max_attempts", "The job has used as many attempts already: allow more.") from broken
    status = get_status(conn, caller, job_id)
    raise Conflict(f"A {status} job cannot be changed: only a pending one can.", current_status=status)


def _sensible(job: Job, changes: JobChanges) -> Job:
    """The job; raises InvalidInput, which undoes the change, when it leaves the job no time to start."""
    if job.expires_at is not None and job.expires_at <= job.next_run_at:
        for name in ("expires_at", "scheduled_at"):
            if name in changes:
                raise _refused(name, f"The job would expire ({job.expires_at:%FT%TZ}) before it is due.")
    return job


def _refused(name: str, why: str) -> InvalidInput:
    return InvalidInput([FieldError((name,), why, "change_refused")])
