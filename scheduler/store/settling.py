"""Jobs at rest enter the list indexes: once each, in the background, instead of at every move of a job."""

from typing import Final

from scheduler.store.connection import Connection, fetch_one

_SETTLE: Final = """
    WITH resting AS (
        SELECT id FROM jobs
        WHERE lease_until IS NULL AND NOT settled
          AND (completed_at IS NOT NULL OR next_run_at > now() + make_interval(secs => %(patience)s)
               OR updated_at < now() - make_interval(secs => %(patience)s))
        ORDER BY id
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ), moved AS (
        UPDATE jobs SET settled = true FROM resting WHERE jobs.id = resting.id
        RETURNING status, owner_id, task_type
    ), counted AS (
        INSERT INTO completed_counts AS counts (owner_id, task_type, jobs)
        SELECT owner_id, task_type, count(*) FROM moved WHERE status = 'completed'
        GROUP BY owner_id, task_type ORDER BY owner_id, task_type
        ON CONFLICT (owner_id, task_type) DO UPDATE SET jobs = counts.jobs + excluded.jobs
    )
    SELECT count(*) FROM moved"""


def settle(conn: Connection, *, limit: int, patience_seconds: float) -> int:
    """Settle up to `limit` jobs, oldest first, and count the completed ones among them; how many there were.

    At rest is a job that has ended, and one that waits for at least `patience_seconds` more, or has done so already:
    a job that is to start soon would only have to be taken out again.
    """
    row = fetch_one(conn, _SETTLE, {"limit": limit, "patience": patience_seconds})
    return row[0] if row else 0
