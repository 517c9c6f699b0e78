"""Queues: paused, resumed, limited; and what waits in them."""

from typing import Final, LiteralString

from psycopg.rows import TupleRow

from scheduler.domain.caller import Caller
from scheduler.domain.queue import Controls, QueueState, RateLimit
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.filters import OWNED, ownership

_PAUSE: Final = """
    INSERT INTO queue_controls (name, paused) VALUES (%(name)s, %(paused)s)
    ON CONFLICT (name) DO UPDATE SET paused = excluded.paused"""


def set_paused(conn: Connection, name: str, *, paused: bool) -> None:
    """Let nothing be claimed from the queue, or let it again."""
    conn.execute(_PAUSE, {"name": name, "paused": paused})


_LIMIT_RUNNING: Final = """
    INSERT INTO queue_controls (name, max_running) VALUES (%(name)s, %(max_running)s)
    ON CONFLICT (name) DO UPDATE SET max_running = excluded.max_running"""


def limit_running(conn: Connection, name: str, max_running: int | None) -> None:
    """Let at most so many jobs of the queue be picked or running at a time; None: as many as there is room for."""
    conn.execute(_LIMIT_RUNNING, {"name": name, "max_running": max_running})


_LIMIT_RATE: Final = """
    INSERT INTO queue_controls (name, rate_count, rate_seconds) VALUES (%(name)s, %(count)s, %(seconds)s)
    ON CONFLICT (name) DO UPDATE SET rate_count = excluded.rate_count, rate_seconds = excluded.rate_seconds"""


def limit_rate(conn: Connection, name: str, rate: RateLimit | None) -> None:
    """Let at most so many jobs of the queue be claimed in any such stretch of time; None: as many as there are."""
    parameters = {"name": name, "count": rate and rate.count, "seconds": rate and rate.per_seconds}
    conn.execute(_LIMIT_RATE, parameters)


_CONTROLS: Final = """
    SELECT paused, max_running, rate_count, rate_seconds FROM queue_controls WHERE name = %(name)s FOR UPDATE"""


def controls_of(conn: Connection, name: str) -> Controls:
    """What holds the queue back, locked until the transaction ends."""
    row = fetch_one(conn, _CONTROLS, {"name": name})
    return _controls(*row) if row else Controls()


_ALL_CONTROLS: Final = "SELECT name, paused, max_running, rate_count, rate_seconds FROM queue_controls ORDER BY name"


def all_controls(conn: Connection) -> tuple[tuple[str, Controls], ...]:
    """Every queue that is held back, or was once, with what does it; hashable, to tell whether anything has changed."""
    return tuple((name, _controls(*controls)) for name, *controls in fetch_all(conn, _ALL_CONTROLS, {}))


# One index entry a job and no row of the table: each half is what one of the two indexes of pending jobs holds.
_PENDING: Final = """(
        SELECT queue, next_run_at, false AS has_key FROM jobs
        WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL
        UNION ALL
        SELECT queue, next_run_at, true FROM jobs
        WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL
    ) AS pending"""

# The same of one account: by the indexes of lists, and those that are not in them yet.
_OWN_PENDING: Final = f"""(
        SELECT queue, next_run_at FROM jobs WHERE settled_as = 'pending' AND {OWNED}
        UNION ALL
        SELECT queue, next_run_at FROM jobs
        WHERE lease_until IS NULL AND NOT settled AND status = 'pending' AND {OWNED}
    ) AS pending"""


def _states(pending: LiteralString, visible: LiteralString) -> LiteralString:
    return f"""
    WITH waiting AS (
        SELECT queue, count(*) FILTER (WHERE next_run_at <= now()) AS due,
               count(*) FILTER (WHERE next_run_at > now()) AS later, min(next_run_at) AS first
        FROM {pending} WHERE %(name)s::text IS NULL OR queue = %(name)s GROUP BY queue
    ), live AS (
        SELECT queue, count(*) FILTER (WHERE status = 'picked') AS picked,
               count(*) FILTER (WHERE status = 'running') AS running
        FROM jobs WHERE lease_until IS NOT NULL AND {visible} GROUP BY queue
    ), ended AS (
        SELECT queue, sum(attempts) FILTER (WHERE status = 'completed') AS completed,
               sum(attempts) FILTER (WHERE status IN ('failed', 'timed_out', 'lost')) AS failed
        FROM queue_slots WHERE slot > now() - interval '24 hours' AND {visible} GROUP BY queue
    ), known AS (
        SELECT queue FROM waiting UNION SELECT queue FROM live UNION SELECT queue FROM ended
        UNION SELECT name FROM queue_controls UNION SELECT %(name)s WHERE %(name)s::text IS NOT NULL
    )
    SELECT queue, coalesce(paused, false), max_running, rate_count, rate_seconds, coalesce(due, 0), coalesce(later, 0),
           coalesce(picked, 0), coalesce(running, 0), coalesce(completed, 0)::bigint, coalesce(failed, 0)::bigint,
           CASE WHEN first <= now() THEN extract(epoch FROM now() - first)::float8 END
    FROM known LEFT JOIN waiting USING (queue) LEFT JOIN live USING (queue) LEFT JOIN ended USING (queue)
    LEFT JOIN queue_controls ON name = queue
    WHERE %(name)s::text IS NULL OR queue = %(name)s
    ORDER BY queue"""


_ALL: Final = _states(_PENDING, "true")
_OWN: Final = _states(_OWN_PENDING, OWNED)


def queue_states(conn: Connection, caller: Caller, name: str | None = None) -> list[QueueState]:
    """Every queue that has jobs or is held back, or the one of this `name`.

    Reads index entries of pending jobs, or one's own alone, and live jobs; what has ended is counted already.
    """
    rows = fetch_all(conn, _ALL if caller.sees_all else _OWN, {"name": name, **ownership(caller)})
    return [_state(row) for row in rows]


_WAITING: Final = f"""
    SELECT queue, count(*), coalesce(max(extract(epoch FROM now() - next_run_at)) FILTER (WHERE NOT has_key), 0)::float8
    FROM (
        SELECT * FROM {_PENDING}
        UNION ALL
        SELECT queue, next_run_at, concurrency_key IS NOT NULL FROM jobs
        WHERE lease_until IS NOT NULL AND status = 'picked'
    ) AS waiting
    WHERE next_run_at <= now()
    GROUP BY queue"""


def waiting_by_queue(conn: Connection) -> dict[str, tuple[int, float]]:
    """For each queue with jobs that are due and not started: how many, and the seconds that the first has been due.

    Jobs with a concurrency_key wait for others of theirs, which says nothing of how we are doing: only the count
    has them.
    """
    return {queue: (jobs, max(0.0, seconds)) for queue, jobs, seconds in fetch_all(conn, _WAITING, {})}


def _controls(paused: bool, max_running: int | None, count: int | None, seconds: float) -> Controls:
    return Controls(paused, max_running, None if count is None else RateLimit(count, seconds))


def _state(row: TupleRow) -> QueueState:
    name, paused, max_running, count, seconds, due, later, picked, running, completed, failed, oldest = row
    return QueueState(
        name=name,
        controls=_controls(paused, max_running, count, seconds),
        pending_due=due,
        pending_later=later,
        picked=picked,
        running=running,
        completed_24h=completed,
        failed_24h=failed,
        oldest_due_seconds=oldest,
    )
