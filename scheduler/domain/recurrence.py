"""When something recurs: a cron expression in a time zone, or a steady interval, as instants.

Where clocks are put forward or back, one rule decides (docs/schedules.md has a table):

- An expression that names hours means the clock on the wall, and each time that it names comes once. A time that is
  skipped because clocks go forward is made up for as late as they jump: 02:30 becomes 03:30. Of a time that comes
  twice because they go back, only the first counts.
- One that runs in every hour follows real time: whenever the clock on the wall shows a time that it names. So it runs
  in both of two equal hours, and has nothing to do in an hour that is skipped.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from heapq import merge
from itertools import groupby, pairwise, takewhile
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from scheduler.domain.cron import MAX_LENGTH, Cron, invalid_cron
from scheduler.domain.errors import FieldError, InvalidInput

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_LAST_YEAR: Final = 2300
_LONGEST_INTERVAL: Final = timedelta(days=3660)
_EVERY: Final = re.compile(
    r"@every (?=\d)((?P<days>\d{1,4})d)?((?P<hours>\d{1,5})h)?((?P<minutes>\d{1,7})m)?((?P<seconds>\d{1,9})s)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Every:
    """A steady interval, in real time."""

    interval: timedelta

    def describe(self) -> str:
        """How it reads in English."""
        minutes, seconds = divmod(int(self.interval.total_seconds()), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        counts = {"day": days, "hour": hours, "minute": minutes, "second": seconds}
        return "Every " + " ".join(f"{n} {unit}{'s' * (n > 1)}" for unit, n in counts.items() if n)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule, the zone whose clocks it means, and its bounds, both inclusive.

    An interval counts from `starts_at`, which is then the first occurrence, or else from `created_at`, which is none.
    """

    rule: Cron | Every
    zone: ZoneInfo
    created_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def after(self, moment: datetime) -> datetime | None:
        """The first occurrence later than `moment`, in UTC, or None when there is none any more."""
        return next(self.occurrences(moment), None)

    def occurrences(self, after: datetime) -> Iterator[datetime]:
        """Those later than `after`, in order, in UTC."""
        begin = after.astimezone(UTC)
        if self.starts_at is not None:
            begin = max(begin, self.starts_at.astimezone(UTC) - timedelta.resolution)
        if isinstance(self.rule, Every):
            found = _steps(self.rule.interval, self.starts_at or self.created_at + self.rule.interval, begin)
        else:
            found = _instants(self.rule, self.zone, begin)
        end = self.ends_at
        return found if end is None else takewhile(lambda instant: instant <= end, found)


@lru_cache(maxsize=10_000)
def read_rule(text: str) -> Cron | Every:
    """The rule that `text` is; white space around and between its parts does not matter. Raises InvalidInput."""
    if len(text) > MAX_LENGTH:
        raise invalid_cron(f"Should have at most {MAX_LENGTH} characters.")
    text = " ".join(text.split())
    if not text.lower().startswith("@every"):
        return Cron(text)
    parts = _EVERY.fullmatch(text)
    interval = timedelta(**{unit: int(n) for unit, n in parts.groupdict("0").items()}) if parts else timedelta()
    if not _SECOND <= interval <= _LONGEST_INTERVAL:
        raise invalid_cron("After @every should come a duration from 1s to 3660d, as in @every 90s or @every 1h30m.")
    return Every(interval)


def read_zone(name: str) -> ZoneInfo:
    """The zone of that name, as IANA spells it. Raises InvalidInput."""
    if name not in _zone_names():
        message = "Should be the name of a time zone as IANA has it, such as UTC or Europe/Berlin."
        raise InvalidInput([FieldError(("timezone",), message, "timezone_unknown")])
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})  # these mean nothing elsewhere


def _steps(interval: timedelta, first: datetime, after: datetime) -> Iterator[datetime]:
    count = max(0, (after - first) // interval + 1)
    while True:
        yield first + count * interval
        count += 1


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
# From here on, instants are in UTC and wall-clock times in the zone, both without tzinfo, so that the difference of
# the two is an offset.


@dataclass(frozen=True, slots=True)
class _Spell:
    """A stretch of a year in which a zone keeps its offset; when that last changed, if it was lately, and from what."""

    begin: datetime
    end: datetime
    offset: timedelta
    changed_at: datetime
    before: timedelta


def _instants(cron: Cron, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    begin = after = after.replace(microsecond=0, tzinfo=None)
    while begin.year < _LAST_YEAR:
        spell = _spell_at(zone, begin)
        for instant, _ in groupby(merge(_shown(cron, spell, after), _made_up(cron, spell, after))):
            yield instant.replace(tzinfo=UTC)
        following = next(cron.walls(spell.end - 2 * _DAY), None)
        if following is None:
            return
        begin = max(spell.end, following - _DAY)  # a 29 February that is a Monday, say, may be decades away


def _shown(cron: Cron, spell: _Spell, after: datetime) -> Iterator[datetime]:
    """When the clock on the wall shows what `cron` names; if that names hours, then for the first time only."""
    begin = spell.begin + spell.offset
    if cron.names_hours:
        begin = max(begin, spell.changed_at + spell.before)
    walls = cron.walls(max(begin - _SECOND, after + spell.offset))
    return (wall - spell.offset for wall in takewhile(lambda wall: wall < spell.end + spell.offset, walls))


def _made_up(cron: Cron, spell: _Spell, after: datetime) -> Iterator[datetime]:
    """When what `cron` names comes late, because the clock on the wall skipped it at the change."""
    begin = max(spell.begin + spell.before - _SECOND, after + spell.before)
    end = min(spell.changed_at + spell.offset, spell.end + spell.before)
    if not cron.names_hours or begin >= end:
        return iter(())
    walls = cron.walls(begin)
    return (wall - spell.before for wall in takewhile(lambda wall: wall < end, walls))


def _spell_at(zone: ZoneInfo, instant: datetime) -> _Spell:
    return next(spell for spell in _spells(zone, instant.year) if instant < spell.end)


@lru_cache(maxsize=4096)
def _spells(zone: ZoneInfo, year: int) -> tuple[_Spell, ...]:
    begin, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001 - in UTC, as said above
    days = (begin + _DAY * n for n in range(-1, (end - begin).days))
    changes = [_change(zone, day) for day in days if _offset(zone, day) != _offset(zone, day + _DAY)]
    cuts = [begin, *(change for change in changes if begin < change < end), end]
    return tuple(_spell(zone, first, last, changes) for first, last in pairwise(cuts))


def _spell(zone: ZoneInfo, begin: datetime, end: datetime, changes: list[datetime]) -> _Spell:
    changed_at = max((change for change in changes if change <= begin), default=begin)
    return _Spell(begin, end, _offset(zone, begin), changed_at, _offset(zone, changed_at - _SECOND))


def _change(zone: ZoneInfo, day: datetime) -> datetime:
    """The second at which the offset changes, in the 24 hours from `day`."""
    before = _offset(zone, day)
    return day + _SECOND * bisect_left(range(86_401), True, key=lambda n: _offset(zone, day + _SECOND * n) != before)


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()
