"""What becomes of a schedule's occurrences: on time, missed, overlapping, jittered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidInput
from scheduler.domain.schedule import (
    AHEAD,
    CATCH_UP,
    CATCH_UP_INTERVAL,
    MISSED,
    DueSchedule,
    Misfire,
    Overlap,
    Timing,
    Turn,
    take_turn,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def due(
    cron: str = "@hourly", *, next_at: datetime = NOON, now: datetime = NOON - AHEAD, **timing: object
) -> DueSchedule:
    return DueSchedule(
        id=7,
        timing=replace(Timing(cron=cron), **timing),
        created_at=NOON - 30 * DAY,
        next_at=next_at,
        now=now,
        is_live=False,
    )


def made(turn: Turn) -> list[datetime]:
    return [each.at for each in turn.occurrences]


def test_a_job_is_made_ahead_and_due_at_its_time() -> None:
    turn = take_turn(due())
    (occurrence,) = turn.occurrences
    assert (occurrence.at, occurrence.scheduled_at, occurrence.start_at) == (NOON, NOON, NOON)
    assert (turn.next_at, turn.make_at) == (NOON + HOUR, NOON + HOUR - AHEAD)


def test_all_that_are_in_reach_are_made() -> None:
    turn = take_turn(due("* * * * * *"))
    assert made(turn) == [NOON]
    assert turn.next_at == NOON + SECOND
    turn = take_turn(due("* * * * * *", now=NOON))
    assert made(turn) == [NOON + SECOND * n for n in range(6)]


def test_the_last_one() -> None:
    turn = take_turn(due(ends_at=NOON))
    assert (made(turn), turn.next_at, turn.make_at) == ([NOON], None, None)


@pytest.mark.parametrize("misfire", Misfire)
def test_a_little_late_is_not_missed(misfire: Misfire) -> None:
    turn = take_turn(due(now=NOON + MISSED, misfire=misfire))
    assert made(turn) == [NOON]
    assert turn.occurrences[0].start_at == NOON
    assert turn.next_at == NOON + HOUR


BACK = NOON + DAY + timedelta(minutes=30)
"""All was down for a day and half an hour."""


def test_run_once_makes_one_job_for_all_that_were_missed() -> None:
    turn = take_turn(due(now=BACK, misfire=Misfire.RUN_ONCE))
    assert made(turn) == [NOON]
    assert turn.occurrences[0].start_at == BACK
    assert turn.next_at == NOON + DAY + HOUR


def test_skip_makes_none() -> None:
    turn = take_turn(due(now=BACK, misfire=Misfire.SKIP))
    assert (made(turn), turn.next_at) == ([], NOON + DAY + HOUR)


def test_skip_keeps_what_is_only_a_little_late() -> None:
    turn = take_turn(due(now=NOON + DAY + SECOND, misfire=Misfire.SKIP))
    assert (made(turn), turn.next_at) == ([NOON + DAY], NOON + DAY + HOUR)


def test_run_all_makes_each_oldest_first_and_spread() -> None:
    turn = take_turn(due(now=BACK, misfire=Misfire.RUN_ALL))
    assert made(turn) == [NOON + HOUR * n for n in range(25)]
    assert [each.scheduled_at for each in turn.occurrences] == made(turn)
    assert [each.start_at for each in turn.occurrences] == [BACK + CATCH_UP_INTERVAL * n for n in range(25)]
    assert turn.next_at == NOON + DAY + HOUR


def test_run_all_is_bounded() -> None:
    turn = take_turn(due("* * * * * *", now=BACK, misfire=Misfire.RUN_ALL))
    in_reach = int(AHEAD / SECOND)
    assert made(turn)[:CATCH_UP] == [NOON + SECOND * n for n in range(CATCH_UP)]
    assert made(turn)[CATCH_UP:] == [BACK + SECOND * (n + 1) for n in range(in_reach)]
    assert turn.next_at == BACK + AHEAD + SECOND


def test_an_occurrence_that_is_still_to_come_is_not_missed_with_the_others() -> None:
    back = NOON + DAY - SECOND
    turn = take_turn(due(now=back, misfire=Misfire.RUN_ONCE))
    assert made(turn) == [NOON, NOON + DAY]
    assert [each.start_at for each in turn.occurrences] == [back, NOON + DAY]


# ── overlap ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_overlap_is_judged_at_the_time_not_ahead() -> None:
    assert Timing(cron="@hourly", overlap=Overlap.SKIP).make_at(NOON) == NOON
    assert Timing(cron="@hourly").make_at(NOON) == NOON - AHEAD


@pytest.mark.parametrize("misfire", Misfire)
@pytest.mark.parametrize("now", [NOON, BACK])
def test_an_occurrence_that_would_overlap_makes_no_job(misfire: Misfire, now: datetime) -> None:
    schedule = due("* * * * * *", now=now, misfire=misfire, overlap=Overlap.SKIP)
    busy, free = take_turn(replace(schedule, is_live=True)), take_turn(schedule)
    assert made(busy) == []
    assert len(made(free)) == 1
    assert busy.next_at == free.next_at == now + SECOND


def test_overlap_allow_does_not_look() -> None:
    assert made(take_turn(replace(due(), is_live=True))) == [NOON]


# ── jitter ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_jitter_is_the_same_whoever_asks_and_differs_by_occurrence_and_schedule() -> None:
    schedule = due("* * * * * *", now=NOON, jitter_seconds=100.0)
    delays = [each.scheduled_at - each.at for each in take_turn(schedule).occurrences]
    assert delays == [each.scheduled_at - each.at for each in take_turn(schedule).occurrences]
    other = [each.scheduled_at - each.at for each in take_turn(replace(schedule, id=8)).occurrences]
    assert len({*delays, *other}) == len(delays) + len(other)
    assert all(timedelta() <= delay < timedelta(seconds=100) for delay in [*delays, *other])


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.floats(0.01, 900), min_size=1, max_size=20),
    st.sampled_from(["@every 7s", "*/5 * * * * *", "* * * * *"]),
)
def test_however_often_it_is_looked_at_each_occurrence_is_made_once(pauses: list[float], cron: str) -> None:
    """With run_all nothing is left out: the turns of any sequence of looks join into the occurrences themselves."""
    schedule = due(cron, now=NOON, misfire=Misfire.RUN_ALL)
    first = schedule.timing.recurrence(schedule.created_at).after(NOON)
    assert first is not None
    schedule = replace(schedule, next_at=first)
    jobs: list[datetime] = []
    for pause in pauses:
        schedule = replace(schedule, now=schedule.now + timedelta(seconds=pause))
        if schedule.timing.make_at(schedule.next_at) <= schedule.now:
            turn = take_turn(schedule)
            jobs += made(turn)
            assert turn.next_at is not None
            schedule = replace(schedule, next_at=turn.next_at)
    expected = schedule.timing.recurrence(schedule.created_at).occurrences(NOON)
    assert jobs == [next(expected) for _ in jobs]
    assert next(expected) == schedule.next_at


def test_a_zone_that_is_not_known_here() -> None:
    with pytest.raises(InvalidInput):
        take_turn(due(timezone="Mars/Olympus"))
