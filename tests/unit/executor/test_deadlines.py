"""One timer tells everybody whose time is up, and nobody else."""

import asyncio
import time

import pytest

from scheduler.executor.deadlines import Deadlines

LONG = 3600.0


class Timed:
    """Notes when it was told."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.told: list[float] = []
        self._was_told = asyncio.Event()

    def time_out(self) -> None:
        self.told.append(time.monotonic())
        self._was_told.set()

    async def until_told(self) -> None:
        await asyncio.wait_for(self._was_told.wait(), 10)


@pytest.mark.parametrize("order", [(0.15, 0.05, LONG), (LONG, 0.05, 0.15), (0.05, LONG, 0.15)], ids=str)
def test_each_is_told_once_when_its_own_time_is_up(order: tuple[float, ...]) -> None:
    async def run() -> None:
        deadlines = Deadlines()
        watched = [Timed(seconds) for seconds in order]
        for each in watched:
            deadlines.watch(each)
        short = [each for each, seconds in zip(watched, order, strict=True) if seconds < LONG]
        for each in short:
            await each.until_told()
        assert all(len(each.told) == 1 and each.told[0] >= each.deadline - 0.002 for each in short)
        assert [each.told for each in watched if each not in short] == [[]]

    asyncio.run(run())


def test_one_that_has_left_is_not_told_and_does_not_keep_others_waiting() -> None:
    async def run() -> None:
        deadlines = Deadlines()
        gone, there, late = Timed(0.05), Timed(0.1), Timed(0.02)
        deadlines.watch(gone)
        deadlines.watch(there)
        deadlines.leave(gone)
        await there.until_told()
        assert not gone.told
        late.deadline = time.monotonic() + 0.02
        deadlines.watch(late)  # nobody else is watched by now
        await late.until_told()

    asyncio.run(run())
