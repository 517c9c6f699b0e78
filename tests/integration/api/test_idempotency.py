"""Idempotency-Key: sent twice, created once."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from scheduler.api.app import Services, create_app
from scheduler.domain.caller import Caller
from scheduler.domain.states import JobStatus
from scheduler.picker.forget import Forget
from scheduler.queue import Listener
from scheduler.store import idempotency
from scheduler.store.connection import Connection, Database
from tests.eventually import eventually
from tests.integration.api.calls import NOOP, Answer, Api
from tests.integration.api.conftest import Move
from tests.integration.api.test_bulk_create import count

KEY = {"Idempotency-Key": "a-1"}
JOB: dict[str, Any] = {"task": NOOP, "scheduled_at": "2099-01-01T00:00:00Z"}


def create(api: Api, body: Any = JOB, key: str = "a-1") -> Answer:
    return api.post("/api/job", body, {"Idempotency-Key": key})


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def calls(api: Api) -> list[tuple[str, Any]]:
    """Every call that creates."""
    first = api.create()["id"]
    template = api.post("/api/templates", {"name": "first", "task": NOOP}).ok(201)["id"]
    return [
        ("/api/job", {"task": NOOP}),
        ("/api/bulk/create", {"jobs": [{"task": NOOP}, {"task": NOOP}]}),
        (f"/api/duplicate/{first}", None),
        ("/api/bulk/duplicate", {"ids": [first]}),
        ("/api/templates", {"name": "second", "task": NOOP}),
        (f"/api/templates/{template}/use", {"scheduled_at": "2099-01-01T00:00:00Z"}),
    ]


def test_the_first_answer_comes_back(api: Api, db: Database) -> None:
    for number, (path, body) in enumerate(calls(api)):
        header = {"Idempotency-Key": f"key-{number}"}
        first, before = api.post(path, body, header), count(db)
        again = api.post(path, body, header)
        assert (again.status, again.text) == (first.status, first.text) == (201, first.text)
        for name in ("Location", "Content-Type"):
            assert again.headers.get(name) == first.headers.get(name)
        assert (is_replayed(first), is_replayed(again)) == (False, True)
        assert count(db) == before
        assert not is_replayed(api.post(path, body, {"Idempotency-Key": "another"}))
        assert not is_replayed(api.post(path, body))


def test_the_document_tells_of_the_key_where_it_is_heeded(api: Api) -> None:
    paths = api.get("/openapi.json").ok()["paths"]
    heeding = {
        path
        for path, operations in paths.items()
        for operation in operations.values()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
    }
    templates = {"/api/templates", "/api/templates/{id}/use"}
    schedules = {"/api/schedules", "/api/schedules/{id}/trigger"}
    many = {"/api/bulk/create", "/api/bulk/duplicate"}
    assert heeding == {"/api/job", "/api/duplicate/{id}", "/api/users"} | many | templates | schedules


def test_the_first_answer_comes_back_whatever_became_of_the_job(api: Api, move: Move) -> None:
    first = create(api)
    move(first.ok(201)["id"], JobStatus.COMPLETED)
    assert create(api).text == first.text
    api.delete(first.headers["Location"])
    assert create(api).text == first.text


@pytest.mark.parametrize(
    "body",
    [
        {**JOB, "priority": 5},
        {**JOB, "scheduled_at": "2099-01-01T01:00:00+01:00"},
        dict(reversed(JOB.items())),
    ],
    ids=["a default", "an offset", "another order"],
)
def test_another_spelling_is_the_same_request(api: Api, body: Any) -> None:
    first = create(api)
    assert create(api, body).text == first.text


def test_another_request_under_the_key_is_refused(api: Api, db: Database) -> None:
    first = create(api)
    assert create(api, {**JOB, "priority": 6}).locations() == [["Idempotency-Key"]]
    assert api.post("/api/bulk/create", {"jobs": [JOB]}, KEY).locations() == [["Idempotency-Key"]]
    assert api.post(f"/api/duplicate/{first.body['id']}", None, KEY).locations() == [["Idempotency-Key"]]
    assert count(db) == 1


def test_a_key_says_for_which_job_it_stands(api: Api) -> None:
    one, other = api.create()["id"], api.create()["id"]
    api.post(f"/api/duplicate/{one}", None, KEY).ok(201)
    assert api.post(f"/api/duplicate/{other}", None, KEY).locations() == [["Idempotency-Key"]]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\tb"])
def test_what_is_no_key_is_refused(storeless: Api, key: str) -> None:
    assert create(storeless, key=key).locations() == [["Idempotency-Key"]]


@pytest.mark.parametrize("key", ["x" * 255, '"quoted"', "';--", "%s"])
def test_a_key_is_any_visible_text(api: Api, key: str) -> None:
    create(api, key=key).ok(201)
    assert is_replayed(create(api, key=key))


def test_errors_are_not_kept(api: Api, db: Database) -> None:
    create(api, {"task": NOOP, "priority": 0}).problem(422)
    create(api, {"task": {"type": "nope", "data": {}}}).problem(422)
    api.post("/api/duplicate/99", None, KEY).problem(404)
    create(api).ok(201)
    assert count(db) == 1


def test_an_unfinished_bearer_of_the_unique_key_is_an_answer_too(api: Api) -> None:
    bearer = api.create(unique_key="u")
    body = {"task": NOOP, "unique_key": "u"}
    assert create(api, body).ok(200) == bearer
    api.post(f"/api/cancel/{bearer['id']}").ok()
    again = create(api, body)
    assert again.ok(200) == bearer
    assert is_replayed(again)


@pytest.fixture
def many(services: Services, database_url: str) -> Generator[Api]:
    """An API that can answer many requests at once."""
    with closing(Database(database_url, name="many", max_size=20, timeout=30)) as database:
        yield Api(create_app(replace(services, database=database)))


def at_once(number: int, call: Callable[[], Answer]) -> list[Answer]:
    together = threading.Barrier(number)

    def caller() -> Answer:
        together.wait()
        return call()

    with ThreadPoolExecutor(number) as threads:
        return [each.result() for each in [threads.submit(caller) for _ in range(number)]]


def test_of_fifty_at_once_one_creates_and_all_get_its_answer(many: Api, db: Database) -> None:
    answers = at_once(50, lambda: create(many))
    assert {answer.text for answer in answers} == {answers[0].text}
    assert {answer.status for answer in answers} == {201}
    assert sorted(map(is_replayed, answers)) == [False] + [True] * 49
    assert count(db) == 1


def test_it_outlives_a_restart_of_the_api(services: Services, api: Api) -> None:
    first = create(api)
    again = create(Api(create_app(services)))
    assert again.text == first.text
    assert is_replayed(again)


def test_a_crash_between_reserving_and_creating_leaves_the_key_free(api: Api, db: Database, database_url: str) -> None:
    """The connection of the first request dies while it waits to write its job; the second one, then, creates."""
    with psycopg.connect(database_url) as holder, ThreadPoolExecutor(1) as thread:
        holder.execute("LOCK TABLE jobs IN SHARE MODE")
        first = thread.submit(lambda: create(api))
        with psycopg.connect(database_url, autocommit=True) as watcher:
            waits = "pid <> pg_backend_pid() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO jobs%'"
            eventually(
                lambda: watcher.execute(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waits}"  # pyright: ignore[reportArgumentType]
                ).fetchall(),
                what="the first request's wait",
            )
        first.result().problem(503)
    second = create(api)
    assert second.ok(201)
    assert not is_replayed(second)
    assert count(db) == 1


def test_pickers_are_woken_when_the_job_is_there_to_be_seen(api: Api, db: Database, redis_url: str) -> None:
    seen: list[int] = []
    listener = Listener(redis_url, "wake", lambda _: seen.append(count(db)))
    listener.start()
    try:
        eventually(lambda: seen == [0], what="the listener's first call")
        create(api, {"task": NOOP}).ok(201)
        eventually(lambda: len(seen) == 2, what="the wake-up")
        assert is_replayed(create(api, {"task": NOOP}))
        api.create()
        eventually(lambda: len(seen) == 3, what="the next wake-up")
    finally:
        listener.stop()
    assert seen == [0, 1, 2]


# ── keeping and forgetting ──────────────────────────────────────────────────────────────────────────────────────────


def age(conn: Connection, hours: float) -> None:
    conn.execute("UPDATE idempotency_keys SET created_at = created_at - make_interval(secs => %s)", (hours * 3600,))


def test_a_key_is_kept_for_a_day(api: Api, db: Database) -> None:
    first = create(api)
    with db.connection() as connection:
        age(connection, 23.9)
        assert create(api).text == first.text
        age(connection, 0.2)
    second = create(api, {**JOB, "priority": 1})
    assert second.ok(201)["id"] != first.body["id"]
    assert create(api, {**JOB, "priority": 1}).text == second.text


def test_pickers_forget_old_keys_in_batches(api: Api, db: Database) -> None:
    with db.connection() as connection:
        connection.execute(
            "INSERT INTO idempotency_keys (owner_id, key, fingerprint, created_at, status, body)"
            " SELECT 0, n::text, '', now() - interval '25 h', 201, '{}' FROM generate_series(1, 501) AS n"
        )
    kept = create(api)
    duty = Forget(db)
    assert [duty.step(), duty.step(), duty.step()] == [True, False, False]
    with db.connection() as connection:
        row = connection.execute("SELECT count(*) FROM idempotency_keys").fetchone()
    assert row == (1,)
    assert create(api).text == kept.text


def test_each_caller_has_keys_of_its_own(db: Database) -> None:
    asked = idempotency.Request("k", b"1")
    answer = idempotency.KeptAnswer(201, None, "{}")
    with db.connection() as connection:
        for owner in (1, 2):
            with connection.transaction():
                assert idempotency.reserve(connection, Caller(owner_id=owner), asked) is None
                idempotency.keep(connection, Caller(owner_id=owner), "k", answer)
        assert idempotency.reserve(connection, Caller(owner_id=1), asked) == answer
