"""Who is at work: pickers and executors say so, and who has not for a while is gone."""

from datetime import UTC
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.queue import NewWorker, WorkerState
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.filters import OWNED, ownership

REPORT_SECONDS: Final = 5.0
"""How often each says that it lives."""
GONE_SECONDS: Final = 20.0

_REPORT: Final = """
    WITH gone AS (
        DELETE FROM workers WHERE name IN (
            SELECT name FROM workers WHERE seen_at < now() - make_interval(secs => %(gone)s) FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO workers (name, kind, host, pid, version, queues, capacity)
    VALUES (%(name)s, %(kind)s, %(host)s, %(pid)s, %(version)s, %(queues)s, %(capacity)s)
    ON CONFLICT (name) DO UPDATE SET seen_at = now()"""


def report(conn: Connection, worker: NewWorker) -> None:
    """Say that this one lives; those that have not for GONE_SECONDS are forgotten."""
    conn.execute(
        _REPORT,
        {
            "name": worker.name,
            "kind": worker.kind,
            "host": worker.host,
            "pid": worker.pid,
            "version": worker.version,
            "queues": list(worker.queues),
            "capacity": worker.capacity,
            "gone": GONE_SECONDS,
        },
    )


_DEPART: Final = "DELETE FROM workers WHERE name = %(name)s"


def depart(conn: Connection, name: str) -> None:
    """Say that this one ends."""
    conn.execute(_DEPART, {"name": name})


_LIVE: Final = """
    SELECT name, kind, host, pid, version, queues, capacity, started_at, extract(epoch FROM now() - seen_at)::float8,
           (SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL AND status = 'running' AND worker = workers.name)
    FROM workers WHERE seen_at >= now() - make_interval(secs => %(gone)s)
    ORDER BY kind, name"""


def live_workers(conn: Connection) -> list[WorkerState]:
    """Those that live, executors first."""
    return [
        WorkerState(
            name=row[0],
            kind=row[1],
            host=row[2],
            pid=row[3],
            version=row[4],
            queues=tuple(row[5]),
            capacity=row[6],
            started_at=row[7].astimezone(UTC),
            heartbeat_age_seconds=row[8],
            running=row[9],
        )
        for row in fetch_all(conn, _LIVE, {"gone": GONE_SECONDS})
    ]


_RUNNING: Final = f"""
    SELECT worker, (array_agg(id ORDER BY started_at))[1:%(limit)s] FROM jobs
    WHERE lease_until IS NOT NULL AND status = 'running' AND {OWNED} GROUP BY worker"""


def running_jobs(conn: Connection, caller: Caller, *, limit: int) -> dict[str, list[int]]:
    """By worker, the jobs that it runs and the caller may see: the longest running first, `limit` at most."""
    return dict(fetch_all(conn, _RUNNING, {"limit": limit, **ownership(caller)}))
