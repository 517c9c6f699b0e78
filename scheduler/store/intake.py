"""How jobs come in: one at a time, or many in one COPY."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import errors

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict
from scheduler.domain.job import Job, NewJob
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.rows import JOB_COLUMNS, job_from_row, to_json

_INSERT: Final = f"""
    INSERT INTO jobs (owner_id, name, description, task_type, task_data, queue, priority, scheduled_at, next_run_at,
                      max_attempts, timeout_seconds, retry_backoff, retry_delay_seconds, retry_max_delay_seconds,
                      retry_jitter, unique_key, concurrency_key, expires_at, schedule_id, template_id, duplicated_from,
                      traceparent)
    SELECT %(owner_id)s, %(name)s, %(description)s, %(task_type)s, %(task_data)s, %(queue)s, %(priority)s, due, due,
           %(max_attempts)s, %(timeout_seconds)s, %(retry_backoff)s, %(retry_delay_seconds)s,
           %(retry_max_delay_seconds)s, %(retry_jitter)s, %(unique_key)s, %(concurrency_key)s, %(expires_at)s,
           %(schedule_id)s, %(template_id)s, %(duplicated_from)s, %(traceparent)s
    FROM (SELECT coalesce(%(scheduled_at)s::timestamptz, now() + make_interval(secs => %(delay_seconds)s))) AS t(due)
    ON CONFLICT (owner_id, unique_key) WHERE unique_key IS NOT NULL AND completed_at IS NULL DO NOTHING
    RETURNING {JOB_COLUMNS}"""

_UNFINISHED_BEARER: Final = f"""
    SELECT {JOB_COLUMNS} FROM jobs
    WHERE owner_id = %(owner_id)s AND unique_key = %(unique_key)s AND completed_at IS NULL"""


def create_job(conn: Connection, caller: Caller, new: NewJob) -> tuple[Job, bool]:
    """Insert a job and return it with True; or, with False, the unfinished one that bears its unique_key."""
    parameters = _parameters(caller, new)
    while True:
        if row := fetch_one(conn, _INSERT, parameters, prepare=True):
            return job_from_row(row), True
        if row := fetch_one(conn, _UNFINISHED_BEARER, parameters):
            return job_from_row(row), False
        # The bearer ended between the two statements: the key is free now.


_COPY: Final = """
    COPY jobs (id, owner_id, name, description, task_type, task_data, queue, priority, scheduled_at, next_run_at,
               max_attempts, timeout_seconds, retry_backoff, retry_delay_seconds, retry_max_delay_seconds,
               retry_jitter, unique_key, concurrency_key, expires_at, schedule_id, template_id, duplicated_from,
               traceparent)
    FROM STDIN"""


def create_jobs(conn: Connection, caller: Caller, jobs: Sequence[NewJob]) -> list[int]:
    """Insert many jobs, all or none, and return their ids in the order given.

    Raises Conflict when an unfinished job bears the unique_key of one of them, or two share one.
    """
    if not jobs:
        return []
    try:
        with conn.transaction(), conn.cursor() as cursor:
            cursor.execute(_RESERVE, {"count": len(jobs)})
            reserved: list[tuple[int, datetime]] = cursor.fetchall()
            with cursor.copy(_COPY) as copy:
                for (job_id, now), new in zip(reserved, jobs, strict=True):
                    copy.write_row(_copy_row(job_id, now, caller, new))
    except errors.UniqueViolation as error:
        bearer = fetch_one(
            conn, _BEARER_OF_ONE, {"owner_id": caller.owner_id, "keys": [new.unique_key for new in jobs]}
        )
        who = f"Job {bearer[0]}, which is unfinished, bears {bearer[1]!r}" if bearer else "An unfinished job bears one"
        raise Conflict(f"{who} of these jobs' unique_keys: leave that one out, or wait.") from error
    return [job_id for job_id, _ in reserved]


_BEARER_OF_ONE: Final = """
    SELECT id, unique_key FROM jobs
    WHERE owner_id = %(owner_id)s AND unique_key = ANY (%(keys)s) AND completed_at IS NULL LIMIT 1"""

_RESERVE: Final = """
    SELECT nextval(pg_get_serial_sequence('jobs', 'id')), now() FROM generate_series(1, %(count)s)"""


def _parameters(caller: Caller, new: NewJob) -> dict[str, Any]:
    return {
        "owner_id": caller.owner_id,
        "name": new.name,
        "description": new.description,
        "task_type": new.task_type,
        "task_data": to_json(new.task_data),
        "queue": new.queue,
        "priority": new.priority,
        "scheduled_at": new.scheduled_at,
        "delay_seconds": new.delay_seconds,
        "max_attempts": new.max_attempts,
        "timeout_seconds": new.timeout_seconds,
        "retry_backoff": new.retry.backoff.value,
        "retry_delay_seconds": new.retry.delay_seconds,
        "retry_max_delay_seconds": new.retry.max_delay_seconds,
        "retry_jitter": new.retry.jitter,
        "unique_key": new.unique_key,
        "concurrency_key": new.concurrency_key,
        "expires_at": new.expires_at,
        "schedule_id": new.schedule_id,
        "template_id": new.template_id,
        "duplicated_from": new.duplicated_from,
        "traceparent": new.traceparent,
    }


def _copy_row(job_id: int, now: datetime, caller: Caller, new: NewJob) -> tuple[object, ...]:
    """A row for _COPY."""
    due = new.scheduled_at or now + timedelta(seconds=new.delay_seconds)
    return (
        job_id,
        caller.owner_id,
        new.name,
        new.description,
        new.task_type,
        to_json(new.task_data),
        new.queue,
        new.priority,
        due,
        due,
        new.max_attempts,
        new.timeout_seconds,
        new.retry.backoff.value,
        new.retry.delay_seconds,
        new.retry.max_delay_seconds,
        new.retry.jitter,
        new.unique_key,
        new.concurrency_key,
        new.expires_at,
        new.schedule_id,
        new.template_id,
        new.duplicated_from,
        new.traceparent,
    )
