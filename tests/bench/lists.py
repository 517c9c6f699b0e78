"""Lists, statistics and the export over very many jobs at rest: how long each filter takes, whatever the order."""

import itertools
import json
import time
import urllib.request
from math import ceil
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import click
import psycopg
from psycopg import sql

from scheduler.domain.listing import Sort
from scheduler.store.rollup import roll_up
from tests.bench.http_load import get, rate
from tests.credentials import bearer

BAR_MS: Final = 50.0
_SECONDS: Final = 0.5
_EXPORTED_ROWS: Final = 1_000_000
_BATCH: Final = 1_000_000

_INSERT: Final = """
    INSERT INTO jobs (owner_id, name, task_type, task_data, queue, priority, status, schedule_id, scheduled_at,
                      next_run_at, created_at, attempt, run, picked_at, started_at, completed_at, worker, error,
                      settled)
    SELECT n % 20,
           CASE WHEN n = 777 THEN 'needle in hay' WHEN n % 10000 = 7 THEN 'seldom seen'
                WHEN n % 3 = 0 THEN 'mail ' || n END,
           CASE WHEN n < %(jobs)s / 20 THEN 'old_kind' WHEN n % 100000 = 9 THEN 'rare_kind'
                ELSE (ARRAY['noop', 'send_email', 'api', 'write_file', 'read_file', 'create_folder'])[1 + n % 6] END,
           jsonb_build_object('to', 'user' || n * 7919 % 5003 || '@example.com', 'subject',
               words[1 + n * 31 % 24] || ' ' || words[1 + n * 17 % 23] || ' ' || words[1 + n / 100 % 24]),
           CASE WHEN n % 50000 = 3 THEN 'seldom' ELSE (ARRAY['default', 'mail', 'reports', 'bulk'])[1 + n * 3 % 4] END,
           1 + n * 5 % 9, status, CASE WHEN n % 4 = 0 THEN 1 + n * 13 % 1000 END, scheduled_at, scheduled_at,
           created_at, has_run, has_run, ran_at, ran_at, ran_at + interval '0.1 s', 'executor-1',
           CASE WHEN status = 'failed' THEN '{"type": "ValueError", "message": "no"}'::jsonb END, true
    FROM (
        SELECT *, (status <> 'pending')::int AS has_run, CASE WHEN status <> 'pending' THEN scheduled_at END AS ran_at
        FROM (
            SELECT n, (CASE WHEN n > ended THEN 'pending' WHEN n % 100 = 1 THEN 'failed'
                            WHEN n % 300 = 2 THEN 'cancelled' ELSE 'completed' END)::job_status AS status, created_at,
                   CASE WHEN n > ended THEN now() + (n * 7919 % 2592000 + 3600) * interval '1 s'
                        WHEN n % 5 = 0 THEN least(now(), created_at + (n * 7919 % 604800) * interval '1 s')
                        ELSE created_at END AS scheduled_at
            FROM (SELECT n, ended,
                         now() - interval '1 hour' - CASE WHEN n > ended THEN interval '1 hour' * (1 - n / jobs)
                                                     ELSE interval '365 days' * (1 - n / ended) END AS created_at
                  FROM (SELECT n, %(jobs)s::float8 AS jobs, %(jobs)s * 0.9::float8 AS ended
                        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS numbered) AS created
        ) AS standing
    ) AS ran, (SELECT string_to_array(
        'invoice report order welcome reminder backup weekly monthly summary customer payment receipt delivery refund '
        'account password newsletter contract archive ticket survey offer stock price', ' ') AS words) AS vocabulary
""".replace(" % ", " %% ")

_EXECUTIONS: Final = """
    INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error)
    SELECT id, run, attempt, (CASE status WHEN 'completed' THEN 'completed' ELSE 'failed' END)::execution_status,
           started_at, completed_at, 100, worker, error
    FROM jobs WHERE settled_as IN ('completed', 'failed') AND scheduled_at > now() - interval '8 days'"""

_COMPLETED: Final = """
    INSERT INTO completed_counts
    SELECT owner_id, task_type, count(*) FROM jobs WHERE settled_as = 'completed' GROUP BY owner_id, task_type"""

_LIST_INDEXES: Final = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'jobs' AND indexdef ~ 'settled_as'"

FILTERS: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "completed": {"status": "completed"},
    "failed": {"status": "failed"},
    "pending": {"status": "pending"},
    "running": {"status": "running"},
    "task type of a sixth": {"taskType": "api"},
    "task type of one in 100,000": {"taskType": "rare_kind"},
    "task type of the oldest twentieth": {"taskType": "old_kind"},
    "queue of a quarter": {"queue": "mail"},
    "queue of one in 50,000": {"queue": "seldom"},
    "priority": {"priority": 5},
    "schedule of one in 4,000": {"scheduleId": 13},
    "word of all": {"search": "example"},
    "word of a twelfth": {"search": "invoice"},
    "words of one in 10,000": {"search": "seldom seen"},
    "word of one in 5,000": {"search": "user4711@"},
    "word of one": {"search": "needle"},
    "word of none": {"search": "nowhere"},
    "two letters": {"search": "zq"},
    "a day": {"startDate": "-200", "endDate": "-200"},
    "an hour": {"startDate": "-200T10:00:00Z", "endDate": "-200T11:00:00Z"},
    "a week": {"startDate": "-250", "endDate": "-244"},
    "a month": {"startDate": "-330", "endDate": "-300"},
    "up to half a year ago": {"endDate": "-180"},
    "from a month ago": {"startDate": "-30"},
    "the week to come": {"startDate": "1", "endDate": "7"},
    "failed in a week": {"status": "failed", "startDate": "-250", "endDate": "-244"},
    "task type in a week": {"taskType": "api", "startDate": "-250", "endDate": "-244"},
    "task type in the last week": {"taskType": "api", "startDate": "-6", "endDate": "0"},
    "word in a week": {"search": "invoice", "startDate": "-250", "endDate": "-244"},
    "failed of a queue": {"status": "failed", "queue": "bulk"},
    "task type of a queue": {"taskType": "api", "queue": "reports"},
    "failed with a word": {"status": "failed", "search": "invoice"},
    "task type with a rare word": {"taskType": "api", "search": "seldom seen"},
    "schedule of a queue": {"scheduleId": 13, "queue": "mail"},
}
"""Filters by what they match; a date is so many days from now."""


def fill(database_url: str, jobs: int) -> None:
    """Put in settled jobs, their indexes last, and what statistics know of them."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off; SET maintenance_work_mem = '2GB'; SET work_mem = '256MB'")
        indexes = conn.execute(_LIST_INDEXES).fetchall()
        for name, _ in indexes:
            conn.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        for first in range(1, jobs + 1, _BATCH):
            last = min(first + _BATCH - 1, jobs)
            conn.execute(_INSERT.encode(), {"jobs": jobs, "first": first, "last": last})
        conn.execute("VACUUM (ANALYZE) jobs")
        for _, definition in indexes:
            conn.execute(definition.encode())
        conn.execute(_EXECUTIONS)
        conn.execute(_COMPLETED.encode())
        while roll_up(conn) or roll_up(conn):
            pass
        conn.execute("VACUUM (ANALYZE)")


def measure(url: str) -> dict[str, Any]:
    """Milliseconds of every filter and of the statistics, and rows a second of the export.

    A filter's median is that of its slowest order, its 99th percentile that of as many requests of each: of the some
    tens in one order alone it would be the slowest.
    """
    figures: dict[str, Any] = {}
    for name, wanted in FILTERS.items():
        by_order = {sort: _timed(url, "/api/jobs", {**_dated(wanted), "sort": sort.value}) for sort in Sort}
        slowest = max(by_order, key=lambda sort: median(by_order[sort]))
        fewest = min(map(len, by_order.values()))
        p99 = _p99([time for times in by_order.values() for time in times[:fewest]])
        if p99 > BAR_MS:
            click.echo(f"over {BAR_MS:g} ms: {name}: {p99:.1f}", err=True)
        figures[f"{name}, {slowest.value}: p50 ms"], figures[f"{name}: p99 ms"] = median(by_order[slowest]), p99
    for hours in (24, 168):
        times = _timed(url, "/api/stats", {"hours": hours})
        figures[f"stats of {hours} hours: p50 ms"] = median(times)
        figures[f"stats of {hours} hours: p99 ms"] = _p99(times)
    return figures | _exported(url)


def _timed(url: str, path: str, query: dict[str, Any]) -> list[float]:
    """The milliseconds of each request; of a list, for its first page and the one after in turn."""
    paths = [f"{path}?{urlencode(query)}"]
    with urllib.request.urlopen(urllib.request.Request(url + paths[0], headers=bearer())) as answer:
        cursor = json.load(answer).get("pagination", {}).get("next_cursor")
    if cursor is not None:
        paths.append(f"{path}?{urlencode({**query, 'cursor': cursor})}")
    requests = itertools.cycle([get(each) for each in paths])
    measured = rate(url, lambda: next(requests), status=200, connections=1, seconds=_SECONDS)
    assert not measured.refused
    return measured.milliseconds


def _p99(times: list[float]) -> float:
    return sorted(times)[ceil(len(times) * 0.99) - 1]


def _exported(url: str) -> dict[str, Any]:
    """How soon the export of everything begins, and how quick its first rows come."""
    began = time.monotonic()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/jobs/export", headers=bearer())) as answer:
        next(answer)
        first = time.monotonic() - began
        rows = sum(1 for _ in itertools.islice(answer, _EXPORTED_ROWS))
        return {"export, first row s": first, "export, rows/s": rows / (time.monotonic() - began)}


def _dated(wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: _date(value) if name.endswith("Date") else value for name, value in wanted.items()}


def _date(text: str) -> str:
    days, mark, hour = text.partition("T")
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + int(days) * 86_400)) + mark + hour
