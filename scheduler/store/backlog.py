"""What waits, and for how long: the picker's question before it claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from scheduler.domain.job import FIRST_PRIORITY, LAST_PRIORITY
from scheduler.store.connection import Connection, fetch_all

_UPCOMING: Final = """
    WITH RECURSIVE queues AS (  -- a walk from queue to queue over the index, however many jobs wait in each
        (SELECT queue FROM jobs
         WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT next.queue FROM queues CROSS JOIN LATERAL (
            SELECT queue FROM jobs
            WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL AND queue > queues.queue
            ORDER BY queue LIMIT 1) AS next
    )
    SELECT queue, level, due.next_run_at, due.id, extract(epoch FROM due.next_run_at - clock_timestamp())::float8,
           queue = ANY (ARRAY(SELECT name FROM queue_controls WHERE held))
    FROM queues CROSS JOIN generate_series(1, 9) AS level CROSS JOIN LATERAL (
        SELECT next_run_at, id FROM jobs
        WHERE queue = queues.queue AND priority = level
          AND picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL
        ORDER BY next_run_at, id LIMIT 1) AS due
    ORDER BY queue, level"""

_UPCOMING_FROM: Final = """
    SELECT start.queue, start.level, due.next_run_at, due.id,
           extract(epoch FROM due.next_run_at - clock_timestamp())::float8,
           start.queue = ANY (ARRAY(SELECT name FROM queue_controls WHERE held))
    FROM unnest(%(queues)s::text[], %(priorities)s::smallint[], %(times)s::timestamptz[], %(ids)s::bigint[])
        AS start(queue, level, next_run_at, id)
    CROSS JOIN LATERAL (
        SELECT next_run_at, id FROM jobs
        WHERE queue = start.queue AND priority = start.level AND (next_run_at, id) > (start.next_run_at, start.id)
          AND picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL
        ORDER BY next_run_at, id LIMIT 1) AS due
    ORDER BY start.queue, start.level"""

_UPCOMING_KEYED: Final = """
    WITH RECURSIVE keys AS (  -- a walk from key to key: one index entry each
        (SELECT queue, owner_id, concurrency_key, next_run_at FROM jobs
         WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL
         ORDER BY queue, owner_id, concurrency_key, next_run_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM keys CROSS JOIN LATERAL (
            SELECT queue, owner_id, concurrency_key, next_run_at FROM jobs
            WHERE picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL
              AND (queue, owner_id, concurrency_key) > (keys.queue, keys.owner_id, keys.concurrency_key)
            ORDER BY queue, owner_id, concurrency_key, next_run_at LIMIT 1) AS next
    )
    SELECT queue, extract(epoch FROM min(next_run_at) - clock_timestamp())::float8,
           queue = ANY (ARRAY(SELECT name FROM queue_controls WHERE held))
    FROM keys
    WHERE NOT EXISTS (
        SELECT FROM jobs WHERE owner_id = keys.owner_id
        AND concurrency_key = keys.concurrency_key AND lease_until IS NOT NULL)
    GROUP BY queue ORDER BY queue"""


@dataclass(frozen=True, slots=True)
class Start:
    """Where in a priority of a queue to begin to look: after the place of a job with this due time and id."""

    priority: int
    next_run_at: datetime
    id: int


FROM_THE_FIRST: Final = tuple(
    Start(priority, datetime(1, 1, 1, tzinfo=UTC), 0) for priority in range(FIRST_PRIORITY, LAST_PRIORITY + 1)
)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next job of a queue and priority: due in `seconds` (past ones below zero), by the database's clock.

    `is_held`: the queue is paused or limited."""

    queue: str
    priority: int
    next_run_at: datetime
    id: int
    seconds: float
    is_held: bool


@dataclass(frozen=True, slots=True)
class UpcomingKeyed:
    """The next job of a queue whose concurrency_key is not taken: due in `seconds`."""

    queue: str
    seconds: float
    is_held: bool


def upcoming(conn: Connection) -> list[Upcoming]:
    """For every queue and priority with pending jobs, the next: one index entry each, and the dead ones before it."""
    return [Upcoming(*row) for row in fetch_all(conn, _UPCOMING, {})]


def upcoming_from(conn: Connection, starts: Mapping[str, Sequence[Start]]) -> list[Upcoming]:
    """The same for these queues alone, looking from `starts` onwards."""
    queues = [queue for queue, each in starts.items() for _ in each]
    parameters = start_parameters([start for each in starts.values() for start in each])
    rows = fetch_all(conn, _UPCOMING_FROM, {"queues": queues, **parameters}, prepare=True)
    return [Upcoming(*row) for row in rows]


def upcoming_keyed(conn: Connection) -> list[UpcomingKeyed]:
    """For every queue with jobs that have a free concurrency_key, the next; reads an index entry or two a key."""
    return [UpcomingKeyed(*row) for row in fetch_all(conn, _UPCOMING_KEYED, {})]


_DUE_LATER: Final = """
    SELECT id, extract(epoch FROM next_run_at - clock_timestamp())::float8 FROM jobs
    WHERE id = ANY (%(ids)s) AND status = 'picked' AND (expires_at IS NULL OR expires_at > now())
      AND queue = %(queue)s AND NOT EXISTS (SELECT FROM queue_controls WHERE name = %(queue)s AND paused)"""


def due_later(conn: Connection, queue: str, ids: Sequence[int]) -> dict[int, float]:
    """Those of these jobs of a queue that a start left picked, each with the seconds until it is due.

    That is below zero for one that has become due since: it is not stale, and its start is to be asked for again.
    """
    return dict(fetch_all(conn, _DUE_LATER, {"queue": queue, "ids": list(ids)}))


def start_parameters(starts: Sequence[Start]) -> dict[str, list[Any]]:
    """Places to look from, as the columns of an unnest()."""
    return {
        "priorities": [start.priority for start in starts],
        "times": [start.next_run_at for start in starts],
        "ids": [start.id for start in starts],
    }
