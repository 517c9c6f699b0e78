"""Queues and workers over REST."""

from typing import Any

import pytest

from scheduler.api import recent
from scheduler.domain.account import Role
from scheduler.domain.job import NewJob
from scheduler.domain.queue import NewWorker
from scheduler.domain.states import JobStatus
from scheduler.store.connection import Database
from scheduler.store.workers import report
from tests.credentials import access_token
from tests.eventually import eventually
from tests.integration.api.calls import Api
from tests.integration.api.conftest import Listen, Move


def one(api: Api, name: str) -> Any:
    return next(each for each in api.get("/api/queue/stats").ok()["queues"] if each["name"] == name)


def test_a_queue_is_paused_and_what_was_claimed_goes_back(api: Api, move: Move) -> None:
    picked, running = api.create(queue="mail")["id"], api.create(queue="mail")["id"]
    move(picked, JobStatus.PICKED)
    move(running, JobStatus.RUNNING)
    answer = api.post("/api/queues/mail/pause").ok()
    assert (answer["name"], answer["paused"], answer["picked"], answer["running"]) == ("mail", True, 0, 1)
    assert api.get(f"/api/jobs/{picked}/status").ok()["status"] == "pending"
    assert not api.post("/api/queues/mail/resume").ok()["paused"]


def test_a_resume_wakes_the_pickers(api: Api, listen: Listen) -> None:
    heard = listen("wake")
    api.post("/api/queues/mail/resume").ok()
    eventually(lambda: len(heard) == 2, what="the wake-up of a resume")


def test_limits_are_set_kept_and_cleared(api: Api) -> None:
    rate = {"count": 100, "per_seconds": 60.0}
    api.patch("/api/queues/mail", {"max_running": 8, "rate_limit": rate}).ok()
    assert api.patch("/api/queues/mail", {}).ok()["max_running"] == 8
    answer = api.patch("/api/queues/mail", {"max_running": None}).ok()
    assert (answer["max_running"], answer["rate_limit"]) == (None, rate)
    assert api.patch("/api/queues/mail", {"rate_limit": None}).ok()["rate_limit"] is None
    assert one(api, "mail")["depth"] == 0


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"max_running": 0}, ["max_running"]),
        ({"max_running": "8"}, ["max_running"]),
        ({"rate_limit": {"count": 1}}, ["rate_limit", "per_seconds"]),
        ({"rate_limit": {"count": 1, "per_seconds": 0}}, ["rate_limit", "per_seconds"]),
        ({"paused": True}, ["paused"]),
    ],
)
def test_bad_limits_are_refused_by_field(storeless: Api, body: dict[str, Any], loc: list[str]) -> None:
    assert storeless.patch("/api/queues/mail", body).locations() == [loc]


@pytest.mark.parametrize("name", ["Mail", "a.b", "x" * 65, "%00"])
def test_a_name_that_no_queue_can_have_is_refused(storeless: Api, name: str) -> None:
    assert storeless.post(f"/api/queues/{name}/pause").locations() == [["name"]]


def test_changes_are_in_the_audit(api: Api) -> None:
    api.patch("/api/queues/mail", {"max_running": 8}).ok()
    api.post("/api/queues/mail/pause").ok()
    paused, limited = api.get("/api/audit", {"objectType": "queue"}).ok()["entries"]
    assert (limited["before"], limited["after"]) == (
        {"name": "mail", "paused": False, "max_running": None, "rate_limit": None},
        {"paused": False, "max_running": 8, "rate_limit": None},
    )
    assert (paused["action"], paused["after"]["paused"]) == ("pause_queue", True)


def test_counts_are_of_jobs_that_one_may_see(api: Api) -> None:
    api.create(queue="mail", delay_seconds=3600)
    other = api.as_(access_token(Role.USER, account_id=7))
    assert one(api, "mail")["pending_later"] == 1
    assert [each for each in other.get("/api/queue/stats").ok()["queues"] if each["pending_later"]] == []


def test_among_very_many_jobs_counts_may_be_old_but_not_what_holds_a_queue_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MANY", 0)
    monkeypatch.setattr(recent, "SECONDS", 3600.0)
    counted = list[int]()
    for _ in range(2):
        api.create(queue="mail")
        counted.append(one(api, "mail")["pending_due"])
    assert counted == [1, 1]
    api.post("/api/queues/mail/pause").ok()
    mail = one(api, "mail")
    assert (mail["paused"], mail["pending_due"]) == (True, 2)
    api.patch("/api/queues/unheard-of", {"max_running": 3}).ok()
    assert one(api, "unheard-of")["max_running"] == 3


def test_workers_are_listed(api: Api, db: Database, move: Move) -> None:
    job = api.create()["id"]
    move(job, JobStatus.RUNNING)
    with db.connection() as conn:
        report(conn, NewWorker(name="w", kind="executor", host="h", pid=1, version="1", queues=("mail",), capacity=9))
    (worker,) = api.get("/api/workers").ok()["workers"]
    assert worker["heartbeat_age_seconds"] < 20
    told = {name: worker[name] for name in ("name", "queues", "capacity", "running", "running_jobs")}
    assert told == {"name": "w", "queues": ["mail"], "capacity": 9, "running": 1, "running_jobs": [job]}


def test_queues_of_a_new_job_are_known_at_once(api: Api) -> None:
    assert NewJob(task_type="noop", task_data={}).queue == "default"
    api.create()
    assert one(api, "default")["pending_due"] == 1
