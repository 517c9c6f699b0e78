"""pending -> picked: a picker claims due jobs, under a lease."""

from collections.abc import Sequence
from typing import Any, Final

from scheduler.domain.job import Claimed
from scheduler.store.backlog import FROM_THE_FIRST, Start, start_parameters
from scheduler.store.connection import Connection, fetch_all, fetch_one

_CLAIM: Final = """
    UPDATE jobs
    SET status = 'picked', picked_at = now(), updated_at = now(), settled = false,
        lease_until = now() + make_interval(secs => %(lease)s)
    WHERE status = 'pending' AND (%(within)s OR NOT EXISTS (
        SELECT FROM queue_controls WHERE name = %(queue)s AND held)) AND id = ANY (ARRAY(
        SELECT due.id
        FROM unnest(%(priorities)s::smallint[], %(times)s::timestamptz[], %(ids)s::bigint[])
            AS start(level, next_run_at, id)
        CROSS JOIN LATERAL (
            SELECT id, next_run_at FROM jobs
            WHERE queue = %(queue)s AND priority = start.level
              AND next_run_at <= now() + make_interval(secs => %(ahead)s)
              AND (next_run_at, id) > (start.next_run_at, start.id)
              AND picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NULL
              AND (expires_at IS NULL OR expires_at > now())
            ORDER BY next_run_at, id
            LIMIT %(limit)s
            FOR UPDATE SKIP LOCKED
        ) AS due
        ORDER BY start.level * %(ageing)s + extract(epoch FROM due.next_run_at), due.id
        LIMIT %(limit)s))
    RETURNING id, priority, next_run_at, traceparent"""


def claim(
    conn: Connection,
    *,
    queue: str,
    limit: int,
    lease_seconds: float,
    ageing_seconds: float,
    ahead_seconds: float = 0.0,
    starts: Sequence[Start] = FROM_THE_FIRST,
    within_limits: bool = False,
) -> list[Claimed]:
    """Take up to `limit` jobs of a queue that are due in `ahead_seconds`, first in turn first, each under a lease;
    looks from `starts` onwards.

    A job's turn is its due time plus `ageing_seconds` for each step of its priority: the order of priorities
    lowered by one step for every `ageing_seconds` waited, written so that it does not change with the clock.

    Nothing of a queue that is held back, unless `limit` was found `within_limits` (claim_held).
    """
    parameters = {"queue": queue, "limit": limit, "lease": lease_seconds, "ageing": ageing_seconds}
    parameters |= {"ahead": ahead_seconds, "within": within_limits}
    return _in_turn(fetch_all(conn, _CLAIM, parameters | start_parameters(starts), prepare=True), ageing_seconds)


_ONE_CLAIMS_KEYED: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended(%(lock)s, 0))"

_CLAIM_KEYED: Final = """
    WITH RECURSIVE keys AS (  -- a walk from key to key over the index, however many jobs wait behind each
        (SELECT owner_id, concurrency_key, next_run_at FROM jobs
         WHERE queue = %(queue)s AND picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL
         ORDER BY owner_id, concurrency_key, next_run_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM keys CROSS JOIN LATERAL (
            SELECT owner_id, concurrency_key, next_run_at FROM jobs
            WHERE queue = %(queue)s AND picked_at IS NULL AND completed_at IS NULL AND concurrency_key IS NOT NULL
              AND (owner_id, concurrency_key) > (keys.owner_id, keys.concurrency_key)
            ORDER BY owner_id, concurrency_key, next_run_at LIMIT 1) AS next
    ), free AS (
        SELECT owner_id, concurrency_key FROM keys
        WHERE next_run_at <= now() AND NOT EXISTS (
            SELECT FROM jobs WHERE owner_id = keys.owner_id
            AND concurrency_key = keys.concurrency_key AND lease_until IS NOT NULL)
    )
    UPDATE jobs
    SET status = 'picked', picked_at = now(), updated_at = now(), settled = false,
        lease_until = now() + make_interval(secs => %(lease)s)
    WHERE status = 'pending' AND (%(within)s OR NOT EXISTS (
        SELECT FROM queue_controls WHERE name = %(queue)s AND held))
      -- Again, for one that was just being changed; in a coalesce(), lest another index than the key's is taken for it.
      AND coalesce(queue = %(queue)s AND next_run_at <= now() AND coalesce(expires_at > now(), true), false)
      AND id = ANY (ARRAY(
        SELECT first.id
        FROM free CROSS JOIN LATERAL (
            SELECT each_level.*
            FROM generate_series(1, 9) AS level
            CROSS JOIN LATERAL (
                SELECT id, priority, next_run_at FROM jobs
                WHERE queue = %(queue)s AND owner_id = free.owner_id AND concurrency_key = free.concurrency_key
                  AND priority = level AND next_run_at <= now()
                  AND picked_at IS NULL AND completed_at IS NULL AND (expires_at IS NULL OR expires_at > now())
                ORDER BY next_run_at, id LIMIT 1
            ) AS each_level
            ORDER BY priority * %(ageing)s + extract(epoch FROM next_run_at), id LIMIT 1
        ) AS first
        ORDER BY first.priority * %(ageing)s + extract(epoch FROM first.next_run_at), first.id
        LIMIT %(limit)s))
    RETURNING id, priority, next_run_at, traceparent"""


def claim_keyed(
    conn: Connection,
    *,
    queue: str,
    limit: int,
    lease_seconds: float,
    ageing_seconds: float,
    within_limits: bool = False,
) -> list[Claimed]:
    """The same for jobs with a concurrency_key: the first of each key that has none picked or running.

    One picker at a time does it, in a statement whose snapshot is younger than the lock; the unique index
    would refuse a second live job of a key in any case.
    """
    parameters = {"queue": queue, "limit": limit, "lease": lease_seconds, "ageing": ageing_seconds}
    parameters["within"] = within_limits
    with conn.transaction():
        if fetch_one(conn, _ONE_CLAIMS_KEYED, {"lock": "scheduler claims keyed jobs"}) != (True,):
            return []
        return _in_turn(fetch_all(conn, _CLAIM_KEYED, parameters), ageing_seconds)


def _in_turn(rows: Sequence[tuple[Any, ...]], ageing_seconds: float) -> list[Claimed]:
    return sorted(
        map(Claimed._make, rows), key=lambda job: (job.priority * ageing_seconds + job.next_run_at.timestamp(), job.id)
    )
