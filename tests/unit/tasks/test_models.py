"""Every built-in type's model: its examples pass, and no data whatever does more than be refused."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.job import JsonObject
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.registry import Registry, TaskType
from scheduler.tasks.smtp_pool import SmtpConfig

REGISTRY = Registry(builtin_tasks(BuiltinConfig((), (), SmtpConfig("localhost", 25))))
TYPES = [pytest.param(each, id=each.name) for each in REGISTRY.types()]

TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "\x00",
        "\ud800",
        "a\r\nb",
        "..",
        "/etc/passwd",
        "utf-8",
        "base64",
        "GET",
        "http://[::1]:80/",
        "a@b.c",
        "1e400",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


def fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def examples(known: TaskType) -> list[JsonObject]:
    found: Any = REGISTRY.json_schema(known.name).get("examples", [])
    return found


@pytest.mark.parametrize("known", TYPES)
def test_it_is_described(known: TaskType) -> None:
    schema = REGISTRY.json_schema(known.name)
    assert known.description
    assert schema["description"]
    assert schema["additionalProperties"] is False
    if known.model.model_fields:
        assert examples(known)


@pytest.mark.parametrize("known", TYPES)
def test_its_examples_pass(known: TaskType) -> None:
    for example in examples(known):
        REGISTRY.validate(known.name, example)


@pytest.mark.parametrize("known", TYPES)
@given(st.data())
def test_data_is_taken_or_refused_and_means_the_same_again(known: TaskType, data: st.DataObject) -> None:
    """What an executor reads from the database must be what the API took."""
    base = data.draw(st.sampled_from([{}, *examples(known)]))
    changes = data.draw(st.dictionaries(st.sampled_from([*fields(known.model), "typo"]), JSON, max_size=4))
    taken, faults = _validated(known.name, {**base, **changes})
    if taken is None:
        assert all(fault.loc[:2] == ("task", "data") for fault in faults)
        return
    again = taken.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert REGISTRY.validate(known.name, again) == taken


def _validated(name: str, data: JsonObject) -> tuple[BaseModel | None, Sequence[FieldError]]:
    try:
        return REGISTRY.validate(name, data), []
    except InvalidInput as refused:
        return None, refused.errors
