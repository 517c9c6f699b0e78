"""What `scheduler doctor` asks PostgreSQL: can it be reached, what time has it, and what is stuck."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from scheduler.store.connection import Connection, fetch_one

MOST_COUNTED: Final = 10_000
"""Counts stop here: enough to tell trouble, cheap in any backlog."""


def clock_ahead(conn: Connection) -> float:
    """Seconds that the server's clock is ahead of this host's, as exact as half a round trip."""
    before = datetime.now(UTC)
    row = fetch_one(conn, "SELECT clock_timestamp()", {})
    after = datetime.now(UTC)
    server: datetime = row[0] if row else after
    return (server - (before + (after - before) / 2)).total_seconds()


@dataclass(frozen=True, slots=True)
class Stuck:
    """Jobs that wait too long: how many, at most MOST_COUNTED, and the seconds that the oldest has waited."""

    jobs: int
    oldest_seconds: float


_OVERDUE: Final = """
    SELECT count(*), coalesce(extract(epoch FROM now() - min(next_run_at)), 0)::float8
    FROM (SELECT next_run_at FROM jobs
          WHERE picked_at IS NULL AND completed_at IS NULL
            AND next_run_at < now() - make_interval(secs => %(grace)s)
          LIMIT %(limit)s) AS overdue"""

_LAPSED: Final = """
    SELECT count(*), coalesce(extract(epoch FROM now() - min(lease_until)), 0)::float8
    FROM (SELECT lease_until FROM jobs
          WHERE lease_until < now() - make_interval(secs => %(grace)s)
          ORDER BY lease_until LIMIT %(limit)s) AS lapsed"""


def overdue(conn: Connection, *, grace_seconds: float) -> Stuck:
    """Pending jobs that were due more than `grace_seconds` ago."""
    return _stuck(fetch_one(conn, _OVERDUE, {"grace": grace_seconds, "limit": MOST_COUNTED}))


def lapsed(conn: Connection, *, grace_seconds: float) -> Stuck:
    """Picked and running jobs whose lease ran out more than `grace_seconds` ago, and whom nobody has rescued."""
    return _stuck(fetch_one(conn, _LAPSED, {"grace": grace_seconds, "limit": MOST_COUNTED}))


def _stuck(row: tuple[int, float] | None) -> Stuck:
    return Stuck(*row) if row else Stuck(0, 0.0)
