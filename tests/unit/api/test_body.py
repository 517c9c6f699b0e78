"""Request bodies, as bytes."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest

from scheduler.api.body import MAX_DEPTH, faults_of, parse_object
from scheduler.domain.errors import InvalidInput

_TEXT = st.text(max_size=8).filter(lambda text: "\0" not in text)
_NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_NUL_SOMEWHERE = st.recursive(
    st.just("a\0b"),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_TEXT, inner, min_size=1, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(_TEXT, _JSON, max_size=3))
def test_a_sound_object_is_read_as_it_is(document: dict[str, object]) -> None:
    assert parse_object(json.dumps(document).encode()) == document
    assert parse_object(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.binary())
def test_whatever_comes_is_an_object_or_refused(body: bytes) -> None:
    with suppress(BadRequest, InvalidInput):
        assert isinstance(parse_object(body), dict)


@given(_NUL_SOMEWHERE)
def test_a_fault_is_found_wherever_it_stands(value: object) -> None:
    faults = list(faults_of({"data": value}))
    assert len(faults) == json.dumps(value).count("a\\u0000b")
    for fault in faults:
        found: object = {"data": value}
        for step in fault.loc:
            assert isinstance(found, (dict, list))
            found = found[step]  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownVariableType]
        assert found == "a\0b"


def test_the_depth_has_a_bound() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * depth + b"1" + b"}" * depth

    assert parse_object(nested(MAX_DEPTH))
    with pytest.raises(InvalidInput):
        parse_object(nested(MAX_DEPTH + 1))


def test_a_flood_of_faults_is_cut_short() -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_object(json.dumps({"a": ["\0"] * 1000}).encode())
    assert len(refusal.value.errors) == 20
