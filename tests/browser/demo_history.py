"""A day that never was: jobs that ended at all its hours, as if they had run."""

import math
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from scheduler.domain.schedule import Timing
from scheduler.store.connection import Connection

_INSERT: Final[LiteralString] = """
    WITH job AS (
        INSERT INTO jobs (owner_id, name, task_type, task_data, queue, priority, schedule_id,
                          status, attempt, run, result, error, worker,
                          scheduled_at, created_at, next_run_at, picked_at, started_at, completed_at)
        VALUES (1, %(name)s, %(task_type)s, %(task_data)s, %(queue)s, %(priority)s, %(schedule_id)s,
                %(status)s, %(attempts)s, %(attempts)s, %(result)s, %(error)s, 'executor-1',
                %(due)s, %(due)s, %(next_run_at)s, %(next_run_at)s, %(started_at)s, %(finished_at)s)
        RETURNING id
    )
    INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error, logs)
    SELECT job.id, attempt, attempt, status::execution_status, started_at, finished_at,
           extract(epoch FROM finished_at - started_at) * 1000, 'executor-1', error, coalesce(logs, '[]')
    FROM job, jsonb_to_recordset(%(tried)s) AS tried
         (attempt int, status text, started_at timestamptz, finished_at timestamptz, error jsonb, logs jsonb)"""

_RETRY: Final = timedelta(seconds=12)
_LONGEST_AGO: Final = timedelta(weeks=40)
_MOST_OCCURRENCES: Final = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """How a kind of work fails, of how many attempts one, and what such an attempt says."""

    type: str
    message: str
    one_in: int
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of job, so many an hour at noon, or by a schedule. `names` are taken in turn."""

    names: tuple[str, ...]
    task_type: str
    data: dict[str, Any]
    typical_ms: float
    an_hour: float = 0
    timing: Timing | None = None
    queue: str = "default"
    priority: int = 5
    fault: Fault | None = None
    logs: tuple[str, ...] = ()
    result: dict[str, Any] | None = None
    most_attempts: int = 3
    schedule_id: int | None = None


def relive(conn: Connection, works: list[Work], *, until: datetime, hours: int, chance: random.Random) -> None:
    """Write down all of it, in the order in which it was due."""
    dues = sorted(((at, work) for work in works for at in _dues(work, until, hours, chance)), key=lambda each: each[0])
    rows = [_job(work, at, number, chance) for number, (at, work) in enumerate(dues)]
    with conn.cursor() as cursor:
        cursor.executemany(_INSERT, rows)


def _dues(work: Work, until: datetime, hours: int, chance: random.Random) -> Iterable[datetime]:
    """When jobs of it were due: the latest of a schedule, however long ago; the others by day more than by night."""
    if work.timing is not None:
        begin = until - _LONGEST_AGO
        passed = takewhile(lambda at: at < until, work.timing.recurrence(begin).occurrences(begin))
        return deque(passed, maxlen=_MOST_OCCURRENCES)
    shares = (0.55 + 0.45 * math.sin(math.tau * (hours - hour + 3) / 24) for hour in range(hours))
    return [
        until - timedelta(hours=hour + chance.random())
        for hour, share in enumerate(shares)
        for _ in range(round(work.an_hour * share * chance.uniform(0.85, 1.15)))
    ]


def _job(work: Work, due: datetime, number: int, chance: random.Random) -> dict[str, Any]:
    tried, status, at = list[dict[str, Any]](), "", due
    next_run_at = due
    while status != "completed" and len(tried) < work.most_attempts:
        next_run_at = at
        started = at + timedelta(milliseconds=chance.lognormvariate(math.log(9), 0.6))
        finished = started + timedelta(milliseconds=chance.lognormvariate(math.log(work.typical_ms), 0.5))
        is_bad = work.fault is not None and chance.randrange(work.fault.one_in) == 0
        status = "failed" if is_bad else "completed"
        tried.append(_attempt(work, len(tried) + 1, status, started, finished))
        at = finished + _RETRY * 2 ** len(tried)
    last = tried[-1]
    return {
        "name": work.names[number % len(work.names)],
        "task_type": work.task_type,
        "task_data": Jsonb(work.data),
        "queue": work.queue,
        "priority": work.priority,
        "schedule_id": work.schedule_id,
        "status": status,
        "attempts": len(tried),
        "due": due,
        "next_run_at": next_run_at,
        "started_at": last["started_at"],
        "finished_at": last["finished_at"],
        "result": Jsonb(work.result) if work.result and status == "completed" else None,
        "error": Jsonb(last["error"]) if last["error"] else None,
        "tried": Jsonb(tried),
    }


def _attempt(work: Work, number: int, status: str, started: datetime, finished: datetime) -> dict[str, Any]:
    fault = work.fault if status == "failed" else None
    return {
        "attempt": number,
        "status": status,
        "started_at": started.isoformat(),
        "finished_at": finished.isoformat(),
        "error": {"type": fault.type, "message": fault.message} if fault else None,
        "logs": list(fault.logs if fault else work.logs),
    }
