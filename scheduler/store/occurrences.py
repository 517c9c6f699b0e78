"""Occurrences of schedules become jobs: what a picker asks and writes."""

from collections.abc import Sequence
from typing import Final

from scheduler.domain.schedule import DueSchedule, Turn
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.rows import DUE_SCHEDULE_COLUMNS, due_schedule_from_row

_SECONDS_TO_NEXT: Final = """
    SELECT extract(epoch FROM make_at - clock_timestamp())::float8 FROM schedules
    WHERE make_at IS NOT NULL ORDER BY make_at LIMIT 1"""


def seconds_to_next(conn: Connection) -> float | None:
    """Seconds until a job is to be made for a schedule, past ones below zero, or None; reads one index entry."""
    row = fetch_one(conn, _SECONDS_TO_NEXT, {})
    return row[0] if row else None


_DUE: Final = f"""
    SELECT {DUE_SCHEDULE_COLUMNS}, overlap = 'skip' AND EXISTS (
        SELECT FROM jobs WHERE schedule_id = schedules.id AND completed_at IS NULL)
    FROM schedules
    WHERE make_at <= now()
    ORDER BY make_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED"""


def due_schedules(conn: Connection, *, limit: int) -> list[DueSchedule]:
    """Take up to `limit` schedules whose next job is to be made; they are ours until the transaction ends."""
    return [due_schedule_from_row(row) for row in fetch_all(conn, _DUE, {"limit": limit})]


COPIED_COLUMNS: Final = """
    owner_id, name, task_type, task_data, queue, priority, max_attempts, timeout_seconds, retry_backoff,
    retry_delay_seconds, retry_max_delay_seconds, retry_jitter, concurrency_key"""
"""What a job has from its schedule."""

_NEW_TRACE: Final = """
    '00-' || md5(gen_random_uuid()::text) || '-' || left(md5(gen_random_uuid()::text), 16) || '-01'"""

_MAKE_JOBS: Final = f"""
    INSERT INTO jobs ({COPIED_COLUMNS}, schedule_id, occurrence_at, scheduled_at, next_run_at, traceparent)
    SELECT {COPIED_COLUMNS}, schedules.id, made.occurrence_at, made.scheduled_at, made.next_run_at,
           CASE WHEN %(traced)s THEN {_NEW_TRACE} END
    FROM unnest(%(ids)s::bigint[], %(occurrences)s::timestamptz[], %(scheduled)s::timestamptz[],
                %(starts)s::timestamptz[]) AS made(schedule_id, occurrence_at, scheduled_at, next_run_at)
    JOIN schedules ON schedules.id = made.schedule_id
    ORDER BY made.next_run_at
    ON CONFLICT (schedule_id, occurrence_at) WHERE occurrence_at IS NOT NULL DO NOTHING"""

_MOVE_ON: Final = """
    UPDATE schedules SET next_at = turn.next_at, make_at = turn.make_at
    FROM unnest(%(ids)s::bigint[], %(next)s::timestamptz[], %(make)s::timestamptz[]) AS turn(id, next_at, make_at)
    WHERE schedules.id = turn.id"""


def make_jobs(conn: Connection, turns: Sequence[Turn], *, traced: bool = False) -> int:
    """Make the jobs of these turns and move their schedules on; how many jobs. An occurrence that has one gets no more.

    Each begins a trace of its own if they are `traced`.
    In the transaction in which the schedules were taken: neither happens without the other.
    """
    made = [(turn.schedule_id, each) for turn in turns for each in turn.occurrences]
    jobs = conn.execute(
        _MAKE_JOBS,
        {
            "ids": [schedule_id for schedule_id, _ in made],
            "occurrences": [each.at for _, each in made],
            "scheduled": [each.scheduled_at for _, each in made],
            "starts": [each.start_at for _, each in made],
            "traced": traced,
        },
    )
    conn.execute(
        _MOVE_ON,
        {
            "ids": [turn.schedule_id for turn in turns],
            "next": [turn.next_at for turn in turns],
            "make": [turn.make_at for turn in turns],
        },
    )
    return jobs.rowcount
