"""What the chaos run calls an overlap of two attempts, and what it excuses."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tests.chaos.fleet import Freeze, Life
from tests.chaos.verdict import Entry, Evidence, Execution, judge

EXECUTOR = 77
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
BRIEF_ONE_BEFORE = Freeze(since=11, pids=[EXECUTOR], until=12)
WHEN_REPLACED = Freeze(since=18, pids=[EXECUTOR], until=24.5)


def overlaps(freezes: Sequence[Freeze]) -> list[str]:
    """Of an attempt from 10 to 25 s and its replacement, which began at 20 s."""
    attempts = [
        Entry("token", 1, 1, "async", EXECUTOR, started=10, seen=25, ended=25, ending="CancelledError"),
        Entry("token", 1, 2, "async", 78, started=20, seen=30, ended=30, ending="returned"),
    ]
    records = [
        Execution(1, number, number, status, f"host.{pid}.0", WHEN, WHEN, None)
        for number, status, pid in ((1, "lost", EXECUTOR), (2, "completed", 78))
    ]
    life = Life("executor-0", EXECUTOR, 0, freezes=[*freezes])
    return judge(Evidence(jobs=[], executions=records, entries=attempts, lives=[life])).findings["overlapping attempts"]


@pytest.mark.parametrize("freezes", [[], [BRIEF_ONE_BEFORE]])
def test_an_attempt_that_goes_on_beside_its_replacement_overlaps(freezes: list[Freeze]) -> None:
    assert len(overlaps(freezes)) == 1


@pytest.mark.parametrize("freezes", [[WHEN_REPLACED], [BRIEF_ONE_BEFORE, WHEN_REPLACED]])
def test_one_that_stood_still_meanwhile_and_stops_soon_after_does_not(freezes: list[Freeze]) -> None:
    assert overlaps(freezes) == []
