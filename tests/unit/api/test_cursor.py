"""Cursors: what was written is read again, and nothing else is."""

import base64
import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidInput
from scheduler.domain.listing import MAX_ID, Cursor, Sort

_IDS = st.integers(0, MAX_ID)
_MOMENTS = st.datetimes(timezones=st.just(UTC))
_BY_NUMBER = st.builds(Cursor, st.sampled_from([Sort.ID, Sort.PRIORITY_DOWN]), _IDS, _IDS, st.integers(1, 10**6))
_BY_TIME = st.builds(Cursor, st.sampled_from([Sort.CREATED_AT, Sort.SCHEDULED_AT_DOWN]), _MOMENTS, _IDS, st.just(1))


@given(_BY_NUMBER | _BY_TIME)
def test_a_cursor_comes_back(cursor: Cursor) -> None:
    text = cursor.encode()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert Cursor.decode(text, sort=cursor.sort) == cursor


@given(st.text())
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Cursor.decode(text, sort=Sort.ID_DOWN)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        [],
        ["-id", 1, 1],
        ["-id", 1, 1, 1, 1],
        ["-name", 1, 1, 1],
        ["-id", "x", 1, 1],
        ["-id", "2026-02-19T10:00:00+00:00", 1, 1],
        ["-id", True, 1, 1],
        ["-id", 2**63, 1, 1],
        ["-id", 1, -1, 1],
        ["-id", 1, 2**63, 1],
        ["-id", 1, True, 1],
        ["-id", 1, 1, 0],
        ["-id", 1, 1, True],
        ["-id", 1.5, 1, 1],
        ["-id", None, 1, 1],
        ["created_at", 1, 1, 1],
        ["created_at", "2026-02-19T10:00:00", 1, 1],
    ],
)
def test_a_forged_cursor_is_refused(parts: object) -> None:
    text = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
    for sort in Sort:
        with pytest.raises(InvalidInput) as refusal:
            Cursor.decode(text, sort=sort)
        assert refusal.value.errors[0].type == "cursor_malformed"
