"""What is an expression, what is not, and how one reads in English."""

from datetime import datetime
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.cron import Cron
from scheduler.domain.errors import InvalidInput
from scheduler.domain.recurrence import read_rule

ALPHABET = "0123456789*/,-#?LWHRJANMON @every\t\n\0é()"


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("30 2 * * *", "At 02:30"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0 9 * * MON-FRI", "At 09:00, Monday through Friday"),
        ("0 9 * * 1-5", "At 09:00, Monday through Friday"),
        ("0 9 * * 7", "At 09:00, only on Sunday"),
        ("*/30 * * * * *", "Every 30 seconds"),
        ("0 0 l * *", "At 00:00, on the last day of the month"),
        ("0 0 * * mon#1", "At 00:00, on the first Monday of the month"),
        ("0 0 1W * *", "At 00:00, on the first weekday of the month"),
        ("0 0 ? * L5", "At 00:00, on the last Friday of the month"),
        ("0 0 31 2 MON", "At 00:00, on day 31 of the month, or on Monday, only in February"),
        ("0 0 13 * fri", "At 00:00, on day 13 of the month, or on Friday"),
        ("@hourly", "Every hour"),
        ("@DAILY", "At 00:00"),
        ("@yearly", "At 00:00, on day 1 of the month, only in January"),
        (" 0\t0  * * *\n", "At 00:00"),
        ("@every 90s", "Every 1 minute 30 seconds"),
        ("@every  1D2h", "Every 1 day 2 hours"),
        ("@every 3660d", "Every 3660 days"),
    ],
)
def test_how_it_reads(text: str, english: str) -> None:
    assert read_rule(text).describe() == english


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Has 1 fields"),
        ("* * * *", "Has 4 fields"),
        ("* * * * * * 2030", "Has 7 fields"),
        ("@reboot", "Has 1 fields"),
        ("60 * * * *", "60 is no minute"),
        ("60 * * * * *", "60 is no second"),
        ("* 24 * * *", "24 is no hour"),
        ("* * 0 * *", "0 is no day of the month"),
        ("* * * FOO *", "FOO is no month"),
        ("* * * * MON#6", "MON#6 is no day of the week"),
        ("* * * * 8", "8 is no day of the week"),
        ("1-1000000000 * * * *", "1-1000000000 is no minute"),
        ("*/0 * * * *", "*/0 is no minute"),
        ("1--2 * * * *", "1--2 is no minute"),
        ("-1 * * * *", "-1 is no minute"),
        (", * * * *", ", is no minute"),
        ("H * * * *", "H is no minute"),
        ("R R * * *", "R is no minute"),
        ("R(1-9) * * * *", "R(1-9) is no minute"),
        ("0 0 LW * *", "LW is no day of the month"),
        ("0 0 * L *", "L is no month"),
        ("٣ * * * *", "٣ is no minute"),
        ("* * * * *\0", "*\0 is no day of the week"),
        ("0 0 31 2 *", "Never comes"),
        ("* * * 30 2 *", "Never comes"),
        ("0 0 31 4,6,9,11 *", "Never comes"),
        ("0 0 15 * MON#1", "15 and MON#1 cannot stand together"),
        ("0 0 1W * FRI", "1W and FRI cannot stand together"),
        ("0 0 1 * L5", "1 and L5 cannot stand together"),
        ("@every", "After @every"),
        ("@every 0s", "After @every"),
        ("@every 1.5h", "After @every"),
        ("@every 5s1h", "After @every"),
        ("@every -5s", "After @every"),
        ("@every ٣s", "After @every"),
        ("@every 3661d", "After @every"),
        ("@every 999999999s", "After @every"),
        ("@everyday", "After @every"),
        ("* * * * *" + " " * 192, "Should have at most 200"),
        ("*," * 500_000, "Should have at most 200"),
    ],
)
def test_what_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_rule(text)
    (fault,) = refused.value.errors
    assert fault.loc == ("cron",)
    assert fault.msg.startswith(complaint)


@settings(deadline=None)
@given(st.text(alphabet=ALPHABET, max_size=60) | st.lists(st.text(ALPHABET, max_size=8), max_size=7).map(" ".join))
def test_whatever_is_sent_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = read_rule(text)
    except InvalidInput:
        return
    assert rule.describe()


def test_six_fields_have_the_seconds_first() -> None:
    rule = Cron("10,40 5 4 * * *")
    walls = islice(rule.walls(datetime(2026, 1, 1)), 2)  # noqa: DTZ001
    assert [f"{wall:%H:%M:%S}" for wall in walls] == ["04:05:10", "04:05:40"]
