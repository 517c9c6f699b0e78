"""Declaring task types, finding them, and checking data against them."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, Field

from scheduler.domain.errors import ConfigurationError, InvalidInput, PermanentError
from scheduler.domain.job import JsonObject
from scheduler.tasks import TaskContext, task
from scheduler.tasks.data import TaskData
from scheduler.tasks.noop import noop_task
from scheduler.tasks.registry import Kind, Registry, TaskType, UnknownTask, load_registry

WriteModule = Callable[[str, str], str]


class Resize(BaseModel):
    path: str
    width: int


class Strict(TaskData):
    size: int


@task("resize", timeout_seconds=60)
def resize(data: Resize, context: TaskContext) -> JsonObject:
    """Makes a picture smaller.

    More about it.
    """
    return {"width": data.width, "job": context.job_id}


@task("fetch")
async def fetch(data: Resize, context: TaskContext) -> None: ...


@task("crunch", kind="process")
def crunch(data: "Resize", context: TaskContext) -> None: ...


def strict(data: Strict, context: TaskContext) -> None: ...


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModule:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def write(name: str, body: str) -> str:
        header = (
            "from pydantic import BaseModel\nfrom scheduler.tasks import TaskContext, task\nclass M(BaseModel): ...\n"
        )
        (tmp_path / f"{name}.py").write_text(header + body)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


def test_declared_functions_become_types_and_stay_functions() -> None:
    registry = load_registry([], [__name__])
    assert [(each.name, each.kind) for each in registry.types()] == [
        ("crunch", Kind.PROCESS),
        ("fetch", Kind.ASYNC),
        ("resize", Kind.THREAD),
    ]
    found = registry.get("resize")
    assert (found.model, found.handler, found.timeout_seconds) == (Resize, resize, 60)
    assert found.description == "Makes a picture smaller."
    context = TaskContext(job_id=7, attempt=1, max_attempts=1, on_log=print, on_progress=print, is_cancelled=bool)
    assert resize(Resize(path="a", width=3), context) == {"width": 3, "job": 7}


def test_data_becomes_the_types_model() -> None:
    registry = load_registry([], [__name__])
    assert registry.validate("resize", {"path": "a.png", "width": 3}) == Resize(path="a.png", width=3)


def test_each_fault_of_the_data_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        load_registry([], [__name__]).validate("resize", {"width": "wide"})
    assert {(fault.loc, fault.type) for fault in caught.value.errors} == {
        (("task", "data", "path"), "missing"),
        (("task", "data", "width"), "int_parsing"),
    }


class Choice(BaseModel):
    one_or_many: Annotated[str, AfterValidator(str.upper)] | list[Annotated[int, Field(ge=1)]]
    list_or_members: list[int] | dict[str, int]
    nested: list[Resize]


def test_a_fault_is_where_the_data_has_it_whatever_may_stand_there() -> None:
    registry = Registry([TaskType("choice", Kind.THREAD, Choice, resize)])
    with pytest.raises(InvalidInput) as caught:
        registry.validate(
            "choice", {"one_or_many": [0], "list_or_members": {"a": "x"}, "nested": [{"path": "a"}, {"width": "b"}]}
        )
    assert {fault.loc[2:] for fault in caught.value.errors} == {
        ("one_or_many",),
        ("one_or_many", 0),
        ("list_or_members",),
        ("list_or_members", "a"),
        ("nested", 0, "width"),
        ("nested", 1, "path"),
        ("nested", 1, "width"),
    }


def test_an_unknown_field_of_a_built_in_type_is_refused_and_of_a_users_model_as_it_declares() -> None:
    registry = Registry([TaskType("strict", Kind.THREAD, Strict, strict), *load_registry([], [__name__]).types()])
    with pytest.raises(InvalidInput) as caught:
        registry.validate("strict", {"size": 1, "sise": 2})
    assert [fault.loc for fault in caught.value.errors] == [("task", "data", "sise")]
    registry.validate("resize", {"path": "a", "width": 3, "colour": "red"})


def test_an_unknown_type_names_the_known_ones() -> None:
    registry = load_registry([noop_task()], [__name__])
    with pytest.raises(InvalidInput) as caught:
        registry.validate("resise", {})
    (fault,) = caught.value.errors
    assert (fault.loc, fault.type) == (("task", "type"), "unknown_task")
    assert "crunch, fetch, noop, resize" in fault.msg
    with pytest.raises(UnknownTask) as unknown:
        registry.get("resise")
    assert isinstance(unknown.value, PermanentError)


def test_the_schema_of_a_type_describes_its_data() -> None:
    schema = load_registry([], [__name__]).json_schema("resize")
    assert schema["required"] == ["path", "width"]
    with pytest.raises(UnknownTask):
        Registry([]).json_schema("resize")


def test_a_handler_that_another_module_imports_counts_once(write_module: WriteModule) -> None:
    write_module("tasks_one", "@task('a')\ndef a(data: M, context: TaskContext): ...\n")
    write_module("tasks_two", "from tasks_one import a\n@task('b')\ndef b(data: M, context: TaskContext): ...\n")
    assert [each.name for each in load_registry([], ["tasks_one", "tasks_two"]).types()] == ["a", "b"]


def test_a_name_declared_twice_names_both_places(write_module: WriteModule) -> None:
    write_module("tasks_three", "@task('noop')\ndef mine(data: M, context: TaskContext): ...\n")
    with pytest.raises(ConfigurationError, match=r"scheduler\.tasks\.noop\.noop and by tasks_three\.mine"):
        load_registry([noop_task()], ["tasks_three"])


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("", "declares no task"),
        ("@task('x')\ndef x(data, context): ...", "pydantic model"),
    ],
)
def test_a_module_that_cannot_be_used_is_named_with_the_cause(write_module: WriteModule, body: str, cause: str) -> None:
    write_module("tasks_broken", body)
    with pytest.raises(ConfigurationError) as caught:
        load_registry([], ["tasks_broken"])
    assert "tasks_broken" in str(caught.value)
    assert cause in str(caught.value)


def test_installed_packages_declare_types_through_entry_points(write_module: WriteModule, tmp_path: Path) -> None:
    declarations = [f"@task('{name}')\ndef {name}(data: M, context: TaskContext): ...\n" for name in "pq"]
    write_module("tasks_plugin", "".join(declarations))
    package = tmp_path / "tasks_plugin-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: tasks-plugin\nVersion: 1.0\n")
    points = package / "entry_points.txt"
    points.write_text("[scheduler.tasks]\nwhole = tasks_plugin\nq = tasks_plugin:q\n")
    assert [each.name for each in load_registry([], []).types()] == ["p", "q"]
    points.write_text("[scheduler.tasks]\nbad = tasks_plugin:M\n")
    with pytest.raises(ConfigurationError, match=r"entry point 'bad'.*declares no task"):
        load_registry([], [])


def test_annotations_that_are_strings_are_resolved(write_module: WriteModule) -> None:
    body = "@task('later')\ndef later(data: 'M', context: 'NotKnownHere') -> 'NorThis': ...\n"
    write_module("tasks_strings", body)
    assert load_registry([], ["tasks_strings"]).get("later").model.__name__ == "M"


async def async_handler(data: Resize, context: TaskContext) -> None: ...


def plain_handler(data: Resize, context: TaskContext) -> None: ...


def no_annotation(data, context): ...  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType] - the point


def local_handler() -> Callable[[Resize, TaskContext], None]:
    def handler(data: Resize, context: TaskContext) -> None: ...

    return handler


def wrong_annotation(data: int, context: TaskContext) -> None: ...


def unresolvable(data: "Nowhere", context: TaskContext) -> None: ...  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType] - the point


def one_parameter(data: Resize) -> None: ...


@pytest.mark.parametrize(
    ("declare", "complaint"),
    [
        (lambda: task("x", kind="async")(plain_handler), "needs a coroutine function"),
        (lambda: task("x", kind="thread")(async_handler), "needs a plain function"),
        (lambda: task("x", kind="process")(async_handler), "needs a plain function"),
        (lambda: task("x", kind="fiber")(plain_handler), "none of async, thread, process"),  # pyright: ignore[reportArgumentType] - wrong on purpose
        (lambda: task("x", kind="process")(local_handler()), "top of its module"),
        (partial(task("x"), no_annotation), "pydantic model"),
        (lambda: task("x")(wrong_annotation), "pydantic model"),
        (partial(task("x"), unresolvable), "cannot be resolved"),
        (lambda: task("x")(one_parameter), r"must take \(data, context\)"),
        (lambda: task("a name")(plain_handler), "not a task type's name"),
        (lambda: task("x", timeout_seconds=0)(plain_handler), "positive number"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(declare: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        declare()


def test_a_model_that_json_cannot_fill_is_refused_when_the_process_starts() -> None:
    class Callback(BaseModel):
        then: Callable[[], None]

    with pytest.raises(ConfigurationError, match="no JSON Schema"):
        Registry([TaskType("x", Kind.THREAD, Callback, plain_handler)])


def test_closing_the_registry_closes_each_type_even_after_one_fails() -> None:
    closed: list[str] = []

    async def good() -> None:
        closed.append("good")

    async def bad() -> None:
        closed.append("bad")
        raise RuntimeError("no")

    registry = Registry(
        [
            TaskType("bad", Kind.THREAD, Resize, plain_handler, close=bad),
            TaskType("good", Kind.THREAD, Resize, plain_handler, close=good),
            TaskType("none", Kind.THREAD, Resize, plain_handler),
        ]
    )
    asyncio.run(registry.aclose())
    assert sorted(closed) == ["bad", "good"]
