"""POST /api/bulk/create: many jobs, all or none."""

import json
from dataclasses import replace
from typing import Any

import pytest

from scheduler.api.app import Services, create_app
from scheduler.api.guard import BULK_FACTOR
from scheduler.store.connection import Database
from tests.eventually import eventually
from tests.integration.api.calls import NOOP, Answer, Api
from tests.integration.api.conftest import MAX_BODY_BYTES, Listen


def bulk(api: Api, *jobs: Any) -> Answer:
    return api.post("/api/bulk/create", {"jobs": jobs})


def count(db: Database) -> int:
    with db.connection() as connection:
        row = connection.execute("SELECT count(*) FROM jobs").fetchone()
    assert row is not None
    return row[0]


def test_ids_come_in_the_order_given(api: Api) -> None:
    names = [f"job {n}" for n in range(300)]
    answer = bulk(api, *[{"task": NOOP, "name": name} for name in names])
    ids = answer.ok(201)["ids"]
    assert [api.get(f"/api/jobs/{ids[n]}").ok()["name"] for n in (0, 17, 299)] == [names[n] for n in (0, 17, 299)]
    assert len(set(ids)) == 300


def test_each_job_is_as_if_it_was_created_alone(api: Api) -> None:
    sent = {
        "name": "grüße",
        "task": {"type": "write_file", "data": {"path": "a.txt", "content": "☃\t\\N \n"}},
        "queue": "mails-2",
        "priority": 1,
        "retry": {"backoff": "linear", "delay_seconds": 1.5, "max_delay_seconds": 60, "jitter": False},
        "unique_key": "u",
        "scheduled_at": "2099-02-19T10:00:00+01:00",
    }
    alone = api.post("/api/job", {**sent, "unique_key": "v"}).ok(201)
    (job_id,) = bulk(api, sent).ok(201)["ids"]
    one_of_many = api.get(f"/api/jobs/{job_id}").ok()
    differing = {"id", "unique_key", "created_at", "updated_at"}
    assert {name for name in alone if alone[name] != one_of_many[name]} == differing


def test_ten_thousand_at_once_and_no_more(services: Services, db: Database) -> None:
    api = Api(create_app(replace(services, max_body_bytes=100_000)))
    smallest = '{"task":{"type":"noop","data":{}}}'

    def send(many: int) -> Answer:
        body = f'{{"jobs":[{",".join([smallest] * many)}]}}'
        headers = {"Content-Type": "application/json"}
        return api.send("POST", "/api/bulk/create", data=body, headers=headers)

    assert len(set(send(10_000).ok(201)["ids"])) == count(db) == 10_000
    assert send(10_001).locations() == [["jobs"]]
    assert count(db) == 10_000


def test_each_bad_job_is_named_and_none_is_created(api: Api, db: Database) -> None:
    jobs: list[Any] = [{"task": NOOP} for _ in range(30)]
    jobs[3] = {"task": {"type": "api", "data": {}}}
    jobs[17] = {"task": NOOP, "priority": 0, "typo": 1}
    jobs[18] = {"task": {"type": "nope", "data": {}}}
    jobs[29] = None
    assert sorted(bulk(api, *jobs).locations(), key=lambda loc: loc[1]) == [
        ["jobs", 3, "task", "data", "url"],
        ["jobs", 17, "priority"],
        ["jobs", 17, "typo"],
        ["jobs", 18, "task", "type"],
        ["jobs", 29],
    ]
    jobs[17], jobs[29] = {"task": NOOP}, {"task": NOOP}
    assert bulk(api, *jobs).locations() == [["jobs", 3, "task", "data", "url"], ["jobs", 18, "task", "type"]]
    assert count(db) == 0


def test_a_flood_of_faults_is_named_whole_and_told_in_short(api: Api, db: Database) -> None:
    answer = bulk(api, *[{"task": NOOP, "priority": 0} for _ in range(300)])
    assert answer.locations() == [["jobs", n, "priority"] for n in range(300)]
    assert answer.body["detail"].endswith("and 280 more")


@pytest.mark.parametrize("body", [{}, {"jobs": []}, {"jobs": None}, {"jobs": {}}, {"jobs": "x"}, {"jobs": 5}])
def test_it_takes_a_list_of_jobs(storeless: Api, body: Any) -> None:
    assert storeless.post("/api/bulk/create", body).locations() == [["jobs"]]


def test_a_unique_key_stands_once_in_a_list(api: Api, db: Database) -> None:
    once = {"task": NOOP, "unique_key": "once"}
    assert bulk(api, once, {"task": NOOP}, once, once).locations() == [["jobs", n, "unique_key"] for n in (2, 3)]
    assert count(db) == 0


def test_a_unique_key_of_an_unfinished_job_is_a_conflict(api: Api, db: Database) -> None:
    bearer = api.create(unique_key="once")["id"]
    detail = bulk(api, {"task": NOOP}, {"task": NOOP, "unique_key": "once"}).problem(409)["detail"]
    assert f"Job {bearer}" in detail
    assert "'once'" in detail
    assert count(db) == 1
    api.post(f"/api/cancel/{bearer}").ok()
    bulk(api, {"task": NOOP}, {"task": NOOP, "unique_key": "once"}).ok(201)


def test_its_body_may_be_larger_than_others(storeless: Api) -> None:
    def padded(size: int) -> Answer:
        body = json.dumps({"jobs": []}).ljust(size)
        return storeless.send("POST", "/api/bulk/create", data=body, headers={"Content-Type": "application/json"})

    padded(BULK_FACTOR * MAX_BODY_BYTES).problem(422)
    padded(BULK_FACTOR * MAX_BODY_BYTES + 1).problem(413)


def test_it_wakes_the_pickers_once(api: Api, listen: Listen) -> None:
    heard = listen("wake")
    bulk(api, *[{"task": NOOP}] * 5).ok(201)
    api.create()
    eventually(lambda: len(heard) == 3, what="the wake-ups of both")
