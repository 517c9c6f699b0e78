"""POST /api/cancel, retry and duplicate, and the signals that they send."""

from datetime import datetime, timedelta

import pytest

from scheduler.domain.states import JobStatus
from scheduler.store.connection import Database
from tests.eventually import eventually
from tests.integration.api.calls import NOOP, Api
from tests.integration.api.conftest import Listen, Move


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.PICKED, JobStatus.RUNNING])
def test_an_unfinished_job_can_be_cancelled(api: Api, move: Move, status: JobStatus) -> None:
    job = api.create()["id"]
    if status is not JobStatus.PENDING:
        move(job, status)
    cancelled = api.post(f"/api/cancel/{job}").ok()
    assert cancelled["status"] == "cancelled"
    assert cancelled["completed_at"]
    assert api.get(f"/api/jobs/{job}").ok() == cancelled
    attempts = api.get(f"/api/jobs/{job}/executions").ok()["executions"]
    assert [each["status"] for each in attempts] == (["cancelled"] if status is JobStatus.RUNNING else [])


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED])
def test_an_ended_job_cannot_be_cancelled(api: Api, move: Move, status: JobStatus) -> None:
    job = api.create()["id"]
    move(job, status)
    assert api.post(f"/api/cancel/{job}").problem(409)["current_status"] == status


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_an_ended_job_can_be_retried(api: Api, move: Move, status: JobStatus) -> None:
    job = api.create(scheduled_at="2030-01-01T00:00:00Z")["id"]
    if status is JobStatus.CANCELLED:
        api.post(f"/api/cancel/{job}").ok()
    else:
        move(job, status)
    again = api.post(f"/api/retry/{job}").ok()
    assert (again["status"], again["attempt"], again["error"]) == ("pending", 0, None)
    assert datetime.fromisoformat(again["next_run_at"]) < datetime.fromisoformat("2030-01-01T00:00:00Z")


def test_a_retry_may_wait(api: Api) -> None:
    job = api.create()["id"]
    api.post(f"/api/cancel/{job}").ok()
    again = api.post(f"/api/retry/{job}", {"scheduled_at": "2030-01-01T01:00:00+01:00"}).ok()
    assert again["next_run_at"] == again["scheduled_at"] == "2030-01-01T00:00:00Z"


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.PICKED, JobStatus.RUNNING, JobStatus.COMPLETED])
def test_no_other_job_can_be_retried(api: Api, move: Move, status: JobStatus) -> None:
    job = api.create()["id"]
    if status is not JobStatus.PENDING:
        move(job, status)
    assert api.post(f"/api/retry/{job}", {"scheduled_at": None}).problem(409)["current_status"] == status


def test_a_retry_cannot_take_its_unique_key_back(api: Api) -> None:
    job = api.create(unique_key="once")["id"]
    api.post(f"/api/cancel/{job}").ok()
    api.create(unique_key="once")
    api.post(f"/api/retry/{job}").problem(409)


def test_a_duplicate_is_a_new_job_with_the_same_task(api: Api, move: Move) -> None:
    options = {
        "name": "n",
        "description": "d",
        "queue": "q",
        "priority": 2,
        "max_attempts": 5,
        "timeout_seconds": 7.5,
        "retry": {"backoff": "fixed", "delay_seconds": 1, "max_delay_seconds": 2, "jitter": False},
        "concurrency_key": "c",
    }
    first = api.create(**options, unique_key="u", expires_at="2030-01-01T00:00:00Z")
    move(first["id"], JobStatus.COMPLETED)
    answer = api.post(f"/api/duplicate/{first['id']}")
    copy = answer.ok(201)
    assert answer.headers["Location"] == f"/api/jobs/{copy['id']}"
    assert {name: copy[name] for name in options} == options
    assert (copy["task"], copy["status"], copy["duplicated_from"]) == (NOOP, "pending", first["id"])
    assert (copy["unique_key"], copy["expires_at"]) == (None, None)
    assert copy["id"] != first["id"]


def test_a_duplicate_may_wait(api: Api) -> None:
    first = api.create()["id"]
    copy = api.post(f"/api/duplicate/{first}", {"scheduled_at": "2030-01-01T00:00:00Z"}).ok(201)
    assert copy["scheduled_at"] == copy["next_run_at"] == "2030-01-01T00:00:00Z"


def test_a_duplicate_of_a_task_type_that_is_gone_is_refused(api: Api, db: Database) -> None:
    job = api.create()["id"]
    with db.connection() as connection:
        connection.execute("UPDATE jobs SET task_type = 'gone'")
    assert api.post(f"/api/duplicate/{job}").locations() == [["task", "type"]]


@pytest.mark.parametrize("action", ["cancel", "retry", "duplicate"])
def test_an_unknown_job_is_not_found(api: Api, action: str) -> None:
    api.post(f"/api/{action}/1").problem(404)


@pytest.mark.parametrize("action", ["retry", "duplicate"])
@pytest.mark.parametrize("when", ["2030-01-01T00:00:00", 5, "tomorrow"])
def test_a_bad_time_is_refused(storeless: Api, action: str, when: object) -> None:
    assert storeless.post(f"/api/{action}/1", {"scheduled_at": when}).locations() == [["scheduled_at"]]


def test_what_is_due_wakes_the_pickers(api: Api, listen: Listen) -> None:
    heard = listen("wake")
    job = api.create()["id"]
    eventually(lambda: len(heard) == 2, what="the wake-up of a create")
    api.post(f"/api/cancel/{job}").ok()
    api.post(f"/api/retry/{job}").ok()
    eventually(lambda: len(heard) == 3, what="the wake-up of a retry")
    api.post(f"/api/duplicate/{job}").ok(201)
    eventually(lambda: len(heard) == 4, what="the wake-up of a duplicate")


def test_what_is_due_later_wakes_nobody(api: Api, listen: Listen) -> None:
    heard = listen("wake")
    later = timedelta(minutes=1).total_seconds()
    api.create(delay_seconds=later, unique_key="u")
    assert api.post("/api/job", {"task": NOOP, "unique_key": "u"}).status == 200
    api.create()
    eventually(lambda: len(heard) == 2, what="the wake-up of the one that is due")


def test_only_a_running_job_is_told_to_stop(api: Api, move: Move, listen: Listen) -> None:
    heard = listen("cancel")
    waiting, running = api.create()["id"], api.create()["id"]
    move(running, JobStatus.RUNNING)
    api.post(f"/api/cancel/{waiting}").ok()
    api.post(f"/api/cancel/{running}", {}).ok()
    eventually(lambda: heard == ["", str(running)], what="the signal to stop")
