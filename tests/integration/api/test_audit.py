"""The audit of many jobs at once, of parameters, and of log-ins that are not without their entry."""

from typing import Any, Final

import pytest

from scheduler.api.app import Services, create_app
from scheduler.domain.account import NewAccount
from scheduler.domain.password import hash_password
from scheduler.domain.states import JobStatus
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from tests.integration.api.calls import NOOP, Api
from tests.integration.api.conftest import Move

SECRET: Final = "s3cret"
TASK: Final = {"type": "api", "data": {"url": "https://example.com/", "headers": {"X-Key": SECRET}}}
LATER: Final = "2126-02-19T10:00:00Z"


def last_entry(api: Api) -> Any:
    """The newest entry, in which there must be no secret."""
    entry = api.get("/api/audit", {"limit": 1}).ok()["entries"][0]
    assert SECRET not in str(entry)
    return entry


def last_change(api: Api, action: str) -> tuple[Any, Any]:
    entry = last_entry(api)
    assert entry["action"] == action
    return entry["before"], entry["after"]


def a_job(api: Api, **fields: Any) -> int:
    return api.post("/api/job", {"task": TASK, "scheduled_at": LATER, **fields}).ok(201)["id"]


def test_the_parameters_of_a_template_stay_out(api: Api) -> None:
    task = {"type": "api", "data": {"url": "https://example.com/{{ token }}"}}
    template = api.post("/api/templates", {"name": "t", "task": task}).ok(201)["id"]
    api.post(f"/api/templates/{template}/use", {"parameters": {"token": SECRET}}).ok(201)
    entry = last_entry(api)
    assert (entry["action"], entry["object_id"]) == ("use_template", template)


def in_bulk(did: str) -> tuple[str, str, str, JobStatus]:
    return {
        "cancelled": ("post", "/api/bulk/cancel", "cancel_many", JobStatus.RUNNING),
        "retried": ("post", "/api/bulk/retry", "retry_many", JobStatus.FAILED),
        "deleted": ("delete", "/api/dead-letter", "delete_dead_letter", JobStatus.FAILED),
    }[did]


@pytest.mark.parametrize("did", ["cancelled", "retried", "deleted"])
def test_bulk_calls_tell_counts_ids_and_the_filter(api: Api, move: Move, did: str) -> None:
    method, path, action, status = in_bulk(did)
    able, unable, _other = a_job(api, queue="this"), a_job(api, queue="this"), a_job(api)
    move(able, status)
    move(unable, JobStatus.COMPLETED)
    getattr(api, method)(path, {"filter": {"queue": "this", "endDate": "2126-02-19"}}).ok()
    before, after = last_change(api, action)
    assert before == {status.value: 1}
    wanted = {"queue": "this", "scheduled_before": "2126-02-20T00:00:00+00:00"}
    assert after == {"filter": wanted, did: 1, "skipped": 1, "ids": [able]}


def test_creating_a_job_is_told_by_the_job_alone(api: Api) -> None:
    api.create()
    api.post("/api/bulk/create", {"jobs": [{"task": NOOP}]}).ok(201)
    assert api.get("/api/audit").ok()["entries"] == []


def test_no_log_in_without_its_entry(services: Services, db: Database) -> None:
    with db.connection() as conn:
        create_account(conn, NewAccount(email="ada@example.com", password_hash=hash_password("a long pass phrase")))
        conn.execute("ALTER TABLE audit_entries ADD CHECK (action <> 'log_in')")
    body = {"email": "ada@example.com", "password": "a long pass phrase"}
    Api(create_app(services), "").post("/api/auth/login", body).problem(500)
    with db.connection() as conn:
        assert conn.execute("SELECT FROM sessions").fetchall() == []
