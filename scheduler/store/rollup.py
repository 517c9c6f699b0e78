"""Ended attempts added up for statistics, in the background, each once.

Executions are taken in the order of their ids, up to one below which no other can still appear: a statement that
records an attempt has changed its job before it draws the id, so it has a transaction id by then; once every
transaction has ended that had one when the id was seen, the ids up to it are whole.
"""

from typing import Final

from scheduler.store.connection import Connection, fetch_one

BATCH: Final = 20_000

MEASURED: Final = """
    measured AS (  -- a job's last attempt alone tells what it waited: before that, next_run_at was another
        SELECT date_bin('5 minutes', finished_at, 'epoch') AS slot, owner_id, task_type, status, measure,
               floor(8 * ln(greatest(ms, 0.01)) / ln(2.0::float8))::smallint AS bucket, count(*) AS attempts
        FROM (SELECT executions.*, owner_id, task_type,
                     CASE WHEN jobs.started_at = executions.started_at
                     THEN extract(epoch FROM jobs.started_at - next_run_at)::float8 * 1000 END AS wait_ms
              FROM executions JOIN jobs ON jobs.id = executions.job_id
              WHERE executions.id > %(after)s AND executions.id <= %(through)s) AS attempts
        CROSS JOIN LATERAL (VALUES ('duration', duration_ms), ('wait', wait_ms)) AS each(measure, ms)
        WHERE ms IS NOT NULL
        GROUP BY slot, owner_id, task_type, status, measure, bucket
    )"""
"""A range of executions, added up: BUCKETS_PER_DOUBLING buckets to the power of two, from SHORTEST_MS."""

_HOLD: Final = "SELECT FROM rollup FOR UPDATE"
"""A statement of its own: the snapshot of the next one is younger than what it reads there."""

_TAKE: Final = """
    SELECT through, least(next_through, through + %(batch)s), next_through
    FROM rollup CROSS JOIN pg_current_snapshot() AS now
    WHERE through < next_through
      AND (next_is_whole_at <= pg_snapshot_xmin(now)
           OR next_is_whole_at >= pg_snapshot_xmax(now))  -- of the server that was backed up: all of that has ended"""

_ADD: Final = f"""
    WITH {MEASURED}, moved AS (
        UPDATE rollup SET through = %(through)s
    )
    INSERT INTO attempt_slots AS slots (slot, owner_id, task_type, status, measure, bucket, attempts)
    SELECT slot, owner_id, task_type, status, measure, bucket, attempts FROM measured
    ON CONFLICT (slot, owner_id, task_type, status, measure, bucket)
    DO UPDATE SET attempts = slots.attempts + excluded.attempts"""

_LOOK_AHEAD: Final = """
    UPDATE rollup SET next_through = newest.id, next_is_whole_at = pg_current_xact_id()
    FROM (SELECT max(id) AS id FROM executions) AS newest
    WHERE through = next_through AND newest.id > next_through"""

_FORGET: Final = "DELETE FROM attempt_slots WHERE slot < now() - make_interval(hours => %(hours)s)"


def roll_up(conn: Connection, *, batch: int = BATCH) -> bool:
    """Add up a batch of executions, if there is one that is whole; whether there is more."""
    with conn.transaction():
        conn.execute(_HOLD)
        if taken := fetch_one(conn, _TAKE, {"batch": batch}):
            after, through, next_through = taken
            conn.execute(_ADD, {"after": after, "through": through})
            return through < next_through
    conn.execute(_LOOK_AHEAD)
    return False


def forget_slots(conn: Connection, *, hours: int) -> None:
    """Drop what is older than any window that statistics look at."""
    conn.execute(_FORGET, {"hours": hours})
