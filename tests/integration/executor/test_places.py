"""No more handlers at once in threads, or in processes, than there are places; who finds none waits for its turn."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel

from scheduler.domain.job import Attempt, AttemptKey, Completed, Failed, Outcome
from scheduler.domain.retry import DEFAULT_RETRY
from scheduler.domain.states import ExecutionStatus
from scheduler.executor.deadlines import Deadlines
from scheduler.executor.places import Places
from scheduler.executor.run import Running, run_attempt
from scheduler.tasks import TaskContext, task
from scheduler.tasks.registry import load_registry
from tests.eventually import eventually

PLACES = 2
TURN_SECONDS = 0.15
KINDS = ("thread", "process")


class Turn(BaseModel):
    """A folder in which those at work leave a file each, and how long they stay there."""

    folder: Path
    seconds: float = TURN_SECONDS


def at_work(data: Turn, context: TaskContext) -> int:
    """How many were at work when this one had begun."""
    mark = data.folder / str(context.job_id)
    mark.touch()
    count = len([*data.folder.iterdir()])
    time.sleep(data.seconds)
    mark.unlink()
    return count


@task("works_in_thread", kind="thread")
def works_in_thread(data: Turn, context: TaskContext) -> int:
    return at_work(data, context)


@task("works_in_process", kind="process")
def works_in_process(data: Turn, context: TaskContext) -> int:
    return at_work(data, context)


@task("works_on_loop")
async def works_on_loop(_data: Turn, _context: TaskContext) -> None: ...


class Crew:
    """Attempts at once, over PLACES places of each kind. To be made on the loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = load_registry([], [__name__])
        self._places = Places(threads=PLACES, processes=PLACES)
        self._count = 0

    def start(self, where: str, *, seconds: float = TURN_SECONDS, timeout: float = 60) -> Running:
        self._count += 1
        attempt = Attempt(
            key=AttemptKey(self._count, 1),
            attempt=1,
            max_attempts=1,
            task_type=f"works_{where}",
            task_data={"folder": str(self._folder), "seconds": seconds},
            timeout_seconds=timeout,
            retry=DEFAULT_RETRY,
            lateness_seconds=0.0,
            lease_seconds=60.0,
            blocks_others=False,
        )
        running = Running(attempt, held_until=float("inf"))
        running.task = asyncio.create_task(run_attempt(running, self._registry, self._places, Deadlines()))
        return running

    async def at_work(self) -> None:
        """Wait until every place is taken."""
        await asyncio.to_thread(eventually, lambda: len([*self._folder.iterdir()]) == PLACES)


async def ends_of(all_running: Sequence[Running]) -> list[Outcome | None]:
    return [*await asyncio.gather(*(each.task for each in all_running if each.task))]


@pytest.mark.parametrize("kind", KINDS)
def test_no_more_at_once_than_there_are_places_and_all_get_one(tmp_path: Path, kind: str) -> None:
    async def run() -> list[Outcome | None]:
        crew = Crew(tmp_path)
        return await ends_of([crew.start(f"in_{kind}") for _ in range(3 * PLACES)])

    outcomes = asyncio.run(run())
    counts = [int(each.result or 0) for each in outcomes if isinstance(each, Completed)]
    assert len(counts) == 3 * PLACES, outcomes
    assert max(counts) == PLACES


@pytest.mark.parametrize("kind", KINDS)
def test_the_time_of_one_that_waits_has_not_begun(tmp_path: Path, kind: str) -> None:
    """It waits longer than it may take, and does not take it."""

    async def run() -> Outcome | None:
        crew = Crew(tmp_path)
        ahead = [crew.start(f"in_{kind}", seconds=5) for _ in range(PLACES)]
        await crew.at_work()
        waiting = crew.start(f"in_{kind}", timeout=4)  # a process takes a second or two to start on a busy machine
        await ends_of(ahead)
        return (await ends_of([waiting]))[0]

    outcome = asyncio.run(run())
    assert isinstance(outcome, Completed), outcome
    assert outcome.duration_seconds < 4


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_waits_is_cancelled_at_once_and_never_begins(tmp_path: Path, kind: str) -> None:
    async def run() -> list[Outcome | None]:
        crew = Crew(tmp_path)
        ahead = [crew.start(f"in_{kind}", seconds=1) for _ in range(PLACES)]
        await crew.at_work()
        waiting = crew.start(f"in_{kind}")
        await asyncio.sleep(0)  # it has begun to wait
        waiting.cancel()
        assert await ends_of([waiting]) == [None]
        assert not any(each.task.done() for each in ahead if each.task)
        return await ends_of(ahead)

    counts = [int(each.result or 0) for each in asyncio.run(run()) if isinstance(each, Completed)]
    assert len(counts) == PLACES
    assert [*tmp_path.iterdir()] == []


def test_a_thread_that_outlives_its_attempt_takes_no_place_from_others(tmp_path: Path) -> None:
    async def run() -> tuple[list[Outcome | None], list[Outcome | None]]:
        crew = Crew(tmp_path)
        late = await ends_of([crew.start("in_thread", seconds=2, timeout=0.1) for _ in range(PLACES)])
        return late, await ends_of([crew.start("in_thread", timeout=1)])

    late, next_one = asyncio.run(run())
    assert [each.status for each in late if isinstance(each, Failed)] == [ExecutionStatus.TIMED_OUT] * PLACES
    assert [type(each) for each in next_one] == [Completed]


def test_a_coroutine_waits_for_nobody(tmp_path: Path) -> None:
    async def run() -> list[Outcome | None]:
        crew = Crew(tmp_path)
        busy = [crew.start(f"in_{kind}", seconds=0.5) for kind in KINDS for _ in range(2 * PLACES)]
        quick = await ends_of([crew.start("on_loop") for _ in range(50)])
        assert not any(each.task.done() for each in busy if each.task)
        await ends_of(busy)
        return quick

    assert [type(each) for each in asyncio.run(run())] == [Completed] * 50
