"""When schedules run, held against expectations worked out from `zoneinfo` alone, minute by minute."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidInput
from scheduler.domain.recurrence import Recurrence, read_rule, read_zone

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",  # minus 3:30
    "America/Santiago",  # back at midnight: a date begins twice
    "Africa/Casablanca",  # four changes in a year
    "Asia/Kathmandu",  # plus 5:45
    "Asia/Beirut",  # forward at midnight: a day begins at 01:00
    "Australia/Lord_Howe",  # by half an hour
    "Antarctica/Troll",  # by two hours
    "Pacific/Apia",  # once skipped a whole day
    "Pacific/Chatham",  # plus 12:45 and 13:45
]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = datetime(2031, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def recurrence(cron: str, zone: str = "UTC", *, created: datetime = FIRST, **bounds: datetime) -> Recurrence:
    return Recurrence(read_rule(cron), read_zone(zone), created, **bounds)


def between(rule: Recurrence, first: datetime, last: datetime) -> list[datetime]:
    """Occurrences after `first`, up to `last`."""
    return [*takewhile(lambda at: at <= last, rule.occurrences(first))]


def changes(zone: ZoneInfo, first: datetime = FIRST, last: datetime = LAST) -> Iterator[datetime]:
    """Each quarter of an hour at which the zone's offset is not what it was just before."""
    at = first
    while at < last:
        if offset(at, zone) != offset(at + DAY, zone):
            yield next(
                at + MINUTE * 15 * n for n in range(1, 97) if offset(at + MINUTE * 15 * n, zone) != offset(at, zone)
            )
        at += DAY


def offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


class Expectation:
    """What should run after `first`, up to `last`, worked out minute by minute; it knows no change of clocks."""

    def __init__(self, zone: ZoneInfo, first: datetime, last: datetime, longest_change: timedelta = 3 * HOUR) -> None:
        before = int((first - longest_change - FIRST) / MINUTE)
        around = [FIRST + MINUTE * n for n in range(before, before + int((last - first + 2 * longest_change) / MINUTE))]
        self._real = [(at, at.astimezone(zone)) for at in around if first < at <= last]
        walls = [(at + (offset(first, zone) or timedelta())).replace(tzinfo=zone, fold=0) for at in around]
        self._once = [(at, wall) for wall in walls if first < (at := wall.astimezone(UTC)) <= last]

    def of(self, cron: str) -> list[datetime]:
        """In real time: when the clock shows what is named. Else each time on the wall once, read with fold=0."""
        clock = self._real if cron in FOLLOW_REAL_TIME else self._once
        return sorted({at for at, wall in clock if RULES[cron](wall)})


RULES: dict[str, Callable[[datetime], bool]] = {
    "* * * * *": lambda _: True,
    "30 * * * *": lambda at: at.minute == 30,
    "*/20 * * * *": lambda at: at.minute % 20 == 0,
    "0 0-23 * * *": lambda at: at.minute == 0,
    "30 2 * * *": lambda at: (at.hour, at.minute) == (2, 30),
    "0 0 * * *": lambda at: (at.hour, at.minute) == (0, 0),
    "15 1,2,3 * * *": lambda at: at.hour in {1, 2, 3} and at.minute == 15,
    "*/10 0-3 * * *": lambda at: at.hour <= 3 and at.minute % 10 == 0,
    "45 */2 * * *": lambda at: at.hour % 2 == 0 and at.minute == 45,
    "0 20 * * SAT": lambda at: (at.isoweekday(), at.hour, at.minute) == (6, 20, 0),  # Kiritimati left one out
    "0 2 * * SUN": lambda at: (at.isoweekday(), at.hour, at.minute) == (7, 2, 0),
}
FOLLOW_REAL_TIME = {"* * * * *", "30 * * * *", "*/20 * * * *", "0 0-23 * * *"}


@pytest.mark.parametrize("name", ZONES)
def test_around_every_change_of_five_years(name: str) -> None:
    zone = ZoneInfo(name)
    for change in [*changes(zone)] or [FIRST]:
        first, last = change - 6 * HOUR, change + 30 * HOUR
        expected = Expectation(zone, first, last)
        for cron in RULES:
            assert between(recurrence(cron, name), first, last) == expected.of(cron), (change, cron)


@pytest.mark.parametrize("name", ZONES)
def test_daily_is_once_a_day_for_five_years(name: str) -> None:
    """Also on the days on which 02:30 does not exist, or twice."""
    zone = ZoneInfo(name)
    runs = between(recurrence("30 2 * * *", name), FIRST, LAST)
    days = [(at.astimezone(zone) - timedelta(hours=2)).date() for at in runs]
    assert days == [days[0] + DAY * n for n in range(len(days))]
    assert len(days) in (1825, 1826, 1827)


@pytest.mark.parametrize("name", [name for name in ZONES if name != "Australia/Lord_Howe"])
def test_hourly_is_every_real_hour_of_a_year(name: str) -> None:
    runs = between(recurrence("@hourly", name), FIRST, FIRST + 366 * DAY)
    assert {later - earlier for earlier, later in pairwise(runs)} == {HOUR}


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Asia/Dhaka", datetime(2009, 12, 31, tzinfo=UTC)),  # back from 24:00 to 23:00 as the year ended
        ("Pacific/Kiritimati", datetime(1994, 12, 31, tzinfo=UTC)),  # left out a day at the turn of the year
        ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),  # left out this day
    ],
)
def test_changes_that_were_stranger(name: str, day: datetime) -> None:
    first, last = day - DAY, day + 3 * DAY
    expected = Expectation(ZoneInfo(name), first, last, longest_change=2 * DAY)
    for cron in RULES:
        assert between(recurrence(cron, name), first, last) == expected.of(cron), cron


@pytest.mark.parametrize(
    ("cron", "name", "after", "runs"),
    [  # the table of docs/schedules.md
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:30+02:00", "30T02:30+02:00"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T02:30+02:00", "26T02:30+01:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00", ["29T01:30+01:00", "29T03:30+02:00"]),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T00:00", ["25T02:30+02:00", "25T02:30+01:00"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:00+02:00"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T02:00+02:00", "25T02:30+02:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["04T02:45+11:00", "05T02:15+11:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", ["05T01:45+11:00", "06T01:45+10:30"]),
        ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00", ["29T01:00+03:00", "30T00:00+03:00"]),
    ],
)
def test_examples(cron: str, name: str, after: str, runs: list[str]) -> None:
    found = islice(recurrence(cron, name).occurrences(datetime.fromisoformat(after).replace(tzinfo=UTC)), 2)
    assert [at.astimezone(ZoneInfo(name)).isoformat(timespec="minutes")[8:] for at in found] == runs


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────

moments = st.datetimes(datetime(2025, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
hours = st.integers(0, 23)
sixty = st.integers(1, 59)
days = st.sampled_from(["L * *", "1 * *", "15 * *", "31 * *", "1-7 * *", "10W * *", "* * MON#1", "* * L5", "* * 7"])
crons = st.one_of(
    st.tuples(sixty, hours).map(lambda at: f"{at[0]} {at[1]} * * *"),
    st.tuples(sixty, hours).map(lambda at: f"*/{at[0]} {at[1]} * * *"),
    st.tuples(sixty, sixty).map(lambda at: f"{at[0]} */{at[1]} * * * *"),
    st.tuples(hours, days).map(lambda at: f"0 {at[0]} {at[1]}"),
    st.integers(1, 100_000).map(lambda seconds: f"@every {seconds}s"),
)


@settings(max_examples=100, deadline=None)
@given(crons, st.sampled_from(ZONES), moments)
def test_occurrences_strictly_increase_and_none_is_missed_or_doubled(cron: str, zone: str, after: datetime) -> None:
    """However the question is cut: the run after any moment is the next of one long answer."""
    rule = recurrence(cron, zone)
    found = [*islice(rule.occurrences(after), 12)]
    for earlier, later in pairwise([after, *found]):
        assert earlier < later
        assert rule.after(earlier) == later
        assert rule.after(later - timedelta.resolution) == later
        assert rule.after(earlier + (later - earlier) / 2) == later


# ── intervals and bounds ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_interval_counts_from_its_creation_in_real_time() -> None:
    created = datetime(2026, 3, 29, 0, 0, 7, 250_000, UTC)
    rule = recurrence("@every 90s", "Europe/Berlin", created=created)
    assert rule.after(created) == created + timedelta(seconds=90)
    assert rule.after(created - DAY) == created + timedelta(seconds=90)
    assert rule.after(created + DAY) == created + DAY + timedelta(seconds=90)
    assert rule.after(created + DAY - timedelta.resolution) == created + DAY


def test_an_interval_counts_from_its_start() -> None:
    start = FIRST + timedelta(hours=5, microseconds=3)
    rule = recurrence("@every 1h30m", starts_at=start)
    assert [*islice(rule.occurrences(FIRST), 2)] == [start, start + timedelta(minutes=90)]
    assert rule.after(start) == start + timedelta(minutes=90)


@pytest.mark.parametrize("cron", ["0 * * * *", "@every 1h"])
def test_both_bounds_are_inclusive(cron: str) -> None:
    start, end = FIRST + 3 * HOUR, FIRST + 5 * HOUR
    assert [*recurrence(cron, starts_at=start, ends_at=end).occurrences(FIRST)] == [start, start + HOUR, end]
    assert recurrence(cron, starts_at=start, ends_at=end).after(end) is None


def test_a_bound_between_two_seconds() -> None:
    rule = recurrence("* * * * * *", starts_at=FIRST + timedelta(microseconds=1))
    assert rule.after(FIRST) == FIRST + timedelta(seconds=1)


def test_what_comes_once_in_decades_is_found() -> None:
    at = recurrence("0 0 * 2 MON#5", "Europe/Berlin").after(FIRST)
    assert at == datetime(2044, 2, 29, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "europe/berlin", "UTC ", "../../etc/passwd", "localtime", "a\0b"])
def test_a_zone_that_is_none(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_zone(name)
    assert refused.value.errors[0].loc == ("timezone",)
