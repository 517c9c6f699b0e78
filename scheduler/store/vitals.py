"""What the whole system suffers from: what alerts are about."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from scheduler.store.backlog import upcoming, upcoming_keyed
from scheduler.store.connection import Connection, fetch_one


@dataclass(frozen=True, slots=True)
class Failures:
    """Attempts that ended, cancelled ones aside, and those of them that failed, timed out or were lost."""

    failed: int
    ended: int

    @property
    def rate(self) -> float:
        """From 0 to 1."""
        return self.failed / self.ended if self.ended else 0.0


_FAILURES: Final = """
    SELECT coalesce(sum(attempts) FILTER (WHERE status IN ('failed', 'timed_out', 'lost')), 0)::bigint,
           coalesce(sum(attempts) FILTER (WHERE status <> 'cancelled'), 0)::bigint
    FROM attempt_slots WHERE slot > now() - %(window)s::interval AND measure = 'duration'"""


def recent_failures(conn: Connection, window: timedelta) -> Failures:
    """Of the attempts that are added up so far, those that ended within `window`, to the five minutes."""
    row = fetch_one(conn, _FAILURES, {"window": window})
    return Failures(*row) if row else Failures(0, 0)


def oldest_due_seconds(conn: Connection) -> float:
    """How long the job that has waited longest has been due and could be claimed; reads an index entry or two a queue,
    priority and key."""
    waits = [-each.seconds for each in (*upcoming(conn), *upcoming_keyed(conn))]
    return max(waits, default=0.0)


_SCHEDULE_LATE: Final = """
    SELECT coalesce(extract(epoch FROM now() - min(make_at)), 0)::float8 FROM schedules WHERE make_at IS NOT NULL"""


def schedule_late_seconds(conn: Connection) -> float:
    """How long ago the oldest occurrence that has no job should have got one; below zero when none is late."""
    row = fetch_one(conn, _SCHEDULE_LATE, {})
    return row[0] if row else 0.0
