"""The audit of things that change: what they were, what became of them, and no secrets."""

from typing import Any, Final

import pytest

from scheduler.api.app import Services, create_app
from scheduler.domain.account import NewAccount
from scheduler.domain.password import hash_password
from scheduler.domain.states import JobStatus
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from tests.credentials import access_token
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


def a_template(api: Api) -> int:
    return api.post("/api/templates", {"name": "t", "task": TASK, "defaults": {"priority": 3}}).ok(201)["id"]


def a_schedule(api: Api) -> int:
    return api.post("/api/schedules", {"name": "s", "cron": "@yearly", "task": TASK}).ok(201)["id"]


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["patch", "put"])
def test_an_edited_job_tells_what_it_was_and_what_it_is(api: Api, method: str) -> None:
    job = a_job(api, priority=4, name="same")
    other = {"type": "api", "data": {"url": f"https://example.com/{SECRET}"}}
    getattr(api, method)(f"/api/jobs/{job}", {"priority": 2, "name": "same", "task": other}).ok()
    before, after = last_change(api, "change" if method == "patch" else "change_by_put")
    assert (before, after) == (
        {"priority": 4, "task": {"type": "api"}},
        {"priority": 2, "task": {"type": "api"}},
    )


def test_a_cancelled_and_a_retried_job_tell_where_they_stood(api: Api, move: Move) -> None:
    job = a_job(api)
    api.post(f"/api/cancel/{job}").ok()
    before, after = last_change(api, "cancel")
    assert (before["status"], after["status"]) == ("pending", "cancelled")
    assert (before["completed_at"], after.keys()) == (None, {"status", "completed_at"})
    api.post(f"/api/retry/{job}").ok()
    before, after = last_change(api, "retry")
    assert (before["status"], after["status"]) == ("cancelled", "pending")


def test_what_a_task_said_stays_out(api: Api, db: Database, move: Move) -> None:
    job = a_job(api)
    move(job, JobStatus.FAILED)
    with db.connection() as conn:
        conn.execute("UPDATE jobs SET error = jsonb_build_object('type', 'x', 'message', %s::text)", (SECRET,))
    api.post(f"/api/retry/{job}").ok()
    before, after = last_change(api, "retry")
    assert (before["attempt"], after["attempt"]) == (3, 0)
    assert "error" not in before.keys() | after.keys()


def test_a_deleted_job_tells_all_that_it_was(api: Api) -> None:
    job = a_job(api, name="gone")
    api.delete(f"/api/jobs/{job}").ok(204)
    before, after = last_change(api, "delete")
    assert (before["id"], before["name"], before["status"], before["task"]) == (job, "gone", "pending", {"type": "api"})
    assert after is None


def test_jobs_made_of_other_things_are_told(api: Api) -> None:
    made = {
        "duplicate": f"/api/duplicate/{a_job(api)}",
        "use_template": f"/api/templates/{a_template(api)}/use",
        "run_schedule": f"/api/schedules/{a_schedule(api)}/trigger",
    }
    for action, path in made.items():
        job = api.post(path).ok(201)["id"]
        before, after = last_change(api, action)
        assert (before, after["id"], after["task"]) == (None, job, {"type": "api"})


def test_the_parameters_of_a_template_stay_out(api: Api) -> None:
    task = {"type": "api", "data": {"url": "https://example.com/{{ token }}"}}
    template = api.post("/api/templates", {"name": "t", "task": task}).ok(201)["id"]
    api.post(f"/api/templates/{template}/use", {"parameters": {"token": SECRET}}).ok(201)
    assert last_entry(api)["object_id"] == template


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


# ── other things ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_templates(api: Api) -> None:
    template = a_template(api)
    before, after = last_change(api, "keep_template")
    assert (before, after["name"], after["task"], after["defaults"]) == (None, "t", {"type": "api"}, {"priority": 3})
    api.delete(f"/api/templates/{template}").ok(204)
    assert last_change(api, "remove_template") == (after, None)


def test_schedules(api: Api) -> None:
    schedule = a_schedule(api)
    before, made = last_change(api, "add_schedule")
    assert (before, made["cron"], made["task"]) == (None, "@yearly", {"type": "api"})
    api.patch(f"/api/schedules/{schedule}", {"priority": 1, "name": "s"}).ok()
    assert last_change(api, "edit_schedule") == ({"priority": 5}, {"priority": 1})
    for act, enabled in (("pause", False), ("resume", True)):
        api.post(f"/api/schedules/{schedule}/{act}").ok()
        before, after = last_change(api, f"{act}_schedule")
        assert (before["enabled"], after["enabled"]) == (not enabled, enabled)
    api.delete(f"/api/schedules/{schedule}").ok(204)
    before, after = last_change(api, "remove_schedule")
    assert (before["name"], before["priority"], before["task"], after) == ("s", 1, {"type": "api"}, None)


def test_keys(api: Api, db: Database) -> None:
    with db.connection() as conn:
        account = create_account(conn, NewAccount(email="ada@example.com", password_hash="none")).id
    owner = api.as_(access_token(account_id=account))
    key = owner.post("/api/auth/keys", {"name": "k", "scope": "read"}).ok(201)
    before, after = last_change(api, "create_api_key")
    assert (before, after["name"], after["prefix"], after["scope"]) == (None, "k", key["prefix"], "read")
    assert key["key"] not in str(after)
    owner.delete(f"/api/auth/keys/{key['id']}").ok(204)
    assert last_change(api, "remove_api_key") == (after, None)


# ── log-ins ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_log_in_without_its_entry(services: Services, db: Database) -> None:
    with db.connection() as conn:
        create_account(conn, NewAccount(email="ada@example.com", password_hash=hash_password("a long pass phrase")))
        conn.execute("ALTER TABLE audit_entries ADD CHECK (action <> 'log_in')")
    body = {"email": "ada@example.com", "password": "a long pass phrase"}
    Api(create_app(services), "").post("/api/auth/login", body).problem(500)
    with db.connection() as conn:
        assert conn.execute("SELECT FROM sessions").fetchall() == []
