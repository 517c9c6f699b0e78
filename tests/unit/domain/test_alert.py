"""When an alert fires, stays, and is over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.domain.alert import REPEAT_AFTER, Alert, Level, News, judge, level_of

BAD, GOOD, BETWEEN = Level.BAD, Level.GOOD, Level.BETWEEN
START = datetime(2026, 1, 1, tzinfo=UTC)
LOOK = timedelta(seconds=20)


def told(levels: Sequence[Level]) -> list[News | None]:
    """What is told after each of these looks."""
    alert, answers = Alert(), list[News | None]()
    for number, level in enumerate(levels):
        alert, news = judge(alert, level, START + number * LOOK)
        answers.append(news)
    return answers


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([BAD, BAD], [None, None]),
        ([BAD, BAD, BAD, BAD], [None, None, News.FIRING, None]),
        ([BAD, BAD, GOOD, BAD, BAD], [None] * 5),
        ([BAD, BAD, BETWEEN, BAD, BAD], [None] * 5),
        ([BAD, BAD, BAD, GOOD, GOOD, GOOD, GOOD], [None, None, News.FIRING, None, None, News.RESOLVED, None]),
        ([BAD, BAD, BAD, GOOD, GOOD, BETWEEN, GOOD, GOOD], [None, None, News.FIRING, None, None, None, None, None]),
        ([GOOD, BETWEEN, GOOD], [None] * 3),
    ],
)
def test_it_takes_several_looks_in_a_row(levels: list[Level], expected: list[News | None]) -> None:
    assert told(levels) == expected


def test_what_lasts_is_told_again_after_long() -> None:
    looks = 2 + REPEAT_AFTER // LOOK
    answers = told([BAD] * (looks + 10))
    assert [news for news in answers if news] == [News.FIRING, News.STILL_FIRING]
    assert answers.index(News.STILL_FIRING) == looks


def test_it_fires_since_the_look_that_made_it() -> None:
    alert = Alert(contrary_looks=2)
    alert, _ = judge(alert, BAD, START)
    alert, _ = judge(alert, BAD, START + LOOK)
    assert (alert.is_firing, alert.since, alert.told_at) == (True, START, START)


@pytest.mark.parametrize(("value", "level"), [(0.51, BAD), (0.5, BETWEEN), (0.41, BETWEEN), (0.4, GOOD), (0.0, GOOD)])
def test_a_value_is_good_only_well_below_its_limit(value: float, level: Level) -> None:
    assert level_of(value, 0.5) is level
