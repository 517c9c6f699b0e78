"""Alerts: when what is watched becomes a message, and when it does not."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Final

FIRING_LOOKS: Final = 3
"""Bad looks in a row before an alert fires: what passes by itself wakes nobody."""
CLEARING_LOOKS: Final = 3
"""Good looks in a row before it is over."""
CLEARING_SHARE: Final = 0.8
"""Good is what is below this share of the limit: what hovers about the limit does not fire again and again."""
REPEAT_AFTER: Final = timedelta(hours=4)
"""So long after its last message an alert that still fires is told again."""


class Condition(StrEnum):
    """What is watched."""

    FAILURE_RATE = "failure_rate"
    OLDEST_DUE = "oldest_due"
    SCHEDULE_LATE = "schedule_late"
    NO_PICKER = "no_picker"
    NO_EXECUTOR = "no_executor"


class News(StrEnum):
    """What a message says."""

    FIRING = "firing"
    STILL_FIRING = "still firing"
    RESOLVED = "resolved"


class Level(Enum):
    """How a look came out; `BETWEEN` speaks neither for a change nor against what is."""

    GOOD = "good"
    BETWEEN = "between"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one condition, in words for whoever gets the message."""

    level: Level
    summary: str


@dataclass(frozen=True, slots=True)
class Alert:
    """What is known of a condition: whether it fires, since when, and what the last looks said against that."""

    is_firing: bool = False
    contrary_looks: int = 0
    since: datetime | None = None
    told_at: datetime | None = None


def level_of(value: float, limit: float) -> Level:
    """`value` against the most that it may be."""
    if value > limit:
        return Level.BAD
    return Level.GOOD if value <= limit * CLEARING_SHARE else Level.BETWEEN


def judge(alert: Alert, level: Level, now: datetime) -> tuple[Alert, News | None]:
    """The alert after a look, and what is to be told about it, if anything."""
    is_contrary = level is (Level.GOOD if alert.is_firing else Level.BAD)
    alert = replace(alert, contrary_looks=alert.contrary_looks + 1 if is_contrary else 0)
    if alert.is_firing:
        if alert.contrary_looks >= CLEARING_LOOKS:
            return replace(alert, is_firing=False, contrary_looks=0, told_at=now), News.RESOLVED
        if alert.told_at is None or now - alert.told_at >= REPEAT_AFTER:
            return replace(alert, told_at=now), News.STILL_FIRING
    elif alert.contrary_looks >= FIRING_LOOKS:
        return Alert(is_firing=True, since=now, told_at=now), News.FIRING
    return alert, None
