"""Times and ranges as clients write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from scheduler.api.fields import UtcTime, read_end, read_moment, read_start

_ZONES = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 12, 30), timezones=_ZONES)  # noqa: DTZ001 - hypothesis adds the zone


class Shown(BaseModel):
    at: UtcTime


@given(_MOMENTS)
def test_a_time_is_read_as_it_was_meant_and_shown_in_utc(moment: datetime) -> None:
    read = read_moment(moment.isoformat())
    assert read == moment
    shown = Shown(at=read).model_dump(mode="json")["at"]
    assert shown.endswith("Z")
    assert datetime.fromisoformat(shown) == moment
    assert (".000000" in shown, "." in shown) == (False, moment.microsecond != 0)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2200, 12, 30)))  # noqa: DTZ001 - without an offset is the point
def test_a_time_without_an_offset_is_refused(moment: datetime) -> None:
    with pytest.raises(PydanticCustomError):
        read_moment(moment.isoformat())


@given(st.text() | st.none() | st.integers() | st.floats())
def test_whatever_comes_is_a_time_or_refused(value: object) -> None:
    for read in (read_moment, read_start, read_end):
        with pytest.raises(PydanticCustomError):
            read(value)


def test_a_bare_day_is_whole() -> None:
    assert read_start("2026-02-19") == datetime(2026, 2, 19, tzinfo=UTC)
    assert read_end("2026-02-19") == datetime(2026, 2, 20, tzinfo=UTC)


def test_a_ranges_end_is_inclusive() -> None:
    assert read_end("2026-02-19T10:00:00Z") == datetime(2026, 2, 19, 10, 0, 0, 1, tzinfo=UTC)
    assert read_start("2026-02-19T10:00:00Z") == datetime(2026, 2, 19, 10, tzinfo=UTC)


@pytest.mark.parametrize("at_the_edge", ["1970-01-01T00:00:00Z", "2200-12-31T23:59:59.999999-23:59"])
def test_the_first_and_the_last_year(at_the_edge: str) -> None:
    read_moment(at_the_edge)
