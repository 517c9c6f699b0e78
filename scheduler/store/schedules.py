"""What users do with schedules: create, change, remove and trigger them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from psycopg.rows import TupleRow

from scheduler.domain.caller import Caller
from scheduler.domain.errors import NotFound
from scheduler.domain.job import Job
from scheduler.domain.schedule import NewSchedule, Schedule
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.filters import OWNED, ownership
from scheduler.store.occurrences import COPIED_COLUMNS
from scheduler.store.rows import JOB_COLUMNS, SCHEDULE_COLUMNS, job_from_row, schedule_from_row, to_json

_CREATE: Final = f"""
    INSERT INTO schedules (
        owner_id, cron, timezone, starts_at, ends_at, misfire, overlap, jitter_seconds,
        name, task_type, task_data, queue, priority, max_attempts, timeout_seconds, retry_backoff,
        retry_delay_seconds, retry_max_delay_seconds, retry_jitter, concurrency_key, enabled, next_at, make_at)
    VALUES (
        %(owner_id)s, %(cron)s, %(timezone)s, %(starts_at)s, %(ends_at)s, %(misfire)s, %(overlap)s,
        %(jitter_seconds)s, %(name)s, %(task_type)s, %(task_data)s, %(queue)s, %(priority)s, %(max_attempts)s,
        %(timeout_seconds)s, %(retry_backoff)s, %(retry_delay_seconds)s, %(retry_max_delay_seconds)s,
        %(retry_jitter)s, %(concurrency_key)s, %(enabled)s, %(next_at)s, %(make_at)s)
    RETURNING {SCHEDULE_COLUMNS}"""

_NOW: Final = "SELECT now()"


def create_schedule(conn: Connection, caller: Caller, new: NewSchedule) -> Schedule:
    """Insert a schedule; its first occurrence is the next one from now. Raises InvalidInput for a wrong timing."""
    with conn.transaction():  # in which now() stands still
        now: datetime = _only(fetch_one(conn, _NOW, {}))[0]
        next_at = new.timing.recurrence(now).after(now) if new.enabled else None
        values = _values(new, next_at) | {"owner_id": caller.owner_id}
        return schedule_from_row(_only(fetch_one(conn, _CREATE, values)))


_LOCK: Final = f"SELECT {SCHEDULE_COLUMNS} FROM schedules WHERE id = %(id)s AND {OWNED} FOR UPDATE"

_CHANGE: Final = f"""
    UPDATE schedules
    SET cron = %(cron)s, timezone = %(timezone)s, starts_at = %(starts_at)s, ends_at = %(ends_at)s,
        misfire = %(misfire)s, overlap = %(overlap)s, jitter_seconds = %(jitter_seconds)s,
        name = %(name)s, task_type = %(task_type)s, task_data = %(task_data)s, queue = %(queue)s,
        priority = %(priority)s, max_attempts = %(max_attempts)s, timeout_seconds = %(timeout_seconds)s,
        retry_backoff = %(retry_backoff)s, retry_delay_seconds = %(retry_delay_seconds)s,
        retry_max_delay_seconds = %(retry_max_delay_seconds)s, retry_jitter = %(retry_jitter)s,
        concurrency_key = %(concurrency_key)s, enabled = %(enabled)s, next_at = %(next_at)s, make_at = %(make_at)s,
        updated_at = now()
    WHERE id = %(id)s
    RETURNING {SCHEDULE_COLUMNS}"""

_TAKE_BACK: Final = """
    DELETE FROM jobs
    WHERE schedule_id = %(id)s AND completed_at IS NULL AND status = 'pending' AND run = 0
      AND occurrence_at > CASE WHEN %(overdue_too)s THEN '-infinity' ELSE now() END"""


def change_schedule(
    conn: Connection, caller: Caller, schedule_id: int, change: Callable[[NewSchedule], NewSchedule]
) -> Schedule:
    """Let the schedule be what `change` makes of it, from now on. Raises NotFound, InvalidInput for a wrong timing.

    Jobs made ahead of their time are taken back, to be made again as the schedule has it then. A pause takes back
    those that are due and have not started as well. What was missed awaits its judgement, unless the timing changes.
    """
    with conn.transaction():
        row = fetch_one(conn, _LOCK, {"id": schedule_id, **ownership(caller)})
        if row is None:
            raise _not_found(schedule_id)
        old = schedule_from_row(row)
        new = change(NewSchedule(timing=old.timing, job=old.job, enabled=old.enabled))
        if (new.timing, new.job, new.enabled) == (old.timing, old.job, old.enabled):
            return old
        conn.execute(_TAKE_BACK, {"id": schedule_id, "overdue_too": not new.enabled})
        values = _values(new, _next_at(old, new)) | {"id": schedule_id}
        return schedule_from_row(_only(fetch_one(conn, _CHANGE, values)))


def _next_at(old: Schedule, new: NewSchedule) -> datetime | None:
    """The first occurrence for which a job has yet to be made, now that those made ahead are taken back."""
    recurrence = new.timing.recurrence(old.created_at)
    if not new.enabled:
        return None
    if new.timing == old.timing and old.next_at is not None and old.next_at <= old.seen_at:
        return old.next_at
    return recurrence.after(old.seen_at)


_DELETE: Final = f"""
    WITH removed AS (
        DELETE FROM schedules WHERE id = %(id)s AND {OWNED} RETURNING id
    ), taken_back AS (
        DELETE FROM jobs USING removed
        WHERE schedule_id = removed.id AND completed_at IS NULL AND status = 'pending' AND run = 0
    )
    SELECT id FROM removed"""


def delete_schedule(conn: Connection, caller: Caller, schedule_id: int) -> None:
    """Remove the schedule, and its jobs that have not started; the others keep its id. Raises NotFound."""
    with conn.transaction():
        fetch_one(conn, _LOCK, {"id": schedule_id, **ownership(caller)})  # a picker may be making a job right now
        if not fetch_one(conn, _DELETE, {"id": schedule_id, **ownership(caller)}):
            raise _not_found(schedule_id)


_TRIGGER: Final = f"""
    INSERT INTO jobs ({COPIED_COLUMNS}, schedule_id, traceparent)
    SELECT {COPIED_COLUMNS}, id, %(traceparent)s FROM schedules WHERE id = %(id)s AND {OWNED}
    RETURNING {JOB_COLUMNS}"""


def trigger_schedule(conn: Connection, caller: Caller, schedule_id: int, traceparent: str | None = None) -> Job:
    """Create a job of the schedule that is due now, beside its occurrences. Raises NotFound."""
    if row := fetch_one(conn, _TRIGGER, {"id": schedule_id, "traceparent": traceparent, **ownership(caller)}):
        return job_from_row(row)
    raise _not_found(schedule_id)


def _values(new: NewSchedule, next_at: datetime | None) -> dict[str, Any]:
    timing, job = new.timing, new.job
    return {
        "cron": timing.cron,
        "timezone": timing.timezone,
        "starts_at": timing.starts_at,
        "ends_at": timing.ends_at,
        "misfire": timing.misfire.value,
        "overlap": timing.overlap.value,
        "jitter_seconds": timing.jitter_seconds,
        "name": job.name,
        "task_type": job.task_type,
        "task_data": to_json(job.task_data),
        "queue": job.queue,
        "priority": job.priority,
        "max_attempts": job.max_attempts,
        "timeout_seconds": job.timeout_seconds,
        "retry_backoff": job.retry.backoff.value,
        "retry_delay_seconds": job.retry.delay_seconds,
        "retry_max_delay_seconds": job.retry.max_delay_seconds,
        "retry_jitter": job.retry.jitter,
        "concurrency_key": job.concurrency_key,
        "enabled": new.enabled,
        "next_at": next_at,
        "make_at": next_at and timing.make_at(next_at),
    }


def _only(row: TupleRow | None) -> TupleRow:
    """The row of a statement that always has one."""
    assert row is not None
    return row


def _not_found(schedule_id: int) -> NotFound:
    return NotFound(f"There is no schedule {schedule_id}.")
