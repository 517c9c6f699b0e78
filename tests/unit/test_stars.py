"""Secrets as stars, and back."""

from typing import Any

import pytest

from scheduler.domain.errors import InvalidInput
from scheduler.web.stars import STARS, masked, unmasked

STORED = {"url": "u", "token": "t", "pin_token": 5, "headers": {"Cookie": "c"}, "to": [{"password": "p"}, "x"]}


def test_what_comes_back_as_it_was_shown_is_what_is_stored() -> None:
    assert masked(STORED) == {
        "url": "u",
        "token": STARS,
        "pin_token": STARS,
        "headers": {"Cookie": STARS},
        "to": [{"password": STARS}, "x"],
    }
    assert unmasked(masked(STORED), STORED) == STORED


@pytest.mark.parametrize(
    "change",
    [
        {"url": "v"},
        {"token": "new"},
        {"headers": {"Cookie": STARS, "Accept": "a"}},
        {"headers": {}},
        {"to": [{"password": "q"}]},
    ],
)
def test_a_change_beside_stars_leaves_what_they_stand_for(change: dict[str, Any]) -> None:
    after = unmasked({**masked(STORED), **change}, STORED)
    wanted: dict[str, Any] = {**STORED, **change}
    if "Cookie" in wanted["headers"]:
        wanted["headers"] = {**wanted["headers"], "Cookie": "c"}
    assert after == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"url": STARS},
        {"secret": STARS},
        {"headers": {"Authorization": STARS}},
        {"headers": STARS},
        {"to": [{"password": STARS}]},
        {"to": ["x", {"password": STARS}]},
    ],
)
def test_stars_that_stand_for_nothing_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="Write out"):
        unmasked({**masked(STORED), **change}, STORED)


def test_stars_that_somebody_meant_are_data() -> None:
    assert unmasked({"text": STARS}, {"text": STARS}) == {"text": STARS}
    assert unmasked({"text": f"{STARS}!"}, {}) == {"text": f"{STARS}!"}
