"""Templates: kept, listed, used, removed."""

from typing import Any

import pytest

from scheduler.domain.caller import Caller
from scheduler.domain.errors import NotFound
from scheduler.domain.listing import PageRequest
from scheduler.domain.template import NewTemplate
from scheduler.store.connection import Database
from scheduler.store.reads import list_templates
from scheduler.store.templates import create_template, delete_template, get_template
from tests.integration.api.calls import NOOP, Answer, Api
from tests.integration.api.test_bulk_create import count

CALL: dict[str, Any] = {
    "type": "api",
    "data": {
        "url": "https://example.com/{{ path }}",
        "method": "POST",
        "json": {"n": "{{n}}", "all": ["{{ n }} of 9"]},
    },
}


def keep(api: Api, **fields: Any) -> Any:
    return api.post("/api/templates", {"name": "t", "task": CALL, **fields}).ok(201)


def use(api: Api, template: Any, body: Any = None) -> Answer:
    return api.post(f"/api/templates/{template['id']}/use", body)


def test_it_is_kept_listed_and_removed(api: Api) -> None:
    defaults = {"priority": 2, "retry": {"jitter": False}}
    first = keep(api, name="first", description="d", defaults=defaults)
    second = keep(api, name="second")
    assert list(first) == ["id", "name", "description", "task", "defaults", "created_at", "owner_id"]
    assert (first["name"], first["description"], first["task"], first["defaults"]) == ("first", "d", CALL, defaults)
    assert (second["description"], second["defaults"]) == (None, {})
    listed = api.get("/api/templates").ok()
    assert listed["templates"] == [second, first]
    assert listed["pagination"]["total"] == 2
    cursor = api.get("/api/templates", {"limit": 1}).ok()["pagination"]["next_cursor"]
    assert api.get("/api/templates", {"limit": 1, "cursor": cursor}).ok()["templates"] == [first]
    assert api.delete(f"/api/templates/{second['id']}").status == 204
    api.delete(f"/api/templates/{second['id']}").problem(404)
    use(api, second).problem(404)
    assert api.get("/api/templates").ok()["templates"] == [first]


def test_a_name_stands_once(api: Api) -> None:
    keep(api)
    assert "'t'" in api.post("/api/templates", {"name": "t", "task": NOOP}).problem(409)["detail"]


def test_a_used_template_is_a_job(api: Api) -> None:
    options = {"queue": "q", "priority": 2, "max_attempts": 7, "timeout_seconds": 5.5, "concurrency_key": "c"}
    template = keep(api, description="d", defaults={**options, "retry": {"jitter": False}})
    answer = use(api, template, {"parameters": {"path": "a", "n": 7}, "scheduled_at": "2099-01-01T00:00:00Z"})
    job = answer.ok(201)
    assert answer.headers["Location"] == f"/api/jobs/{job['id']}"
    data = {"url": "https://example.com/a", "method": "POST", "json": {"n": 7, "all": ["7 of 9"]}}
    assert job["task"] == {"type": "api", "data": data}
    assert {name: job[name] for name in options} == options
    assert job["retry"] == {"backoff": "exponential", "delay_seconds": 5, "max_delay_seconds": 3600, "jitter": False}
    assert (job["name"], job["description"], job["template_id"]) == ("t", "d", template["id"])
    assert job["scheduled_at"] == job["next_run_at"] == "2099-01-01T00:00:00Z"


def test_a_template_without_placeholders_needs_no_body(api: Api) -> None:
    job = use(api, keep(api, task=NOOP)).ok(201)
    assert (job["task"], job["scheduled_at"]) == (NOOP, job["created_at"])


@pytest.mark.parametrize(
    ("parameters", "locations"),
    [
        ({}, [["parameters", "n"], ["parameters", "path"]]),
        ({"n": 1}, [["parameters", "path"]]),
        ({"n": 1, "path": "x", "typo": 1}, [["parameters", "typo"]]),
        ({"n": 1, "paht": "x"}, [["parameters", "paht"], ["parameters", "path"]]),
        ({"n": 1, "path": "x" * 19_900}, [["parameters"]]),
        ({"n": 1, "path": " "}, [["task", "data", "url"]]),
        ({"n": 1, "path": "\0"}, [["parameters", "path"]]),
    ],
)
def test_parameters_that_do_not_fit_are_named(api: Api, db: Database, parameters: Any, locations: Any) -> None:
    template = keep(api)
    assert use(api, template, {"parameters": parameters}).locations() == locations
    assert count(db) == 0


def test_what_is_filled_in_may_not_nest_out_of_reason(api: Api) -> None:
    def nested(levels: int, inner: Any) -> Any:
        return nested(levels - 1, [inner]) if levels else inner

    template = keep(api, task={"type": "api", "data": {"url": "https://e.org", "json": nested(20, "{{ deep }}")}})
    use(api, template, {"parameters": {"deep": nested(10, 1)}}).ok(201)
    assert use(api, template, {"parameters": {"deep": nested(30, 1)}}).locations() == [["task", "data", "json"]]


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"name": None}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "x" * 201}, ["name"]),
        ({"task": {"type": "nope", "data": {"a": "{{ a }}"}}}, ["task", "type"]),
        ({"task": {"type": "nope", "data": {}}}, ["task", "type"]),
        ({"task": {"type": "api", "data": {"url": "x"}}}, ["task", "data", "url"]),
        ({"defaults": None}, ["defaults"]),
        ({"defaults": {"priority": 10}}, ["defaults", "priority"]),
        ({"defaults": {"unique_key": "u"}}, ["defaults", "unique_key"]),
        ({"typo": 1}, ["typo"]),
    ],
)
def test_bad_input_is_refused_by_field(storeless: Api, fields: Any, loc: Any) -> None:
    assert storeless.post("/api/templates", {"name": "t", "task": NOOP, **fields}).locations() == [loc]


def test_a_caller_has_templates_of_its_own(db: Database) -> None:
    mine, other = Caller(owner_id=1), Caller(owner_id=2)
    new = NewTemplate(name="t", task_type="noop", task_data={}, defaults={})
    with db.connection() as connection:
        template = create_template(connection, mine, new)
        assert create_template(connection, other, new).owner_id == 2
        assert [each.id for each in list_templates(connection, mine, PageRequest()).items] == [template.id]
        for act in (get_template, delete_template):
            with pytest.raises(NotFound):
                act(connection, other, template.id)
        assert get_template(connection, mine, template.id) == template
