"""Schedules that are due in the same second, among very many that are not."""

from scheduler.domain.schedule import Overlap
from scheduler.store.connection import Connection

CROWD = 100_000
DUE = 1_000

_CROWD = """
    INSERT INTO schedules (cron, timezone, misfire, overlap, jitter_seconds, name, task_type, task_data, queue,
        priority, max_attempts, timeout_seconds, retry_backoff, retry_delay_seconds, retry_max_delay_seconds,
        retry_jitter, enabled, next_at, make_at)
    SELECT concat_ws(' ', n %% 60, n %% 24, extract(day FROM now() + interval '14 days'), '*', '*'),  -- never now
        'Europe/Berlin', 'run_once', %(overlap)s, 0, 'n', 'noop', '{}', 'default', 5, 3, 30, 'fixed', 5, 60, false,
        true, t.next_at, t.next_at - %(ahead)s * interval '1 s'
    FROM generate_series(1, %(count)s) AS n
    CROSS JOIN LATERAL (SELECT date_trunc('second', now()) + %(later)s * make_interval(secs => n + 60)
                               + %(seconds)s * interval '1 s' AS next_at) AS t"""


def crowd_in(conn: Connection, *, later: int, due: int, seconds: float = 2, overlap: Overlap = Overlap.ALLOW) -> None:
    """So many schedules that are due in so many seconds, among so many that are due one by one after a minute.

    As the store has them, each makes its job 5 s ahead; where it skips what overlaps, on time.
    """
    ahead = 5 if overlap is Overlap.ALLOW else 0
    for count, step in ((later, 1), (due, 0)):
        conn.execute(
            _CROWD, {"count": count, "later": step, "seconds": seconds, "ahead": ahead, "overlap": overlap.value}
        )
    conn.execute("VACUUM (ANALYZE) schedules")
