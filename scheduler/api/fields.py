"""The kinds of field that the schemas are made of."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, cast

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from scheduler.domain.job import FIRST_PRIORITY, LAST_PRIORITY
from scheduler.domain.listing import MAX_ID
from scheduler.settings import QUEUE_NAME_PATTERN

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_BARE_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_YEARS: Final = range(1970, 2201)

DAY_SECONDS: Final = 86_400
YEAR_SECONDS: Final = 365 * DAY_SECONDS


class Input(BaseModel):
    """What clients send: an unknown field is an error, so that a typo is never silently lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    """What clients get."""

    model_config = ConfigDict(frozen=True)


def example(value: Mapping[str, object], *, optional: bool = False) -> ConfigDict:
    """A model's configuration: `value` is its example in the OpenAPI document; an `optional` body may be left out."""
    return cast("ConfigDict", {"openapi_extra": {"example": value, "required": not optional}})


def read_moment(value: object) -> datetime:
    """The time that RFC 3339 text means, in UTC; raises PydanticCustomError when it is none, or out of reach."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise PydanticCustomError(
            "time_rfc3339",
            "Should be a time as RFC 3339 has it, with its offset from UTC: 2026-02-19T10:00:00Z"
            " or 2026-02-19T12:00:00+02:00 (in a URL, write + as %2B).",
        )
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise PydanticCustomError("time_invalid", "There is no such time: {why}.", {"why": str(error)}) from None
    _check_year(moment)
    return moment.astimezone(UTC)


def read_start(value: object) -> datetime:
    """Where a range begins: a time, or the first instant of a bare UTC day. Raises as read_moment."""
    return _midnight(value) if isinstance(value, str) and _BARE_DATE.fullmatch(value) else read_moment(value)


def read_end(value: object) -> datetime:
    """The instant after a range's end, which is inclusive: a time, or a whole bare UTC day. Raises as read_moment."""
    if isinstance(value, str) and _BARE_DATE.fullmatch(value):
        return _midnight(value) + timedelta(days=1)
    return read_moment(value) + timedelta(microseconds=1)


def _midnight(value: str) -> datetime:
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("date_invalid", "There is no such day: {why}.", {"why": str(error)}) from None
    _check_year(day)
    return datetime.combine(day, time(), UTC)


def _check_year(day: date) -> None:
    if day.year not in _YEARS:
        message = f"Should be in the years {_YEARS.start} to {_YEARS.stop - 1}."
        raise PydanticCustomError("time_out_of_reach", "{message}", {"message": message})


_MOMENT_FORM: Final = Field(
    json_schema_extra={"format": "date-time", "example": "2026-02-19T10:00:00Z"},
    description="RFC 3339, with an offset.",
)
_DAY_OR_MOMENT_FORM: Final = Field(json_schema_extra={"example": "2026-02-19"})

Moment = Annotated[datetime, PlainValidator(read_moment, json_schema_input_type=str), _MOMENT_FORM]
"""A time on input."""

RangeStart = Annotated[datetime, PlainValidator(read_start, json_schema_input_type=str), _DAY_OR_MOMENT_FORM]
RangeEnd = Annotated[datetime, PlainValidator(read_end, json_schema_input_type=str), _DAY_OR_MOMENT_FORM]

UtcTime = Annotated[datetime, _MOMENT_FORM]
"""A time on output. The store gives UTC, which pydantic writes with a Z, and microseconds where there are any."""

QueueName = Annotated[str, Field(pattern=QUEUE_NAME_PATTERN, description="Lower-case letters, digits, - and _.")]
Priority = Annotated[int, Field(ge=FIRST_PRIORITY, le=LAST_PRIORITY, description="1 is first, 9 last.")]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
