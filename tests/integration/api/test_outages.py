"""Servers that are away, and what the process says about them."""

from contextlib import closing
from dataclasses import replace

import pytest

from scheduler.api.app import Services, create_app
from scheduler.queue import Signals
from scheduler.store.connection import Database
from tests.eventually import eventually
from tests.integration.api.calls import NOOP, Api

READ = [
    "/api/jobs",
    "/api/jobs/1",
    "/api/jobs/1/status",
    "/api/jobs/1/executions",
    "/api/executions",
    "/api/dead-letter",
]


@pytest.mark.parametrize("path", READ)
def test_reads_are_unavailable_without_postgresql(storeless: Api, path: str) -> None:
    answer = storeless.get(path)
    assert "PostgreSQL" in answer.problem(503)["detail"]
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_log_in_is_asked_to_wait_as_long_as_everything_else(storeless: Api) -> None:
    """Not until its address may log in more often again."""
    answer = storeless.post("/api/auth/login", {"email": "ada@example.com", "password": "long enough, is it?"})
    answer.problem(503)
    assert answer.headers["Retry-After"] == storeless.get("/api/jobs").headers["Retry-After"]


@pytest.mark.parametrize("path", ["/api/cancel/1", "/api/retry/1", "/api/duplicate/1"])
def test_writes_are_unavailable_without_postgresql(storeless: Api, path: str) -> None:
    assert int(storeless.post(path).headers["Retry-After"]) >= 1
    storeless.post(path).problem(503)
    storeless.post("/api/job", {"task": NOOP}).problem(503)
    storeless.post("/api/bulk/create", {"jobs": [{"task": NOOP}]}).problem(503)
    for path in ("/api/bulk/cancel", "/api/bulk/retry", "/api/bulk/duplicate", "/api/dead-letter/retry"):
        storeless.post(path, {"ids": [1]}).problem(503)
        storeless.post(path, {"filter": {}}).problem(503)
    storeless.delete("/api/dead-letter", {"ids": [1]}).problem(503)
    storeless.post("/api/templates", {"name": "t", "task": NOOP}).problem(503)
    storeless.post("/api/templates/1/use").problem(503)
    storeless.delete("/api/templates/1").problem(503)
    storeless.patch("/api/jobs/1", {}).problem(503)
    storeless.put("/api/jobs/1", {}).problem(503)
    storeless.delete("/api/jobs/1").problem(503)


def test_it_recovers_when_its_connections_are_killed(api: Api, db: Database, database_url: str) -> None:
    job = api.create()
    with closing(Database(database_url, name="killer")) as other, other.connection() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert api.get(f"/api/jobs/{job['id']}").ok() == job


def test_without_redis_jobs_are_still_taken(services: Services, closed_port: int) -> None:
    with closing(Signals(f"redis://127.0.0.1:{closed_port}/0")) as away:
        api = Api(create_app(replace(services, signals=away)))
        job = api.create()["id"]
        api.post(f"/api/cancel/{job}").ok()
        api.post(f"/api/retry/{job}").ok()


def test_ready(api: Api) -> None:
    body = api.get("/readyz").ok()
    assert body["status"] == "ready"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "postgresql": "ok",
        "redis": "ok",
        "schema": "ok",
    }


def test_unready_without_redis(services: Services, closed_port: int) -> None:
    with closing(Signals(f"redis://127.0.0.1:{closed_port}/0")) as away:
        body = Api(create_app(replace(services, signals=away))).get("/readyz").ok(503)
    assert body["status"] == "unready"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "postgresql": "ok",
        "redis": "failed",
        "schema": "ok",
    }
    assert "Redis" in body["checks"]["redis"]["detail"]


def test_unready_without_postgresql(storeless: Api) -> None:
    answer = storeless.get("/readyz")
    assert answer.headers["Retry-After"] == "2"
    checks = answer.ok(503)["checks"]
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ("postgresql", "redis", "schema"), "failed"
    )
    assert "PostgreSQL" in checks["postgresql"]["detail"]


def test_unready_without_its_schema(api: Api, db: Database) -> None:
    with db.connection() as connection:
        connection.execute("DROP TABLE schema_migrations")
    schema = api.get("/readyz").ok(503)["checks"]["schema"]
    assert schema["status"] == "failed"
    assert "scheduler migrate" in schema["detail"]


def test_ready_with_a_newer_schema(api: Api, db: Database) -> None:
    with db.connection() as connection:
        connection.execute("INSERT INTO schema_migrations (version, name, sha256) VALUES (9999, 'x', 'x')")
    assert "version 9999, newer than" in api.get("/readyz").ok()["checks"]["schema"]["detail"]


def test_alive_whatever_is_away(storeless: Api) -> None:
    assert storeless.get("/healthz").ok() == {"status": "ok", "version": "1.2.3"}


def test_ready_again_after_an_outage(services: Services, api: Api, database_url: str, closed_port: int) -> None:
    assert api.get("/readyz").ok()
    with closing(Database(database_url, name="other", max_size=1, timeout=1.0)) as narrow:
        crowded = Api(create_app(replace(services, database=narrow)))
        with narrow.connection():
            crowded.get("/api/jobs").problem(503)  # the one connection is taken
        eventually(lambda: crowded.get("/api/jobs").status == 200, what="the pool's recovery")
