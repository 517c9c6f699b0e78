"""pending -> picked, from a queue that is held back: no more than its limits leave, whichever pickers try at once."""

from dataclasses import dataclass
from typing import Final

from scheduler.domain.job import Claimed
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.transitions.claims import claim, claim_keyed


@dataclass(frozen=True, slots=True)
class Held:
    """What was claimed, and in how many seconds a rate allows more; None when time alone will not."""

    claimed: list[Claimed]
    more_in: float | None = None


# One picker at a time, for the row is locked until its claim is committed; and each later statement sees what was
# claimed before, since its snapshot is younger than the lock.
_LOCK: Final = """
    SELECT paused, max_running, rate_count, rate_seconds FROM queue_controls WHERE name = %(queue)s FOR UPDATE"""

_LIVE: Final = "SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL AND queue = %(queue)s"

_TAKEN: Final = """
    SELECT coalesce(sum(jobs), 0)::bigint,
           extract(epoch FROM min(at) + make_interval(secs => %(seconds)s) - clock_timestamp())::float8
    FROM queue_claims WHERE queue = %(queue)s AND at > clock_timestamp() - make_interval(secs => %(seconds)s)"""

_TAKE: Final = """
    WITH past AS (
        DELETE FROM queue_claims
        WHERE queue = %(queue)s AND at <= clock_timestamp() - make_interval(secs => %(seconds)s)
    )
    INSERT INTO queue_claims (queue, at, jobs) VALUES (%(queue)s, clock_timestamp(), %(jobs)s)"""


def claim_held(conn: Connection, *, queue: str, limit: int, lease_seconds: float, ageing_seconds: float) -> Held:
    """Claim up to `limit` jobs that are due, with a concurrency_key and without, as far as the queue's limits allow."""
    with conn.transaction():
        paused, max_running, count, seconds = fetch_one(conn, _LOCK, {"queue": queue}) or (False, None, None, None)
        if paused:
            return Held([])
        if max_running is not None:
            (live,) = fetch_one(conn, _LIVE, {"queue": queue}) or (0,)
            limit = min(limit, max_running - live)
        more_in = None
        if count is not None:
            taken, more_in = fetch_one(conn, _TAKEN, {"queue": queue, "seconds": seconds}) or (0, None)
            limit = min(limit, count - taken)
        claimed = _claim(conn, queue, limit, lease_seconds, ageing_seconds)
        if claimed and count is not None:
            conn.execute(_TAKE, {"queue": queue, "seconds": seconds, "jobs": len(claimed)})
            more_in = seconds if more_in is None else more_in
        return Held(claimed, more_in)


def _claim(conn: Connection, queue: str, limit: int, lease_seconds: float, ageing_seconds: float) -> list[Claimed]:
    claimed: list[Claimed] = []
    for take in (claim, claim_keyed):
        if (left := limit - len(claimed)) > 0:
            claimed += take(
                conn,
                queue=queue,
                limit=left,
                lease_seconds=lease_seconds,
                ageing_seconds=ageing_seconds,
                within_limits=True,
            )
    return claimed
