"""Which outcomes are written together."""

import time
from collections.abc import Callable, Generator, Sequence

import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import DEFAULT_QUEUE, Completed, NewJob, Outcome
from scheduler.executor.recorder import ENOUGH, Recorder
from scheduler.store import transitions
from scheduler.store.connection import Database
from scheduler.store.intake import create_jobs
from tests.eventually import eventually

PAUSE = 3.0


@pytest.fixture
def outcomes(db: Database) -> list[Completed]:
    """Of running jobs."""
    with db.connection() as conn:
        create_jobs(conn, OPERATOR, [NewJob(task_type="noop", task_data={})] * (ENOUGH + 3))
        claimed = transitions.claim(conn, queue=DEFAULT_QUEUE, limit=1_000, lease_seconds=60, ageing_seconds=60)
        attempts = transitions.start(
            conn, queue="default", ids=[job.id for job in claimed], worker="test", lease_seconds=60
        )
    return [Completed(key=each.key, duration_seconds=0.0, finished=0.0, result=None) for each in attempts]


@pytest.fixture
def after_one(
    db: Database, outcomes: list[Completed], monkeypatch: pytest.MonkeyPatch
) -> Generator[tuple[list[int], Callable[[Sequence[Outcome]], None]]]:
    """The sizes of the groups that were written, and the way to add outcomes. One alone was written at once; nothing is
    written so soon again."""
    monkeypatch.setattr("scheduler.executor.recorder.BETWEEN_WRITES_SECONDS", PAUSE)
    sizes: list[int] = []

    def recorded(group: Sequence[Outcome]) -> None:
        sizes.append(len(group))

    recorder = Recorder(db, recorded)
    recorder.start()
    recorder.add(outcomes[:1])
    eventually(lambda: sizes == [1], PAUSE / 2)
    yield sizes, recorder.add
    assert recorder.close(10) == 0


def test_what_ends_soon_after_a_write_is_written_together(
    outcomes: list[Completed], after_one: tuple[list[int], Callable[[Sequence[Outcome]], None]]
) -> None:
    sizes, add = after_one
    add(outcomes[1:2])
    until = time.monotonic() + PAUSE / 6
    eventually(lambda: time.monotonic() > until)
    assert sizes == [1]
    add(outcomes[2:3])
    eventually(lambda: sizes == [1, 2])


def test_enough_for_a_write_waits_for_no_more(
    outcomes: list[Completed], after_one: tuple[list[int], Callable[[Sequence[Outcome]], None]]
) -> None:
    sizes, add = after_one
    add(outcomes[1:])
    eventually(lambda: sizes == [1, ENOUGH + 2], PAUSE / 2)
