"""What pickers and stopping executors set right: claims given back, leases that ran out, jobs that expired."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.store.connection import Connection, fetch_all

_GO_BACK: Final = """
    UPDATE jobs SET status = 'pending', picked_at = NULL, lease_until = NULL, updated_at = now()
    WHERE status = 'picked'"""

_GIVE_BACK: Final = f"{_GO_BACK} AND id = ANY (%(ids)s) RETURNING id"


def give_back(conn: Connection, ids: Sequence[int]) -> int:
    """Return claimed jobs that were not started; how many still were picked."""
    return len(fetch_all(conn, _GIVE_BACK, {"ids": list(ids)})) if ids else 0


_GIVE_BACK_PAUSED: Final = f"""{_GO_BACK} AND id = ANY (%(ids)s) AND queue = %(queue)s
      AND EXISTS (SELECT FROM queue_controls WHERE name = %(queue)s AND paused)
    RETURNING id"""


def give_back_paused(conn: Connection, queue: str, ids: Sequence[int]) -> int:
    """The same for those of a queue if it is paused: no executor would start them."""
    return len(fetch_all(conn, _GIVE_BACK_PAUSED, {"queue": queue, "ids": list(ids)})) if ids else 0


_TAKE_BACK: Final = f"{_GO_BACK} AND lease_until IS NOT NULL AND queue = %(queue)s RETURNING id"


def take_back(conn: Connection, queue: str) -> int:
    """The same for all claimed jobs of a queue, wherever they wait; how many there were."""
    return len(fetch_all(conn, _TAKE_BACK, {"queue": queue}))


_LAPSED: Final = """
    WITH lapsed AS (
        SELECT id, status, run, attempt, started_at, worker,
               CASE WHEN status = 'running' THEN jsonb_build_object('type', 'lost', 'message',
                   'The executor ' || worker || ' died or lost touch: its lease ran out.') END AS lost
        FROM jobs
        WHERE lease_until <= CASE
                  WHEN %(trusted)s AND pg_postmaster_start_time() < now() - make_interval(secs => %(lease)s)
                  THEN now() ELSE '-infinity' END
          AND (status = 'running' AND attempt = max_attempts) = %(last_attempt)s
        ORDER BY lease_until
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ), recorded AS (
        INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error)
        SELECT id, run, attempt, 'lost', started_at, greatest(started_at, now()),
               extract(epoch FROM greatest(started_at, now()) - started_at) * 1000, worker, lost
        FROM lapsed WHERE status = 'running'
    )"""

_RESCUE: Final = f"""{_LAPSED}
    UPDATE jobs
    SET status = 'pending', picked_at = NULL, started_at = NULL, lease_until = NULL, worker = NULL, updated_at = now(),
        next_run_at = CASE WHEN lapsed.status = 'running' THEN now() ELSE next_run_at END,
        error = coalesce(lapsed.lost, error)
    FROM lapsed
    WHERE jobs.id = lapsed.id AND jobs.status IN ('picked', 'running')
    RETURNING jobs.id, lapsed.status::text"""

_BURY: Final = f"""{_LAPSED}
    UPDATE jobs
    SET status = 'failed', completed_at = greatest(jobs.started_at, now()), lease_until = NULL, updated_at = now(),
        error = lapsed.lost
    FROM lapsed
    WHERE jobs.id = lapsed.id AND jobs.status = 'running'
    RETURNING jobs.id, 'running'"""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue found: claims that were never started, and attempts that are lost."""

    picked: list[int]
    lost: list[int]


def rescue(conn: Connection, *, limit: int, lease_seconds: float, trusted: bool = True) -> Rescued:
    """Send jobs round again whose lease ran out; a running one has used its attempt, which is recorded as lost.

    A lease that was released counts as run out at once. One that merely passed counts only if it is `trusted`, and
    never in the first `lease_seconds` after the server started: holders could not extend while it was down.
    """
    rows = fetch_all(conn, _RESCUE, {"limit": limit, "lease": lease_seconds, "trusted": trusted, "last_attempt": False})
    return Rescued(
        picked=[job_id for job_id, status in rows if status == "picked"],
        lost=[job_id for job_id, status in rows if status == "running"],
    )


def bury(conn: Connection, *, limit: int, lease_seconds: float, trusted: bool = True) -> list[int]:
    """Fail jobs whose lease ran out during their last attempt, which is recorded as lost."""
    parameters = {"limit": limit, "lease": lease_seconds, "trusted": trusted, "last_attempt": True}
    return [row[0] for row in fetch_all(conn, _BURY, parameters)]


_EXPIRE: Final = """
    UPDATE jobs
    SET status = 'failed', completed_at = now(), updated_at = now(), error = jsonb_build_object(
            'type', 'expired', 'message', 'The job could not start before its expires_at.')
    WHERE status = 'pending' AND id = ANY (ARRAY(
        SELECT id FROM jobs
        WHERE expires_at <= now() AND picked_at IS NULL AND completed_at IS NULL
        ORDER BY expires_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED))
    RETURNING id"""


def expire(conn: Connection, *, limit: int) -> list[int]:
    """Fail pending jobs whose `expires_at` has passed."""
    return [row[0] for row in fetch_all(conn, _EXPIRE, {"limit": limit})]
