"""Queues: paused, resumed, limited; and what waits in them."""

from typing import Any, Final, LiteralString

from psycopg.rows import TupleRow

from scheduler.domain.caller import Caller
from scheduler.domain.queue import QueueState, RateLimit
from scheduler.store.connection import Connection, fetch_all
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


def _states(visible: LiteralString) -> LiteralString:
    return f"""
    WITH waiting AS (
        SELECT queue, count(*) FILTER (WHERE next_run_at <= now()) AS due,
               count(*) FILTER (WHERE next_run_at > now()) AS later, min(next_run_at) AS first
        FROM jobs WHERE picked_at IS NULL AND completed_at IS NULL AND {visible} GROUP BY queue
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


_ALL: Final = _states("true")
_OWN: Final = _states(OWNED)


def queue_states(conn: Connection, caller: Caller, name: str | None = None) -> list[QueueState]:
    """Every queue that has jobs or is held back, or the one of this `name`.

    What has ended is counted already; what waits is counted by reading the table of jobs, ended ones too.
    """
    rows = fetch_all(conn, _ALL if caller.sees_all else _OWN, {"name": name, **ownership(caller)})
    return [_state(row) for row in rows]


def _state(row: TupleRow) -> QueueState:
    name, paused, max_running, count, seconds, due, later, picked, running, completed, failed, oldest = row
    return QueueState(
        name=name,
        paused=paused,
        max_running=max_running,
        rate_limit=None if count is None else RateLimit(count, seconds),
        pending_due=due,
        pending_later=later,
        picked=picked,
        running=running,
        completed_24h=completed,
        failed_24h=failed,
        oldest_due_seconds=oldest,
    )


def controls(state: QueueState) -> dict[str, Any]:
    """What holds the queue back, as the audit tells it."""
    rate = state.rate_limit
    return {
        "paused": state.paused,
        "max_running": state.max_running,
        "rate_limit": None if rate is None else {"count": rate.count, "per_seconds": rate.per_seconds},
    }
