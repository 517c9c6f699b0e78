"""A table as it is after a while: some jobs to do, among very many for later and very many that have ended."""

from scheduler.store.connection import Connection

CROWD = 100_000
DUE = 500
HELD = 100


def crowd_in(conn: Connection) -> list[int]:
    """Insert DUE due jobs and HELD running ones among CROWD for later and CROWD that have ended; the running ones."""
    conn.execute(
        """INSERT INTO jobs (task_type, task_data, priority, next_run_at)
        SELECT 'note', '{}', 1 + n %% 9, now() + n * interval '1 s' + interval '1 h'
        FROM generate_series(1, %s) AS n""",
        (CROWD,),
    )
    conn.execute(
        """INSERT INTO jobs (task_type, task_data, status, attempt, run, picked_at, started_at, completed_at,
                             next_run_at)
        SELECT 'note', '{}', 'completed', 1, 1, now(), now(), now(), now() - n * interval '1 s'
        FROM generate_series(1, %s) AS n""",
        (CROWD,),
    )
    conn.execute(
        """INSERT INTO jobs (task_type, task_data, priority, next_run_at)
        SELECT 'note', '{}', 1 + n %% 9, now() - n * interval '1 s' FROM generate_series(1, %s) AS n""",
        (DUE,),
    )
    rows = conn.execute(
        """INSERT INTO jobs (task_type, task_data, status, attempt, run, picked_at, started_at, worker, lease_until)
        SELECT 'note', '{}', 'running', 1, 1, now(), now(), 'w', now() + interval '1 day'
        FROM generate_series(1, %s) RETURNING id""",
        (HELD,),
    ).fetchall()
    return [job_id for (job_id,) in rows]
