"""POST /api/bulk/cancel, retry and duplicate, and dead letters: many jobs at once, and why some were skipped."""

from collections.abc import Generator
from typing import Any

import pytest

from scheduler.api.app import create_app
from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.job import NewJob
from scheduler.domain.listing import JobFilter
from scheduler.domain.states import ENDED, JobStatus
from scheduler.store import bulk, transitions
from scheduler.store.connection import Database
from scheduler.store.intake import create_jobs
from scheduler.tasks.registry import Registry
from tests.eventually import eventually
from tests.integration.api.calls import Answer, Api
from tests.integration.api.conftest import Listen, Move, no_services

CALLS = {
    "/api/bulk/cancel": "cancelled",
    "/api/bulk/retry": "retried",
    "/api/dead-letter/retry": "retried",
    "/api/dead-letter": "deleted",
}
ABLE = {
    "/api/bulk/cancel": {JobStatus.PENDING, JobStatus.PICKED, JobStatus.RUNNING},
    "/api/bulk/retry": {JobStatus.FAILED, JobStatus.CANCELLED},
    "/api/dead-letter/retry": {JobStatus.FAILED},
    "/api/dead-letter": {JobStatus.FAILED},
}
each_call = pytest.mark.parametrize("path", CALLS)


def ask(api: Api, path: str, body: Any) -> Answer:
    return api.delete(path, body) if path == "/api/dead-letter" else api.post(path, body)


def one_of_each(api: Api, move: Move, **fields: Any) -> dict[JobStatus, int]:
    """A job in each state."""
    jobs = {status: api.create(**fields)["id"] for status in JobStatus}
    for status, job in jobs.items():
        if status is JobStatus.CANCELLED:
            api.post(f"/api/cancel/{job}").ok()
        elif status is not JobStatus.PENDING:
            move(job, status)
    return jobs


@each_call
@pytest.mark.parametrize("by", ["ids", "filter"])
def test_it_is_done_to_those_that_it_can_be_done_to_and_others_are_told_why(
    api: Api, move: Move, path: str, by: str
) -> None:
    jobs, _others = one_of_each(api, move, queue="this"), one_of_each(api, move, queue="other")
    able = [job for status, job in jobs.items() if status in ABLE[path]]
    unable = {job: status for status, job in jobs.items() if status not in ABLE[path]}
    body = {"ids": [*jobs.values()]} if by == "ids" else {"filter": {"queue": "this"}}
    outcome = ask(api, path, body).ok()
    assert outcome.keys() == {CALLS[path], "skipped", "has_more"}
    assert outcome[CALLS[path]] == able
    assert [each["id"] for each in outcome["skipped"]] == [*unable]
    for each in outcome["skipped"]:
        assert unable[each["id"]] in each["reason"]
    assert outcome["has_more"] is False


@each_call
def test_afterwards_they_are_as_if_it_was_done_to_each_alone(api: Api, move: Move, path: str) -> None:
    jobs = one_of_each(api, move)
    ask(api, path, {"ids": [*jobs.values()]}).ok()
    for status, job in jobs.items():
        answer = api.get(f"/api/jobs/{job}")
        if status not in ABLE[path]:
            assert answer.ok()["status"] == status
        elif path == "/api/dead-letter":
            answer.problem(404)
        elif path == "/api/bulk/cancel":
            cancelled = answer.ok()
            assert (cancelled["status"], cancelled["completed_at"] is not None) == ("cancelled", True)
            attempts = api.get(f"/api/jobs/{job}/executions").ok()["executions"]
            assert [each["status"] for each in attempts] == (["cancelled"] if status is JobStatus.RUNNING else [])
        else:
            again = answer.ok()
            assert (again["status"], again["attempt"], again["error"]) == ("pending", 0, None)


@each_call
def test_unknown_and_repeated_ids(api: Api, path: str) -> None:
    outcome = ask(api, path, {"ids": [10**9, 10**9]}).ok()
    assert outcome[CALLS[path]] == []
    assert outcome["skipped"] == [{"id": 10**9, "reason": f"There is no job {10**9}."}]


@pytest.fixture(scope="module")
def roomy(registry: Registry, closed_port: int) -> Generator[Api]:
    """An API whose servers are away, and which takes a body with ten thousand ids."""
    with no_services(registry, closed_port, max_body_bytes=200_000) as services:
        yield Api(create_app(services))


@each_call
@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["ids"]),
        ({"ids": None}, ["ids"]),
        ({"ids": [1], "filter": {}}, ["filter"]),
        ({"ids": []}, ["ids"]),
        ({"ids": [0]}, ["ids", 0]),
        ({"ids": ["1"]}, ["ids", 0]),
        ({"ids": [1, 2**63]}, ["ids", 1]),
        ({"ids": [*range(1, 10_002)]}, ["ids"]),
        ({"filter": {"typo": 1}}, ["filter", "typo"]),
        ({"filter": {"page": 1}}, ["filter", "page"]),
        ({"filter": {"status": "done"}}, ["filter", "status", 0]),
        ({"filter": {"search": ""}}, ["filter", "search"]),
        ({"filter": {"priority": "5"}}, ["filter", "priority"]),
        ({"filter": {"startDate": "2026-02-30"}}, ["filter", "startDate"]),
        ({"filter": []}, ["filter"]),
        ({"filter": {"queue": "\0"}}, ["filter", "queue"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_refused_by_field(roomy: Api, path: str, body: Any, loc: list[str | int]) -> None:
    assert ask(roomy, path, body).locations() == [loc]


def test_a_filter_takes_one_status_or_several(api: Api, move: Move) -> None:
    jobs = one_of_each(api, move)
    cancelled = api.post("/api/bulk/cancel", {"filter": {"status": "pending"}}).ok()
    assert (cancelled["cancelled"], cancelled["skipped"]) == ([jobs[JobStatus.PENDING]], [])
    cancelled = api.post("/api/bulk/cancel", {"filter": {"status": ["picked", "completed"]}}).ok()
    assert cancelled["cancelled"] == [jobs[JobStatus.PICKED]]
    assert [each["id"] for each in cancelled["skipped"]] == [jobs[JobStatus.COMPLETED]]


def test_dead_letters_are_the_failed_jobs(api: Api, move: Move) -> None:
    jobs, others = one_of_each(api, move, queue="this"), one_of_each(api, move, queue="other")
    listed = api.get("/api/dead-letter").ok()
    assert [job["id"] for job in listed["jobs"]] == [others[JobStatus.FAILED], jobs[JobStatus.FAILED]]
    assert listed["jobs"][0]["error"] == {"type": "x"}
    assert listed["pagination"]["total"] == 2
    for query, found in [
        ({"queue": "this"}, [jobs[JobStatus.FAILED]]),
        ({"status": ["failed", "pending"], "queue": "this"}, [jobs[JobStatus.FAILED]]),
        ({"status": "pending"}, []),
    ]:
        assert [job["id"] for job in api.get("/api/dead-letter", query).ok()["jobs"]] == found


def test_where_a_unique_key_has_passed_on_others_are_retried_all_the_same(api: Api, move: Move) -> None:
    jobs = [api.create(unique_key=f"key-{n}")["id"] for n in range(9)]
    for job in jobs:
        move(job, JobStatus.FAILED)
    borne = {jobs[2], jobs[7]}
    for job in borne:
        api.create(unique_key=f"key-{jobs.index(job)}")
    outcome = api.post("/api/bulk/retry", {"ids": jobs}).ok()
    assert outcome["retried"] == [job for job in jobs if job not in borne]
    assert {each["id"] for each in outcome["skipped"]} == borne
    assert all("unique_key" in each["reason"] for each in outcome["skipped"])


def test_of_two_with_one_unique_key_one_is_retried(api: Api, move: Move) -> None:
    jobs: list[int] = []
    for _ in range(2):
        jobs.append(api.create(unique_key="k")["id"])
        move(jobs[-1], JobStatus.FAILED)
    outcome = api.post("/api/bulk/retry", {"filter": {}}).ok()
    assert (outcome["retried"], [each["id"] for each in outcome["skipped"]]) == (jobs[:1], jobs[1:])


def test_a_job_that_is_locked_is_cancelled_when_its_holder_is_done(api: Api, db: Database) -> None:
    """The rest does not wait with it: to hold some rows while waiting for others could lock up with executors."""
    jobs = [api.create()["id"] for _ in range(3)]
    with db.connection() as holder, holder.transaction():
        holder.execute("SELECT FROM jobs WHERE id = %s FOR UPDATE", (jobs[1],))
        with db.connection() as mine:
            assert transitions.cancel_free(mine, OPERATOR, jobs) == {jobs[0]: False, jobs[2]: False}
    assert api.post("/api/bulk/cancel", {"ids": jobs}).ok()["cancelled"] == [jobs[1]]


def test_more_than_a_request_may_move_are_moved_by_the_next(api: Api, db: Database, move: Move) -> None:
    ended = one_of_each(api, move, queue="q")
    with db.connection() as connection:
        ids = create_jobs(connection, OPERATOR, [NewJob(task_type="noop", task_data={}, queue="q")] * 10_005)
    first = api.post("/api/bulk/cancel", {"filter": {"queue": "q"}}).ok()
    assert (len(first["cancelled"]), first["skipped"], first["has_more"]) == (10_000, [], True)
    second = api.post("/api/bulk/cancel", {"filter": {"queue": "q"}}).ok()
    assert second["cancelled"] == ids[-8:]  # the three unfinished ones of `ended` came first
    assert second["has_more"] is False
    assert len(second["skipped"]) == 10_000 - 8
    assert {ended[status] for status in ENDED} <= {each["id"] for each in second["skipped"]}


def test_many_are_duplicated_as_each_alone(api: Api, move: Move) -> None:
    jobs = [*one_of_each(api, move, name="n", priority=2, queue="q", max_attempts=7, timeout_seconds=3).values()]
    retry = {"backoff": "linear", "delay_seconds": 7, "max_delay_seconds": 70, "jitter": False}
    keys = {"unique_key": "u", "concurrency_key": "c", "expires_at": "2099-01-01T00:00:00Z"}
    jobs += [api.create(description="d", retry=retry, **keys)["id"]]
    key = {"Idempotency-Key": "once"}
    outcome = api.post("/api/bulk/duplicate", {"ids": [*jobs, 10**9]}, key).ok(201)
    assert outcome["duplicated"] == jobs
    assert outcome["skipped"] == [{"id": 10**9, "reason": f"There is no job {10**9}."}]
    for job, copy in zip(jobs, outcome["copies"], strict=True):
        assert essence(api.get(f"/api/jobs/{copy}").ok()) == essence(api.post(f"/api/duplicate/{job}").ok(201))
    assert api.post("/api/bulk/duplicate", {"ids": [*jobs, 10**9]}, key).ok(201) == outcome


def essence(job: dict[str, Any]) -> dict[str, Any]:
    """All of it but which one it is, and when it was made."""
    return {name: value for name, value in job.items() if name != "id" and not name.endswith("_at")}


def test_more_than_can_be_duplicated_at_once_are_not_duplicated_by_half(api: Api, db: Database) -> None:
    new = NewJob(task_type="noop", task_data={}, queue="q")
    with db.connection() as connection:
        create_jobs(connection, OPERATOR, [new] * 10_000)
    wanted = {"filter": {"queue": "q"}}
    keyed = {"Idempotency-Key": "k"}
    assert len(api.post("/api/bulk/duplicate", wanted, keyed).ok(201)["copies"]) == 10_000
    assert "narrow it" in api.post("/api/bulk/duplicate", wanted).problem(409)["detail"]
    with db.connection() as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (20_000,)


def test_duplicating_many_is_told_to_the_audit(api: Api) -> None:
    job = api.create(queue="q")["id"]
    api.post("/api/bulk/duplicate", {"filter": {"queue": "q"}}).ok(201)
    entry = api.get("/api/audit").ok()["entries"][0]
    assert entry["action"] == "duplicate_many"
    assert entry["after"] == {"filter": {"queue": "q"}, "duplicated": 1, "skipped": 0, "ids": [job]}


def test_signals(api: Api, move: Move, listen: Listen) -> None:
    jobs = one_of_each(api, move)
    wake, stop = listen("wake"), listen("cancel")
    api.post("/api/bulk/cancel", {"filter": {}}).ok()
    eventually(lambda: stop == ["", str(jobs[JobStatus.RUNNING])], what="the signal to stop")
    eventually(lambda: len(wake) == 2, what="the wake-up of the cancel")
    api.post("/api/dead-letter/retry", {"filter": {}}).ok()
    eventually(lambda: len(wake) == 3, what="the wake-up of the retry of dead letters")
    api.post("/api/bulk/retry", {"filter": {}}).ok()
    eventually(lambda: len(wake) == 4, what="the wake-up of the retry")


def test_others_jobs_are_neither_found_nor_touched(db: Database, api: Api) -> None:
    other = Caller(owner_id=2)
    with db.connection() as connection:
        (job,) = create_jobs(connection, Caller(owner_id=1), [NewJob(task_type="noop", task_data={})])
        assert bulk.select(connection, other, JobFilter(), JobStatus).ids == []
        acts = (bulk.cancel_jobs, bulk.retry_jobs, bulk.retry_dead_letters, bulk.delete_dead_letters)
        outcomes = [act(connection, other, [job]) for act in acts]
        for outcome in (*outcomes, bulk.duplicate_jobs(connection, other, [job])[0]):
            assert (outcome.done, [each.reason for each in outcome.skipped]) == ([], [f"There is no job {job}."])
        assert api.get(f"/api/jobs/{job}").ok()["status"] == "pending"
        assert bulk.cancel_jobs(connection, Caller(owner_id=1), [job]).done == [job]
