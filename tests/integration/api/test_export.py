"""GET /api/jobs/export: a file of any length, in little memory."""

import csv
import io
import tracemalloc
from contextlib import closing
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from scheduler.api.app import Services, create_app
from scheduler.api.services import EXPORTS_AT_ONCE
from scheduler.store.connection import Database
from scheduler.store.export import CHUNK_BYTES, COLUMNS
from scheduler.store.settling import settle
from tests.credentials import bearer
from tests.eventually import eventually
from tests.integration.api.calls import Api


def exported(api: Api, **query: Any) -> list[dict[str, str]]:
    answer = api.get("/api/jobs/export", query)
    answer.ok()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_an_empty_export_is_a_line_of_names(api: Api) -> None:
    answer = api.get("/api/jobs/export")
    assert answer.text == ",".join(COLUMNS) + "\n"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="jobs-')
    assert answer.headers["Content-Disposition"].endswith('.csv"')


def test_jobs_newest_first(api: Api, db: Database) -> None:
    first = api.create(name='say "hi", twice\nor so', scheduled_at="2026-02-19T10:00:00.5Z", priority=2)
    with db.connection() as connection:
        assert settle(connection, limit=10, patience_seconds=0) == 1
    second = api.create()
    rows = exported(api)
    assert [int(row["id"]) for row in rows] == [second["id"], first["id"]]
    row = rows[1]
    assert row["name"] == first["name"]
    assert row["scheduled_at"] == "2026-02-19T10:00:00.500000Z"
    assert (row["task_type"], row["task_data"], row["status"], row["priority"]) == ("noop", "{}", "pending", "2")
    assert (row["error"], row["completed_at"], row["timeout_seconds"]) == ("", "", "30")


def test_filters(api: Api) -> None:
    api.create(queue="one")
    other = api.create(queue="two", name="Needle")["id"]
    for query in ({"queue": "two"}, {"search": "needle"}, {"status": "pending", "search": "eedl"}):
        assert [int(row["id"]) for row in exported(api, **query)] == [other]
    assert exported(api, status="running") == []
    assert api.get("/api/jobs/export", {"status": "none"}).locations() == [["status", 0]]
    assert api.get("/api/jobs/export", {"limit": 5}).locations() == [["limit"]]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_formula_is_escaped(api: Api, first: str) -> None:
    api.create(name=f"{first}cmd|' /C calc'!A0", unique_key=f"{first}1", queue="-q")
    (row,) = exported(api)
    assert row["name"].startswith("'" + first)
    assert row["unique_key"] == f"'{first}1"
    assert row["queue"] == "'-q"


def test_a_negative_result_is_escaped(api: Api, db: Database) -> None:
    api.create()
    with db.connection() as connection:
        connection.execute(
            "UPDATE jobs SET status = 'completed', attempt = 1, run = 1, picked_at = now(), "
            "started_at = now(), completed_at = now(), result = '-1'"
        )
    assert exported(api)[0]["result"] == "'-1"


ROWS = 100_000


class Caller(Client):
    """A client with credentials that leaves answers unread."""

    def open(self, *arguments: Any, **options: Any) -> TestResponse:
        return super().open(*arguments, headers=bearer(), **options)


@pytest.fixture
def many(db: Database) -> None:
    with db.connection() as connection:
        connection.execute(
            "INSERT INTO jobs (name, task_type, task_data) SELECT 'job ' || n, 'noop', '{}'"
            " FROM generate_series(1, %s) AS n",
            (ROWS,),
        )


@pytest.mark.usefixtures("many")
def test_a_large_export_takes_little_memory(services: Services) -> None:
    client = Caller(create_app(services))
    tracemalloc.start()
    try:
        response = client.get("/api/jobs/export")
        lines = sum(chunk.count(b"\n") for chunk in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == ROWS + 1
    assert peak < 40 * CHUNK_BYTES


@pytest.mark.usefixtures("many")
def test_a_client_that_hangs_up_frees_its_place_and_its_connection(services: Services, db: Database) -> None:
    client = Caller(create_app(services))
    for _ in range(EXPORTS_AT_ONCE + 1):
        with closing(client.get("/api/jobs/export")) as response:
            assert response.status_code == 200
            assert next(response.iter_encoded()).startswith(b"id,name")
            assert copying(db) == 1
        eventually(lambda: copying(db) == 0)


@pytest.mark.usefixtures("many")
def test_more_exports_than_there_are_places_are_put_off(services: Services) -> None:
    client = Caller(create_app(services))
    running = [client.get("/api/jobs/export") for _ in range(EXPORTS_AT_ONCE)]
    refused = client.get("/api/jobs/export")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get("/api/jobs").status_code == 200
    for response in running:
        response.close()
    assert client.get("/api/jobs/export").status_code == 200


def test_an_export_without_a_database_keeps_no_place(storeless: Api) -> None:
    for _ in range(EXPORTS_AT_ONCE + 1):
        storeless.get("/api/jobs/export").problem(503)


def copying(db: Database) -> int:
    with db.connection() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'active' AND query LIKE '%COPY (%'"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone()
    assert row is not None
    return row[0]
