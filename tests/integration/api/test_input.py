"""What is refused, and that it is refused before the store is asked: here there is none."""

import io
import json
from typing import Any

import pytest

from tests.integration.api.calls import NOOP, Answer, Api
from tests.integration.api.conftest import MAX_BODY_BYTES

BAD: list[tuple[dict[str, Any], list[str | int]]] = [
    ({"task": None}, ["task"]),
    ({"task": {"type": "noop"}}, ["task", "data"]),
    ({"task": {"type": "", "data": {}}}, ["task", "type"]),
    ({"task": {"type": "nope", "data": {}}}, ["task", "type"]),
    ({"task": {"type": "noop", "data": {"typo": 1}}}, ["task", "data", "typo"]),
    ({"task": {"type": "noop", "data": []}}, ["task", "data"]),
    ({"task": {"type": "api", "data": {}}}, ["task", "data", "url"]),
    ({"typo": 1}, ["typo"]),
    ({"retry": {"typo": 1}}, ["retry", "typo"]),
    ({"scheduled_at": "2026-02-19T10:00:00"}, ["scheduled_at"]),
    ({"scheduled_at": "2026-02-19"}, ["scheduled_at"]),
    ({"scheduled_at": "2026-02-30T10:00:00Z"}, ["scheduled_at"]),
    ({"scheduled_at": "2026-02-19T10:00:00+99:99"}, ["scheduled_at"]),
    ({"scheduled_at": "2026-02-19T10:00:00Z\n"}, ["scheduled_at"]),
    ({"scheduled_at": "٢٠٢٦-02-19T10:00:00Z"}, ["scheduled_at"]),
    ({"scheduled_at": 1771495200}, ["scheduled_at"]),
    ({"scheduled_at": "1969-12-31T00:00:00Z"}, ["scheduled_at"]),
    ({"scheduled_at": "0001-01-01T00:00:00+23:59"}, ["scheduled_at"]),
    ({"scheduled_at": "2201-01-01T00:00:00Z"}, ["scheduled_at"]),
    ({"scheduled_at": "2026-02-19T10:00:00Z", "delay_seconds": 1}, ["delay_seconds"]),
    ({"scheduled_at": "2026-02-19T10:00:00Z", "expires_at": "2026-02-19T10:00:00Z"}, ["expires_at"]),
    ({"delay_seconds": -1}, ["delay_seconds"]),
    ({"delay_seconds": 1e9}, ["delay_seconds"]),
    ({"delay_seconds": "5"}, ["delay_seconds"]),
    ({"priority": 0}, ["priority"]),
    ({"priority": 10}, ["priority"]),
    ({"priority": True}, ["priority"]),
    ({"priority": "5"}, ["priority"]),
    ({"max_attempts": 0}, ["max_attempts"]),
    ({"max_attempts": 101}, ["max_attempts"]),
    ({"timeout_seconds": 0}, ["timeout_seconds"]),
    ({"timeout_seconds": 86401}, ["timeout_seconds"]),
    ({"retry": {"backoff": "random"}}, ["retry", "backoff"]),
    ({"retry": {"delay_seconds": -1}}, ["retry", "delay_seconds"]),
    ({"retry": {"max_delay_seconds": 1e12}}, ["retry", "max_delay_seconds"]),
    ({"retry": {"jitter": "yes"}}, ["retry", "jitter"]),
    ({"queue": "Mails"}, ["queue"]),
    ({"queue": "a\n"}, ["queue"]),
    ({"queue": "a" * 65}, ["queue"]),
    ({"name": "x" * 201}, ["name"]),
    ({"name": 5}, ["name"]),
    ({"name": "a\0b"}, ["name"]),
    ({"name": "\ud800"}, ["name"]),
    ({"unique_key": ""}, ["unique_key"]),
    ({"unique_key": "x" * 201}, ["unique_key"]),
    ({"concurrency_key": "x" * 201}, ["concurrency_key"]),
    ({"task": {"type": "noop", "data": {"a": ["ok", "\0"]}}}, ["task", "data", "a", 1]),
    ({"task": {"type": "noop", "data": {"a\0": 1}}}, ["task", "data"]),
    ({"task": {"type": "noop", "data": {"a": 2**64}}}, ["task", "data", "a"]),
    ({"max_attempts": 10**30}, ["max_attempts"]),
]


@pytest.mark.parametrize(("fields", "loc"), BAD, ids=lambda value: str(value)[:60])
def test_bad_input_is_refused_by_field(storeless: Api, fields: dict[str, Any], loc: list[str | int]) -> None:
    assert storeless.post("/api/job", {"task": NOOP, **fields}).locations() == [loc]


def test_every_fault_is_named_at_once(storeless: Api) -> None:
    locations = storeless.post("/api/job", {"priority": 0, "typo": 1}).locations()
    assert sorted(map(str, locations)) == ["['priority']", "['task']", "['typo']"]


ACTIONS = ["/api/cancel/1", "/api/retry/1", "/api/duplicate/1", "/api/templates/1/use"]
LISTS = ["/api/bulk/create", "/api/bulk/cancel", "/api/bulk/retry", "/api/bulk/duplicate"]
WRITES = ["/api/job", "/api/templates", "/api/dead-letter/retry", *ACTIONS]


def send(api: Api, data: bytes | str, content_type: str = "application/json") -> Answer:
    return api.send("POST", "/api/job", data=data, headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{'a': 1}",
        '{"task": NaN}',
        '{"task": -Infinity}',
        '{"priority": ' + "1" * 5000 + "}",
        '{"task": ' + "[" * 9000 + "]" * 9000 + "}",
        "[" * 19000,
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"name": "a"}',
        '{"name": "a"}'.encode("utf-16"),
    ],
    ids=lambda text: str(text)[:30],
)
def test_malformed_json_is_a_bad_request(storeless: Api, text: bytes | str) -> None:
    send(storeless, text).problem(400)


@pytest.mark.parametrize("path", [*WRITES, *LISTS])
def test_a_half_sent_body_is_a_bad_request(storeless: Api, path: str) -> None:
    body = json.dumps({"task": NOOP, "jobs": [{"task": NOOP}]})[:-5]
    storeless.send("POST", path, data=body, headers={"Content-Type": "application/json"}).problem(400)


@pytest.mark.parametrize("text", ["[]", "null", "1", '"{}"', json.dumps(json.dumps({"task": NOOP}))])
def test_a_body_is_an_object(storeless: Api, text: str) -> None:
    assert send(storeless, text).locations() == [[]]


def test_a_number_beyond_all_floats_is_refused(storeless: Api) -> None:
    body = '{"task": {"type": "noop", "data": {"n": 1e999}}}'
    assert send(storeless, body).locations() == [["task", "data", "n"]]


def test_data_nested_out_of_reason_is_refused(storeless: Api) -> None:
    nested = "[" * 60 + "]" * 60
    body = '{"task": {"type": "noop", "data": {"n": ' + nested + "}}}"
    assert send(storeless, body).locations() == [["task", "data", "n"]]


def test_no_body_lacks_its_fields(storeless: Api) -> None:
    assert storeless.post("/api/job").locations() == [["task"]]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", [*WRITES, *LISTS])
def test_a_body_that_is_not_json_is_unsupported(storeless: Api, path: str, kind: str) -> None:
    storeless.send("POST", path, data=json.dumps({"task": NOOP}), headers={"Content-Type": kind}).problem(415)


@pytest.mark.parametrize("path", WRITES)
def test_a_body_over_the_limit_is_too_large(storeless: Api, path: str) -> None:
    storeless.post(path, {"task": NOOP, "description": "x" * MAX_BODY_BYTES}).problem(413)


@pytest.mark.parametrize("ending", ["", '"}'])
def test_a_chunked_body_over_the_limit_is_too_large(storeless: Api, ending: str) -> None:
    """The server hands over such a body without a length; cut at the limit, it must not pass for whole."""
    body = json.dumps({"task": NOOP}).ljust(MAX_BODY_BYTES) + ending + "x"
    storeless.send(
        "POST",
        "/api/job",
        input_stream=io.BytesIO(body.encode()),
        headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    ).problem(413)


@pytest.mark.parametrize("path", ACTIONS)
def test_unknown_options_of_an_action_are_refused(storeless: Api, path: str) -> None:
    assert storeless.post(path, {"typo": 1}).locations() == [["typo"]]


@pytest.mark.parametrize("path", ["", "/status", "/executions"])
@pytest.mark.parametrize("job_id", ["9" * 19, "9" * 5000, "0", "-1", "x", "1.0", "٤", "1%00", "1/", ""])
def test_what_is_no_id_is_not_found(storeless: Api, path: str, job_id: str) -> None:
    storeless.get(f"/api/jobs/{job_id}{path}").problem(404)


@pytest.mark.parametrize("path", ["/", "/nope", "/api", "/api/", "/api/nope", "/static/x", "/%00", "/docs/"])
def test_there_is_nothing_else(storeless: Api, path: str) -> None:
    storeless.get(path).problem(404)


def test_doubled_slashes_are_no_redirect(storeless: Api) -> None:
    storeless.send("GET", "/", environ_overrides={"PATH_INFO": "//api//jobs"}).problem(404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/job", "POST"),
        ("DELETE", "/api/jobs", "GET"),
        ("POST", "/healthz", "GET"),
        ("GET", "/api/cancel/1", "POST"),
    ],
)
def test_another_method_is_not_allowed(storeless: Api, method: str, path: str, allowed: str) -> None:
    answer = storeless.send(method, path)
    answer.problem(405)
    assert allowed in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "loc"),
    [
        ({"typo": "1"}, ["typo"]),
        ({"task_type": "noop"}, ["task_type"]),
        ({"page": "0"}, ["page"]),
        ({"page": "1000001"}, ["page"]),
        ({"page": "x"}, ["page"]),
        ({"limit": "0"}, ["limit"]),
        ({"limit": "201"}, ["limit"]),
        ({"status": "done"}, ["status", 0]),
        ({"status": ["pending", "done"]}, ["status", 1]),
        ({"sort": "name"}, ["sort"]),
        ({"sort": "id; DROP TABLE jobs"}, ["sort"]),
        ({"priority": "10"}, ["priority"]),
        ({"queue": "A"}, ["queue"]),
        ({"scheduleId": "0"}, ["scheduleId"]),
        ({"scheduleId": str(2**63)}, ["scheduleId"]),
        ({"search": "a\0"}, ["search"]),
        ({"search": "x" * 201}, ["search"]),
        ({"startDate": "2026-02-19T10:00:00"}, ["startDate"]),
        ({"startDate": "2026-02-30"}, ["startDate"]),
        ({"startDate": "1600-01-01"}, ["startDate"]),
        ({"endDate": "9999-12-31"}, ["endDate"]),
        ({"endDate": "yesterday"}, ["endDate"]),
        ({"cursor": "x"}, ["cursor"]),
        ({"cursor": "é"}, ["cursor"]),
        ({"cursor": "W10"}, ["cursor"]),
    ],
)
def test_a_bad_query_is_refused_by_parameter(storeless: Api, query: dict[str, Any], loc: list[str | int]) -> None:
    assert storeless.get("/api/jobs", query).locations() == [loc]


@pytest.mark.parametrize("query", [{"sort": "-id"}, {"status": "completed"}, {"limit": "0"}, {"cursor": "x"}])
def test_executions_take_a_page_only(storeless: Api, query: dict[str, str]) -> None:
    assert storeless.get("/api/jobs/1/executions", query).locations() == [[*query]]


@pytest.mark.parametrize(
    ("query", "loc"),
    [
        ({"jobId": "0"}, ["jobId"]),
        ({"jobId": str(2**63)}, ["jobId"]),
        ({"job_id": "1"}, ["job_id"]),
        ({"status": "pending"}, ["status", 0]),
        ({"worker": "\0"}, ["worker"]),
        ({"sort": "id"}, ["sort"]),
        ({"cursor": "x"}, ["cursor"]),
    ],
)
def test_a_bad_query_of_executions_is_refused(storeless: Api, query: dict[str, Any], loc: list[str | int]) -> None:
    assert storeless.get("/api/executions", query).locations() == [loc]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:8080", "null", "", "http://["])
def test_a_page_of_another_site_changes_nothing(storeless: Api, origin: str) -> None:
    headers = {"Host": "localhost:3000", "Origin": origin}
    for path in [*WRITES, *LISTS]:
        storeless.post(path, headers=headers).problem(403)
    for method in ("PATCH", "PUT", "DELETE"):
        storeless.send(method, "/api/jobs/1", headers=headers).problem(403)


def test_a_page_of_its_own_may(storeless: Api) -> None:
    headers = {"Host": "localhost:3000", "Origin": "http://localhost:3000"}
    storeless.post("/api/job", headers=headers).problem(422)
