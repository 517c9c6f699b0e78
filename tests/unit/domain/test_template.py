"""Placeholders: found, filled in, and named when they cannot be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidInput
from scheduler.domain.job import JsonValue
from scheduler.domain.template import fill, placeholders

PLENTY = 1_000_000


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ("{{ a }}", 5, 5),
        ("{{a}}", None, None),
        ("{{ a }}", {"b": [1]}, {"b": [1]}),
        ("{{\ta\n}}", "x", "x"),
        (" {{ a }}", 5, " 5"),
        ("{{ a }}{{ a }}", "x", "xx"),
        ("is {{ a }}", True, "is true"),
        ("is {{ a }}", None, "is null"),
        ("is {{ a }}", {"ü": [1.5]}, 'is {"ü": [1.5]}'),
        ("is {{ a }}", "{{ a }}", "is {{ a }}"),
        ("is {{ a }}", r"\1\g<0>", r"is \1\g<0>"),
        ("{{{ a }}}", "x", "{x}"),
    ],
)
def test_a_placeholder_alone_keeps_the_type_and_others_become_text(text: str, value: JsonValue, filled: Any) -> None:
    assert fill({"k": [text]}, {"a": value}, max_bytes=PLENTY) == {"k": [filled]}


@pytest.mark.parametrize("text", ["{{ }}", "{{ 1a }}", "{ a }", "{{ a b }}", "{{ a-b }}", "{{ a", "{{ ä }}"])
def test_anything_else_in_braces_is_text(text: str) -> None:
    assert fill({"k": text}, {}, max_bytes=PLENTY) == {"k": text}


def test_keys_are_left_as_they_are() -> None:
    assert fill({"{{ a }}": 1}, {}, max_bytes=PLENTY) == {"{{ a }}": 1}


_NAMES = st.sampled_from(["a", "b_1", "C"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | _NAMES.map(lambda name: f"<{{{{ {name} }}}}>"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), _JSON, max_size=3))
def test_each_placeholder_needs_a_value_and_afterwards_none_is_left(data: Any) -> None:
    names = {*placeholders(data)}
    if names:
        with pytest.raises(InvalidInput) as refusal:
            fill(data, {}, max_bytes=PLENTY)
        assert {error.loc for error in refusal.value.errors} == {("parameters", name) for name in names}
    assert not {*placeholders(fill(data, dict.fromkeys(names, "x"), max_bytes=PLENTY))}


def test_the_result_has_a_bound_before_it_is_made() -> None:
    data: Any = {"k": "{{ a }}" * 10_000}
    with pytest.raises(InvalidInput) as refusal:
        fill(data, {"a": "x" * 100_000_000}, max_bytes=PLENTY)
    assert refusal.value.errors[0].loc == ("parameters",)
    fill(data, {"a": "x" * 10}, max_bytes=PLENTY)
