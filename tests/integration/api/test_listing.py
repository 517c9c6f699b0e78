"""GET /api/jobs and executions: filters, orders, pages."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import NotFound
from scheduler.domain.job import NewJob
from scheduler.domain.listing import ExecutionFilter, JobFilter, PageRequest
from scheduler.store.connection import Database
from scheduler.store.intake import create_jobs
from scheduler.store.lists import list_jobs
from scheduler.store.reads import find_executions, get_job, get_status, list_executions
from tests.integration.api.calls import Api


def ids(api: Api, **query: Any) -> list[int]:
    return [job["id"] for job in api.get("/api/jobs", query).ok()["jobs"]]


def walk(api: Api, path: str, rows: str, **query: Any) -> Iterator[list[Any]]:
    """Page after page, by cursor."""
    cursor = ""
    while True:
        body = api.get(path, {**query, "cursor": cursor}).ok()
        yield body[rows]
        cursor = body["pagination"]["next_cursor"]
        if cursor is None:
            return


def insert(db: Database, *jobs: NewJob, caller: Caller = OPERATOR) -> list[int]:
    with db.connection() as connection:
        return create_jobs(connection, caller, jobs)


def noop(**fields: Any) -> NewJob:
    return NewJob(task_type="noop", task_data={}, **fields)


def test_an_empty_list(api: Api) -> None:
    pagination = {"page": 1, "limit": 20, "total": 0, "total_is_estimate": False, "pages": 0, "next_cursor": None}
    assert api.get("/api/jobs").ok() == {"jobs": [], "pagination": pagination}


def test_newest_first_page_by_page(api: Api, db: Database) -> None:
    created = insert(db, *[noop() for _ in range(45)])[::-1]
    first = api.get("/api/jobs").ok()
    assert [job["id"] for job in first["jobs"]] == created[:20]
    assert {name: first["pagination"][name] for name in ("page", "limit", "total", "pages")} == {
        "page": 1,
        "limit": 20,
        "total": 45,
        "pages": 3,
    }
    assert ids(api, page=3) == created[40:]
    assert ids(api, page=4) == []
    assert ids(api, page=2, limit=7) == created[7:14]


def test_filters(api: Api) -> None:
    mail = {"type": "write_file", "data": {"path": "a", "content": 'Say "100%_sure\\" to MÜLLER\nnow'}}
    a = api.create(name="Alpha", queue="one", priority=1, scheduled_at="2026-02-18T23:59:59.999999Z")["id"]
    b = api.create(description="the ALPHABET", priority=2, scheduled_at="2026-02-19T00:00:00Z")["id"]
    c = api.create(task=mail, queue="one", scheduled_at="2026-02-19T23:59:59.999999Z")["id"]
    d = api.create(name="50% off", scheduled_at="2026-02-20T00:00:00Z")["id"]
    api.post(f"/api/cancel/{a}").ok()
    for query, found in [
        ({"status": "pending"}, [d, c, b]),
        ({"status": ["pending", "cancelled"]}, [d, c, b, a]),
        ({"status": "running"}, []),
        ({"taskType": "write_file"}, [c]),
        ({"taskType": "write"}, []),
        ({"queue": "one"}, [c, a]),
        ({"priority": 2}, [b]),
        ({"scheduleId": 7}, []),
        ({"search": "alpha"}, [b, a]),
        ({"search": "müller"}, [c]),
        ({"search": "%"}, [d, c]),
        ({"search": "0%_s"}, [c]),
        ({"search": "l_h"}, []),
        ({"search": 'say "100'}, [c]),
        ({"search": "sure\\"}, [c]),
        ({"search": "\\"}, [c]),
        ({"search": "R\nN"}, [c]),
        ({"search": "';--"}, []),
        ({"search": "WRITE_FILE"}, [c]),
        ({"startDate": "2026-02-19"}, [d, c, b]),
        ({"endDate": "2026-02-19"}, [c, b, a]),
        ({"startDate": "2026-02-19", "endDate": "2026-02-19"}, [c, b]),
        ({"startDate": "2026-02-19T01:00:00+01:00", "endDate": "2026-02-20T00:00:00Z"}, [d, c, b]),
        ({"endDate": "2026-02-19T23:59:59.999998Z"}, [b, a]),
        ({"queue": "one", "status": "pending", "search": "file"}, [c]),
        ({"status": "", "search": "", "queue": "", "cursor": "", "page": ""}, [d, c, b, a]),
    ]:
        body = api.get("/api/jobs", query).ok()
        assert [job["id"] for job in body["jobs"]] == found, query
        assert body["pagination"]["total"] == len(found), query


@pytest.mark.parametrize(
    "sort", ["id", "-id", "scheduled_at", "-scheduled_at", "created_at", "-created_at", "priority", "-priority"]
)
def test_each_order_walks_every_job_once(api: Api, db: Database, sort: str) -> None:
    for i in range(4):  # ties in every key, and times that end in microseconds
        insert(db, *[noop(priority=1 + (i * 7 + n) % 3, delay_seconds=(n % 3) + 0.000001 * i) for n in range(6)])
    pages = list(walk(api, "/api/jobs", "jobs", sort=sort, limit=5))
    seen = [job for page in pages for job in page]
    column, down = sort.removeprefix("-"), sort.startswith("-")
    assert [len(page) for page in pages] == [5, 5, 5, 5, 4]
    assert len({job["id"] for job in seen}) == 24
    assert seen == sorted(seen, key=lambda job: (sortable(job[column]), job["id"]), reverse=down)
    assert seen == api.get("/api/jobs", {"sort": sort, "limit": 200}).ok()["jobs"]


def sortable(key: int | str) -> float:
    return key if isinstance(key, int) else datetime.fromisoformat(key).timestamp()


def test_a_walk_neither_skips_nor_repeats_while_jobs_come_in(api: Api, db: Database) -> None:
    before = insert(db, *[noop() for _ in range(30)])
    seen: list[int] = []
    for page in walk(api, "/api/jobs", "jobs", limit=4):
        seen += [job["id"] for job in page]
        insert(db, noop(), noop(), noop())
    assert seen == before[::-1]


def test_a_cursor_says_its_page(api: Api, db: Database) -> None:
    insert(db, *[noop() for _ in range(5)])
    first = api.get("/api/jobs", {"limit": 2}).ok()["pagination"]
    second = api.get("/api/jobs", {"limit": 2, "page": 1, "cursor": first["next_cursor"]}).ok()["pagination"]
    assert (first["page"], second["page"], second["total"], second["pages"]) == (1, 2, 5, 3)


def test_a_cursor_of_another_order_is_refused(api: Api, db: Database) -> None:
    insert(db, *[noop() for _ in range(3)])
    cursor = api.get("/api/jobs", {"limit": 1, "sort": "priority"}).ok()["pagination"]["next_cursor"]
    assert api.get("/api/jobs", {"limit": 1, "cursor": cursor}).locations() == [["cursor"]]


def test_beyond_ten_thousand_the_total_is_an_estimate(api: Api, db: Database) -> None:
    insert(db, *[noop(queue="a" if n % 2 else "b") for n in range(20_002)])
    with db.connection() as connection:
        connection.execute("ANALYZE jobs")
    everything = api.get("/api/jobs").ok()["pagination"]
    assert everything["total_is_estimate"] is True
    assert 15_000 < everything["total"] < 25_000
    half = api.get("/api/jobs", {"queue": "a"}).ok()["pagination"]
    assert half["total_is_estimate"] is True
    assert half["total"] >= 10_001
    none = api.get("/api/jobs", {"queue": "c"}).ok()["pagination"]
    assert (none["total"], none["total_is_estimate"]) == (0, False)


def test_a_caller_sees_its_own(db: Database) -> None:
    mine, other = Caller(owner_id=1), Caller(owner_id=2)
    (job,) = insert(db, noop(), caller=mine)
    with db.connection() as connection:
        assert get_job(connection, mine, job).owner_id == 1
        assert get_job(connection, OPERATOR, job).id == job
        for read in (get_job, get_status):
            with pytest.raises(NotFound):
                read(connection, other, job)
        with pytest.raises(NotFound):
            list_executions(connection, other, job, PageRequest())
        for caller, total in ((mine, 1), (other, 0), (OPERATOR, 1)):
            page = list_jobs(connection, caller, JobFilter(), PageRequest())
            assert (len(page.items), page.total) == (total, total)


RECORD = """
    INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error, logs)
    SELECT %s, run, run, 'failed', now(), now() + interval '1 second', 1000, 'w', '{"type": "x"}', '["one", "two"]'
    FROM generate_series(1, %s) AS run"""


def test_executions_newest_first(api: Api, db: Database) -> None:
    (job, other) = insert(db, noop(), noop())
    with db.connection() as connection:
        connection.execute(RECORD, (other, 3))
        connection.execute(RECORD, (job, 5))
    pages = list(walk(api, f"/api/jobs/{job}/executions", "executions", limit=2))
    assert [[each["attempt"] for each in page] for page in pages] == [[5, 4], [3, 2], [1]]
    path = f"/api/jobs/{job}/executions"
    assert [each["attempt"] for each in api.get(path, {"page": 2, "limit": 2}).ok()["executions"]] == [3, 2]
    body = api.get(path).ok()
    assert body["pagination"]["total"] == 5
    newest = body["executions"][0]
    expected = {"id", "job_id", "attempt", "status", "started_at", "finished_at", "duration_ms", "worker", "error"}
    assert newest.keys() == expected | {"result", "logs"}
    assert (newest["job_id"], newest["status"], newest["duration_ms"]) == (job, "failed", 1000)
    assert (newest["error"], newest["result"], newest["logs"]) == ({"type": "x"}, None, ["one", "two"])
    assert newest["started_at"].endswith("Z")


def test_executions_of_all_jobs(api: Api, db: Database) -> None:
    (job, other) = insert(db, noop(), noop())
    with db.connection() as connection:
        connection.execute(RECORD, (other, 3))
        connection.execute(RECORD, (job, 2))
        connection.execute("UPDATE executions SET status = 'lost', worker = 'v' WHERE run = 2")
    both = [(job, 2), (job, 1), (other, 3), (other, 2), (other, 1)]
    for query, found in [
        ({}, both),
        ({"jobId": other}, both[2:]),
        ({"jobId": 10**9}, []),
        ({"status": "lost"}, [(job, 2), (other, 2)]),
        ({"status": ["lost", "failed"]}, both),
        ({"worker": "v", "jobId": job}, [(job, 2)]),
        ({"worker": ""}, both),
    ]:
        body = api.get("/api/executions", query).ok()
        assert [(each["job_id"], each["attempt"]) for each in body["executions"]] == found, query
        assert body["pagination"]["total"] == len(found), query
    pages = list(walk(api, "/api/executions", "executions", limit=2))
    assert [(each["job_id"], each["attempt"]) for page in pages for each in page] == both


def test_a_caller_sees_the_executions_of_its_own_jobs(db: Database) -> None:
    (mine,) = insert(db, noop(), caller=Caller(owner_id=1))
    with db.connection() as connection:
        connection.execute(RECORD, (mine, 1))
        for caller, total in ((Caller(owner_id=1), 1), (Caller(owner_id=2), 0), (OPERATOR, 1)):
            page = find_executions(connection, caller, ExecutionFilter(), PageRequest())
            assert (len(page.items), page.total) == (total, total)
