"""POST /api/job, and the reads of one job."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.api.calls import NOOP, Api

# fmt: off
CONTRACT_FIELDS = [
    "id", "name", "description", "task", "status", "queue", "priority", "scheduled_at", "next_run_at",
    "attempt", "max_attempts", "timeout_seconds", "retry", "unique_key", "concurrency_key", "expires_at",
    "created_at", "updated_at", "picked_at", "started_at", "completed_at", "result", "error", "progress",
    "schedule_id", "template_id", "duplicated_from", "owner_id",
]
# fmt: on


def test_a_created_job_is_the_contracts_job(api: Api) -> None:
    answer = api.post("/api/job", {"task": NOOP})
    job = answer.ok(201)
    assert list(job) == CONTRACT_FIELDS
    assert answer.headers["Location"] == f"/api/jobs/{job['id']}"
    assert job["status"] == "pending"
    assert job["task"] == NOOP
    assert (job["queue"], job["priority"], job["attempt"], job["max_attempts"]) == ("default", 5, 0, 3)
    assert job["retry"] == {"backoff": "exponential", "delay_seconds": 5, "max_delay_seconds": 3600, "jitter": True}
    assert job["scheduled_at"] == job["next_run_at"] == job["created_at"]
    assert job["created_at"].endswith("Z")


def test_everything_that_is_sent_comes_back(api: Api) -> None:
    sent: dict[str, Any] = {
        "name": "grüße",
        "description": "long",
        "task": {"type": "write_file", "data": {"path": "a.txt", "content": "☃ \u2028"}},
        "queue": "mails-2",
        "priority": 1,
        "max_attempts": 7,
        "timeout_seconds": 12.5,
        "retry": {"backoff": "linear", "delay_seconds": 1.5, "max_delay_seconds": 60, "jitter": False},
        "unique_key": "u",
        "concurrency_key": "c",
        "scheduled_at": "2099-02-19T10:00:00Z",
        "expires_at": "2099-02-20T10:00:00Z",
    }
    created = api.post("/api/job", sent).ok(201)
    assert {field: created[field] for field in sent} == sent
    assert api.get(f"/api/jobs/{created['id']}").ok() == created
    assert api.get(f"/api/jobs/{created['id']}/status").ok() == {"id": created["id"], "status": "pending"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-02-19T10:00:00Z", "2026-02-19T10:00:00Z"),
        ("2026-02-19t10:00:00z", "2026-02-19T10:00:00Z"),
        ("2026-02-19T12:30:00+02:30", "2026-02-19T10:00:00Z"),
        ("2026-02-19T10:00:00.000001-00:00", "2026-02-19T10:00:00.000001Z"),
        ("2026-02-19T10:00:00.5Z", "2026-02-19T10:00:00.500000Z"),
    ],
)
def test_times_are_shown_in_utc(api: Api, given: str, shown: str) -> None:
    assert api.create(scheduled_at=given)["scheduled_at"] == shown


def test_a_delay_counts_from_now(api: Api) -> None:
    job = api.create(delay_seconds=3600)
    created, due = (datetime.fromisoformat(job[field]) for field in ("created_at", "next_run_at"))
    assert due - created == timedelta(hours=1)
    assert created.tzinfo == UTC


def test_a_unique_key_answers_with_its_unfinished_bearer(api: Api) -> None:
    first = api.create(unique_key="once")
    again = api.post("/api/job", {"task": NOOP, "unique_key": "once"})
    assert again.ok(200) == first
    api.post(f"/api/cancel/{first['id']}").ok()
    assert api.create(unique_key="once")["id"] != first["id"]


def test_a_tasks_data_keeps_its_values(api: Api) -> None:
    values: list[Any] = [2**63, -(2**63), 2**64 - 1, 0.1, 1e300, True, None, "x", [], {"": {}}, "\u2028", "é"]
    task = {"type": "api", "data": {"url": "https://example.com", "method": "POST", "json": values}}
    job = api.post("/api/job", {"task": task}).ok(201)
    assert api.get(f"/api/jobs/{job['id']}").ok()["task"] == task


@pytest.mark.parametrize("path", ["", "/status", "/executions"])
def test_an_unknown_job_is_not_found(api: Api, path: str) -> None:
    assert api.get(f"/api/jobs/1{path}").problem(404)["detail"] == "There is no job 1."
