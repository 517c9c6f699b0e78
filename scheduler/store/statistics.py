"""What attempts of the last hours came to: what was added up in the background, and what is yet to be."""

from datetime import datetime, timedelta
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.states import ExecutionStatus
from scheduler.domain.statistics import Performance, Tally, performance, timeline_step
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.filters import OWNED, ownership
from scheduler.store.rollup import MEASURED

_WINDOW: Final = """
    SELECT through, clock_timestamp(), date_bin(%(step)s, clock_timestamp() - %(window)s, 'epoch') FROM rollup"""

_TALLIES: Final = f"""
    WITH {MEASURED}
    SELECT date_bin(%(step)s, slot, 'epoch'), status::text, measure, bucket, sum(attempts)::bigint
    FROM (
        SELECT slot, status, measure, bucket, attempts, owner_id FROM attempt_slots
        UNION ALL
        SELECT slot, status, measure, bucket, attempts, owner_id FROM measured
    ) AS counted
    WHERE slot BETWEEN %(since)s AND %(now)s AND {OWNED}
    GROUP BY 1, status, measure, bucket"""

_LAST: Final = 2**63 - 1


def recent_performance(conn: Connection, caller: Caller, window: timedelta) -> Performance:
    """How attempts went that ended within `window`, which begins where a stretch of its timeline does."""
    step = timeline_step(window)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = fetch_one(conn, _WINDOW, {"step": step, "window": window})
        assert row is not None
        through, now, since = row
        parameters = {"after": through, "through": _LAST, "since": since, "now": now, "step": step, **ownership(caller)}
        rows = fetch_all(conn, _TALLIES, parameters)
    tallies = [Tally(at, ExecutionStatus(status), *measured) for at, status, *measured in rows]
    return performance(tallies, stretches=_stretches(since, now, step), minutes=(now - since).total_seconds() / 60)


def _stretches(since: datetime, now: datetime, step: timedelta) -> list[datetime]:
    """Every beginning of a stretch, from `since` to the one that `now` falls in."""
    return [since + n * step for n in range((now - since) // step + 1)]
