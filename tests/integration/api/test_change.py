"""PATCH and PUT /api/jobs/:id."""

from datetime import datetime
from typing import Any

import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import NotFound
from scheduler.domain.job import NewJob
from scheduler.domain.states import JobStatus
from scheduler.store.changes import change_job
from scheduler.store.connection import Database
from scheduler.store.intake import create_job
from tests.eventually import eventually
from tests.integration.api.calls import NOOP, Api
from tests.integration.api.conftest import Listen, Move

EVERYTHING: dict[str, Any] = {
    "name": "grüße",
    "description": "long",
    "task": {"type": "write_file", "data": {"path": "a.txt", "content": "☃"}},
    "queue": "mails-2",
    "priority": 1,
    "max_attempts": 7,
    "timeout_seconds": 12.5,
    "retry": {"backoff": "linear", "delay_seconds": 1.5, "max_delay_seconds": 60, "jitter": False},
    "scheduled_at": "2099-02-19T10:00:00Z",
    "expires_at": "2099-02-20T10:00:00Z",
}
LATER = "2099-01-01T00:00:00Z"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_every_field_can_be_changed(api: Api, method: str) -> None:
    before = api.create(concurrency_key="c", unique_key="u")
    call = api.patch if method == "PATCH" else api.put
    after = call(f"/api/jobs/{before['id']}", EVERYTHING).ok()
    assert {name: after[name] for name in EVERYTHING} == EVERYTHING
    assert after["next_run_at"] == EVERYTHING["scheduled_at"]
    assert {name for name in before if before[name] != after[name]} == {*EVERYTHING, "next_run_at", "updated_at"}
    assert api.get(f"/api/jobs/{before['id']}").ok() == after


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_is_left_out_stays_as_it_is(api: Api, name: str) -> None:
    before = api.post("/api/job", {**EVERYTHING}).ok(201)
    value = NOOP if name == "task" else "2098-01-01T00:00:00Z" if name == "scheduled_at" else None
    after = api.patch(f"/api/jobs/{before['id']}", {name: value}).ok()
    moved = {"next_run_at"} if name == "scheduled_at" else set[str]()
    assert {field for field in before if before[field] != after[field]} == {name, "updated_at", *moved}


def test_null_is_what_an_option_is_when_left_out_on_creation(api: Api) -> None:
    plain = api.create()
    job = api.post("/api/job", EVERYTHING).ok(201)["id"]
    after = api.patch(f"/api/jobs/{job}", {name: None for name in EVERYTHING if name != "task"}).ok()
    times = {"scheduled_at", "next_run_at", "created_at", "updated_at"}
    assert {name for name in plain if plain[name] != after[name]} - times == {"id", "task"}
    assert after["scheduled_at"] == after["next_run_at"] == after["updated_at"]


def test_of_retry_too_what_is_left_out_stays(api: Api) -> None:
    job = api.post("/api/job", EVERYTHING).ok(201)["id"]
    after = api.patch(f"/api/jobs/{job}", {"retry": {"delay_seconds": 9}}).ok()
    assert after["retry"] == {"backoff": "linear", "delay_seconds": 9, "max_delay_seconds": 60, "jitter": False}


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.PENDING])
def test_only_a_pending_job_can_be_changed(api: Api, move: Move, status: JobStatus) -> None:
    job = api.create()["id"]
    if status is JobStatus.CANCELLED:
        api.post(f"/api/cancel/{job}").ok()
    else:
        move(job, status)
    before = api.get(f"/api/jobs/{job}").ok()
    assert api.patch(f"/api/jobs/{job}", {"priority": 1}).problem(409)["current_status"] == status
    assert api.get(f"/api/jobs/{job}").ok() == before


def test_an_unknown_job_is_not_found(api: Api) -> None:
    api.patch("/api/jobs/1", {"priority": 1}).problem(404)


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"task": None}, ["task"]),
        ({"task": {"type": "nope", "data": {}}}, ["task", "type"]),
        ({"task": {"type": "api", "data": {}}}, ["task", "data", "url"]),
        ({"typo": 1}, ["typo"]),
        ({"delay_seconds": 5}, ["delay_seconds"]),
        ({"unique_key": "u"}, ["unique_key"]),
        ({"status": "completed"}, ["status"]),
        ({"priority": 10}, ["priority"]),
        ({"priority": "5"}, ["priority"]),
        ({"max_attempts": 0}, ["max_attempts"]),
        ({"timeout_seconds": 0}, ["timeout_seconds"]),
        ({"queue": "A"}, ["queue"]),
        ({"scheduled_at": "2026-02-19T10:00:00"}, ["scheduled_at"]),
        ({"retry": {"jitter": None}}, ["retry", "jitter"]),
        ({"name": "a\0"}, ["name"]),
    ],
)
def test_bad_input_is_refused_by_field(storeless: Api, fields: dict[str, Any], loc: list[str | int]) -> None:
    assert storeless.patch("/api/jobs/1", fields).locations() == [loc]
    assert storeless.put("/api/jobs/1", fields).locations() == [loc]


def test_a_job_cannot_be_left_without_an_attempt(api: Api, db: Database) -> None:
    job = api.create()["id"]
    with db.connection() as connection:
        connection.execute("UPDATE jobs SET attempt = 2, run = 2")
    assert api.patch(f"/api/jobs/{job}", {"max_attempts": 2, "name": "x"}).locations() == [["max_attempts"]]
    assert api.get(f"/api/jobs/{job}").ok()["name"] is None
    api.patch(f"/api/jobs/{job}", {"max_attempts": 3}).ok()


def test_a_job_cannot_be_made_to_expire_before_it_is_due(api: Api) -> None:
    job = api.create(scheduled_at="2099-01-02T00:00:00Z")["id"]
    assert api.patch(f"/api/jobs/{job}", {"expires_at": LATER}).locations() == [["expires_at"]]
    api.patch(f"/api/jobs/{job}", {"expires_at": "2099-01-03T00:00:00Z"}).ok()
    assert api.patch(f"/api/jobs/{job}", {"scheduled_at": "2099-01-03T00:00:00Z"}).locations() == [["scheduled_at"]]
    stands = api.get(f"/api/jobs/{job}").ok()
    assert (stands["scheduled_at"], stands["expires_at"]) == ("2099-01-02T00:00:00Z", "2099-01-03T00:00:00Z")
    api.patch(f"/api/jobs/{job}", {"scheduled_at": LATER, "expires_at": "2099-01-01T00:00:01Z"}).ok()


def test_a_job_that_waits_beyond_its_expiry_can_still_be_renamed(api: Api, db: Database) -> None:
    job = api.create(expires_at=LATER)["id"]
    with db.connection() as connection:
        connection.execute("UPDATE jobs SET next_run_at = expires_at + interval '1 h'")
    assert api.patch(f"/api/jobs/{job}", {"name": "x"}).ok()["name"] == "x"


def test_what_becomes_due_wakes_the_pickers(api: Api, listen: Listen) -> None:
    job = api.create(scheduled_at=LATER)["id"]
    heard = listen("wake")
    api.patch(f"/api/jobs/{job}", {"name": "still later"}).ok()
    now = api.patch(f"/api/jobs/{job}", {"scheduled_at": None}).ok()["next_run_at"]
    assert datetime.fromisoformat(now) < datetime.fromisoformat(LATER)
    eventually(lambda: len(heard) == 2, what="the one wake-up")


def test_anothers_job_is_not_found_and_stays_as_it_is(db: Database) -> None:
    with db.connection() as connection:
        job, _ = create_job(connection, Caller(owner_id=1), NewJob(task_type="noop", task_data={}))
        with pytest.raises(NotFound):
            change_job(connection, Caller(owner_id=2), job.id, {"priority": 1})
        assert change_job(connection, Caller(owner_id=1), job.id, {"priority": 2}).priority == 2
        assert change_job(connection, OPERATOR, job.id, {"priority": 3}).priority == 3
