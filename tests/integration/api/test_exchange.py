"""What all answers share, and the documents."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from scheduler.api.app import Services, create_app
from scheduler.domain.errors import SchedulerError
from tests.integration.api.calls import Api


@pytest.mark.parametrize("sent", ["abc-123", "x" * 128, "!~"])
def test_a_callers_request_id_comes_back(storeless: Api, sent: str) -> None:
    for path in ("/healthz", "/nope", "/api/jobs/x"):
        assert storeless.get(path, headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "é", "a\tb"])
def test_an_unusable_request_id_is_replaced(storeless: Api, sent: str) -> None:
    answer = storeless.get("/healthz", headers={"X-Request-ID": sent})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize("path", ["/healthz", "/api/task-types", "/api/nope", "/docs", "/openapi.json"])
def test_headers_of_caution(storeless: Api, path: str) -> None:
    headers = storeless.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    if path.startswith("/api"):
        assert headers["Cache-Control"] == "no-store"


def test_one_line_in_the_log_for_each_request(storeless: Api) -> None:
    with capture_logs() as lines:
        storeless.get("/api/task-types?token=secret")
        storeless.send("DELETE", "/api/jobs")
    requests = [line for line in lines if line["event"] == "request"]
    assert [(each["method"], each["path"], each["status"]) for each in requests] == [
        ("GET", "/api/task-types", 200),
        ("DELETE", "/api/jobs", 405),
    ]
    assert {each["log_level"] for each in requests} == {"info"}
    assert "secret" not in str(lines)


@pytest.mark.parametrize("error", [RuntimeError("the secret is 42"), SchedulerError("the secret is 42")])
def test_an_unexpected_error_is_logged_and_not_shown(services: Services, error: Exception) -> None:
    app = create_app(services)

    def fail() -> str:
        raise error

    app.add_url_rule("/api/broken", view_func=fail)
    with capture_logs() as lines:
        answer = Api(app).get("/api/broken", headers={"X-Request-ID": "this-one"})
    assert "this-one" in answer.problem(500)["detail"]
    assert "42" not in answer.text
    assert [line["exc_info"] for line in lines if line["event"] == "request failed"] == [error]


def test_task_types(storeless: Api) -> None:
    types = {each["type"]: each for each in storeless.get("/api/task-types").ok()["task_types"]}
    assert {"noop", "create_folder", "write_file", "send_email", "api"} <= types.keys()
    assert types["api"]["data"]["required"] == ["url"]


def test_the_page_needs_nothing_from_elsewhere(storeless: Api) -> None:
    page = storeless.get("/docs")
    assert page.status == 200
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 3
    for link in links:
        assert link.startswith("/docs/")
        assert storeless.get(link).status == 200
    assert "/openapi.json" in storeless.get("/docs/start.js").text
    storeless.get("/docs/assets/../__init__.py").problem(404)
    storeless.get("/docs/assets/%2e%2e/__init__.py").problem(404)


OPERATIONS = {
    ("/api/job", "post"): {"200", "201", "400", "413", "415", "422", "503"},
    ("/api/jobs", "get"): {"200", "422", "503"},
    ("/api/bulk/create", "post"): {"201", "400", "409", "413", "415", "422", "503"},
    ("/api/bulk/cancel", "post"): {"200", "400", "413", "415", "422", "503"},
    ("/api/bulk/retry", "post"): {"200", "400", "413", "415", "422", "503"},
    ("/api/bulk/duplicate", "post"): {"201", "400", "409", "413", "415", "422", "503"},
    ("/api/dead-letter", "get"): {"200", "422", "503"},
    ("/api/dead-letter/retry", "post"): {"200", "400", "413", "415", "422", "503"},
    ("/api/dead-letter", "delete"): {"200", "400", "413", "415", "422", "503"},
    ("/api/templates", "get"): {"200", "422", "503"},
    ("/api/templates", "post"): {"201", "400", "409", "413", "415", "422", "503"},
    ("/api/templates/{id}", "delete"): {"204", "404", "503"},
    ("/api/templates/{id}/use", "post"): {"201", "400", "404", "413", "415", "422", "503"},
    ("/api/jobs/{id}", "get"): {"200", "404", "503"},
    ("/api/jobs/{id}", "delete"): {"204", "404", "409", "503"},
    ("/api/jobs/{id}", "patch"): {"200", "400", "404", "409", "413", "415", "422", "503"},
    ("/api/jobs/{id}", "put"): {"200", "400", "404", "409", "413", "415", "422", "503"},
    ("/api/executions", "get"): {"200", "422", "503"},
    ("/api/jobs/{id}/status", "get"): {"200", "404", "503"},
    ("/api/jobs/{id}/executions", "get"): {"200", "404", "422", "503"},
    ("/api/cancel/{id}", "post"): {"200", "400", "404", "409", "413", "415", "422", "503"},
    ("/api/retry/{id}", "post"): {"200", "400", "404", "409", "413", "415", "422", "503"},
    ("/api/duplicate/{id}", "post"): {"201", "400", "404", "413", "415", "422", "503"},
    ("/api/jobs/export", "get"): {"200", "422", "429", "503"},
    ("/api/stats", "get"): {"200", "422", "503"},
    ("/api/schedules", "get"): {"200", "422", "503"},
    ("/api/schedules", "post"): {"201", "400", "413", "415", "422", "503"},
    ("/api/schedules/preview", "post"): {"200", "400", "413", "415", "422"},
    ("/api/schedules/{id}", "get"): {"200", "404", "503"},
    ("/api/schedules/{id}", "patch"): {"200", "400", "404", "413", "415", "422", "503"},
    ("/api/schedules/{id}", "delete"): {"204", "404", "503"},
    ("/api/schedules/{id}/pause", "post"): {"200", "400", "404", "413", "415", "422", "503"},
    ("/api/schedules/{id}/resume", "post"): {"200", "400", "404", "413", "415", "422", "503"},
    ("/api/schedules/{id}/trigger", "post"): {"201", "400", "404", "413", "415", "422", "503"},
    ("/api/schedules/{id}/next", "get"): {"200", "404", "422", "503"},
    ("/api/task-types", "get"): {"200"},
    ("/api/queue/stats", "get"): {"200", "503"},
    ("/api/queues/{name}/pause", "post"): {"200", "400", "413", "415", "422", "503"},
    ("/api/queues/{name}/resume", "post"): {"200", "400", "413", "415", "422", "503"},
    ("/api/queues/{name}", "patch"): {"200", "400", "413", "415", "422", "503"},
    ("/api/workers", "get"): {"200", "503"},
    ("/api/auth/register", "post"): {"201", "400", "403", "409", "413", "415", "422", "429", "503"},
    ("/api/auth/login", "post"): {"200", "400", "401", "413", "415", "422", "429", "503"},
    ("/api/auth/refresh", "post"): {"200", "400", "401", "413", "415", "422", "429", "503"},
    ("/api/auth/logout", "post"): {"204", "400", "401", "413", "415", "422", "429", "503"},
    ("/api/auth/me", "get"): {"200", "404", "503"},
    ("/api/auth/password", "post"): {"204", "400", "404", "413", "415", "422", "503"},
    ("/api/auth/keys", "get"): {"200", "422", "503"},
    ("/api/auth/keys", "post"): {"201", "400", "404", "413", "415", "422", "503"},
    ("/api/auth/keys/{id}", "delete"): {"204", "404", "503"},
    ("/api/users", "get"): {"200", "422", "503"},
    ("/api/users", "post"): {"201", "400", "409", "413", "415", "422", "503"},
    ("/api/users/{id}", "patch"): {"200", "400", "404", "409", "413", "415", "422", "503"},
    ("/api/users/{id}", "delete"): {"204", "404", "409", "503"},
    ("/api/audit", "get"): {"200", "422", "503"},
    ("/healthz", "get"): {"200"},
    ("/readyz", "get"): {"200", "503"},
    ("/metrics", "get"): {"200"},
}

OPEN = {
    ("/api/auth/register", "post"),
    ("/api/auth/login", "post"),
    ("/api/auth/refresh", "post"),
    ("/api/auth/logout", "post"),
    ("/healthz", "get"),
    ("/readyz", "get"),
}


def test_the_document_tells_of_every_operation(storeless: Api) -> None:
    document = storeless.get("/openapi.json").ok()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1.2.3"
    told = {(path, method): op for path, ops in document["paths"].items() for method, op in ops.items()}
    assert {key: set(op["responses"]) for key, op in told.items()} == {
        key: answers if key in OPEN else answers | {"401", "403", "429"} for key, answers in OPERATIONS.items()
    }
    assert {key for key, op in told.items() if "security" not in op} == OPEN
    assert len({op["operationId"] for op in told.values()}) == len(told)
    for (path, _), operation in told.items():
        assert operation["summary"]
        for status, response in operation["responses"].items():
            if status == "204":
                assert "content" not in response
                continue
            is_problem = int(status) >= 400 and path != "/readyz"
            kind = {"/api/jobs/export": "text/csv", "/metrics": "text/plain"}.get(path, "application/json")
            assert list(response["content"]) == ["application/problem+json" if is_problem else kind]


def test_every_reference_of_the_document_leads_somewhere(storeless: Api) -> None:
    document = storeless.get("/openapi.json").ok()
    references = set(references_in(document))
    assert "#/components/schemas/Problem" in references
    assert {reference.rpartition("/")[2] for reference in references} <= document["components"]["schemas"].keys()


def test_the_documents_example_of_a_job_is_accepted(api: Api) -> None:
    body = api.get("/openapi.json").ok()["paths"]["/api/job"]["post"]["requestBody"]["content"]["application/json"]
    created = api.post("/api/job", body["example"]).ok(201)
    assert created["name"] == body["example"]["name"]


def test_the_document_has_the_parameters_of_the_list(storeless: Api) -> None:
    operation = storeless.get("/openapi.json").ok()["paths"]["/api/jobs"]["get"]
    assert {each["name"] for each in operation["parameters"]} == {
        *("page", "limit", "cursor", "status", "taskType", "search", "startDate", "endDate", "queue", "priority"),
        *("scheduleId", "sort"),
    }
    assert not any(each["required"] for each in operation["parameters"])


def test_options_of_an_action_may_be_left_out(storeless: Api) -> None:
    paths = storeless.get("/openapi.json").ok()["paths"]
    for path in ("/api/cancel/{id}", "/api/retry/{id}", "/api/duplicate/{id}"):
        assert paths[path]["post"]["requestBody"]["required"] is False
    assert paths["/api/job"]["post"]["requestBody"]["required"] is True


def references_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in cast("dict[str, Any]", node).items():
            if key == "$ref":
                yield value
            yield from references_in(value)
    elif isinstance(node, list):
        for value in cast("list[Any]", node):
            yield from references_in(value)


def test_head_and_options_are_answered(storeless: Api) -> None:
    assert storeless.send("HEAD", "/healthz").status == 200
    assert "GET" in storeless.send("OPTIONS", "/healthz").headers["Allow"]
