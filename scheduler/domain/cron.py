"""A cron expression: the wall-clock times that it names, in no zone yet, and how it reads in English."""

import re
from collections.abc import Iterator
from copy import copy
from datetime import datetime
from typing import Any, Final

from cron_descriptor import ExpressionDescriptor, FormatException, Options
from croniter import CroniterBadDateError, CroniterError, croniter

from scheduler.domain.errors import FieldError, InvalidInput

MAX_LENGTH: Final = 200

NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_PARTS: Final = ("second", "minute", "hour", "day of the month", "month", "day of the week")
_PART: Final = re.compile(r"[0-9A-Z*/,#?-]+", re.ASCII)
_CHANCE: Final = re.compile(r"\b[HR]\b")
"""croniter's hashed and random values: a time that nobody can foretell is no rule."""
_ANY: Final = ("*", "?")
_PLACED: Final = re.compile(r"#|\dW|W\d|L\d")
"""A weekday by its place in the month. croniter would not take either of two days then, but only both at once."""
_HOUR: Final = 1  # as croniter orders what it has read: minute, hour, day, month, day of the week, second
_SOME_TIME: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - on the wall
_OPTIONS: Final = Options(locale_code="en_US", use_24hour_time_format=True)


class Cron:
    """An expression of five fields, of six with the seconds first, or one of NAMED. Raises InvalidInput.

    Of a day of the month and a day of the week, either is enough, as in every cron.
    """

    def __init__(self, text: str) -> None:
        self._expression = NAMED.get(text.lower(), text.upper())
        parts = self._expression.split(" ")
        if len(parts) not in (5, 6):
            raise invalid_cron(
                f"Has {len(parts)} fields. Give five (minute, hour, day of the month, month, day of the week), six "
                f"with the seconds first, one of {', '.join(NAMED)}, or @every and a duration, as @every 90s."
            )
        for index, name in enumerate(_PARTS[-len(parts) :]):
            if not _is_readable([*"*" * index, parts[index], *"*" * (len(parts) - index - 1)]):
                raise invalid_cron(f"{parts[index]} is no {name}.")
        day, weekday = parts[-3], parts[-1]
        if _PLACED.search(f"{day} {weekday}") and day not in _ANY and weekday not in _ANY:
            raise invalid_cron(f"{day} and {weekday} cannot stand together: give one of the two, and * for the other.")
        self._search: Final = croniter(self._expression, _SOME_TIME, second_at_beginning=True)
        self.names_hours: Final = _read(self._expression)[_HOUR] != ["*"]
        """It runs in some hours of the day only: those of the clock on the wall."""
        if next(self.walls(_SOME_TIME), None) is None:
            raise invalid_cron("Never comes: no year has such a day.")

    def walls(self, after: datetime) -> Iterator[datetime]:
        """The times later than `after` that it names, in order, in no zone; ends when there is none for 50 years."""
        search = copy(self._search)  # reading the expression again would take longer than the search
        search.set_current(after)
        while True:
            try:
                yield search.get_next(datetime)
            except CroniterBadDateError:
                return

    def describe(self) -> str:
        """How it reads in English."""
        try:
            return str(ExpressionDescriptor(self._expression, _OPTIONS).get_description())
        except FormatException:
            return self._expression  # correct, in a way that the library has no words for


def invalid_cron(message: str) -> InvalidInput:
    """The expression cannot be used."""
    return InvalidInput([FieldError(("cron",), message, "cron_invalid")])


def _is_readable(parts: list[str]) -> bool:
    if not all(_PART.fullmatch(part) and not _CHANCE.search(part) for part in parts):
        return False
    try:
        _read(" ".join(parts))
    except (CroniterError, ValueError, KeyError, IndexError):
        return False
    return True


def _read(expression: str) -> list[list[Any]]:
    """The values of each field, ["*"] where it takes all."""
    return croniter.expand(expression, second_at_beginning=True)[0]
