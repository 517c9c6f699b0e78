"""A handler is called only while so much of its lease is left that it can be extended."""

import asyncio
import time

import pytest
from pydantic import BaseModel

from scheduler.domain.job import Attempt, AttemptKey, Failed
from scheduler.domain.retry import DEFAULT_RETRY
from scheduler.executor.deadlines import Deadlines
from scheduler.executor.places import Places
from scheduler.executor.run import Running, run_attempt
from scheduler.tasks import TaskContext, task
from scheduler.tasks.registry import Registry, load_registry

LEASE = 30.0
called: list[int] = []


class Nothing(BaseModel):
    """No data."""


@task("begin_async")
async def begin_async(_: Nothing, context: TaskContext) -> None:
    called.append(context.job_id)


@task("begin_thread")
def begin_thread(_: Nothing, context: TaskContext) -> None:
    called.append(context.job_id)


@task("begin_process", kind="process")
def begin_process(_: Nothing, context: TaskContext) -> None:
    raise AssertionError("in another process, which nothing here would see")


class Leave(BaseException):
    """As what some libraries end their own tasks with."""


@task("begin_leaving")
async def begin_leaving(_: Nothing, context: TaskContext) -> None:
    raise Leave


def running(kind: str, left: float) -> Running:
    """An attempt with so much of its lease left."""
    attempt = Attempt(
        key=AttemptKey(1, 1),
        attempt=1,
        max_attempts=1,
        task_type=f"begin_{kind}",
        task_data={},
        timeout_seconds=30.0,
        retry=DEFAULT_RETRY,
        lateness_seconds=0.0,
        lease_seconds=LEASE,
        blocks_others=False,
    )
    return Running(attempt, held_until=time.monotonic() + left)


@pytest.fixture
def registry() -> Registry:
    called.clear()
    return load_registry([], [__name__])


@pytest.mark.parametrize("kind", ["async", "thread", "process"])
def test_in_the_last_half_of_the_lease_nothing_begins_and_nothing_is_recorded(registry: Registry, kind: str) -> None:
    assert (
        asyncio.run(run_attempt(running(kind, LEASE * 0.4), registry, Places(threads=1, processes=1), Deadlines()))
        is None
    )
    assert called == []


@pytest.mark.parametrize("kind", ["async", "thread"])
def test_in_the_first_half_it_begins(registry: Registry, kind: str) -> None:
    assert (
        asyncio.run(run_attempt(running(kind, LEASE * 0.9), registry, Places(threads=1, processes=1), Deadlines()))
        is not None
    )
    assert called == [1]


def test_one_that_was_given_up_before_its_turn_does_not_begin(registry: Registry) -> None:
    """The watch over leases says so from a thread of its own, without the loop."""
    given_up = running("async", LEASE)
    given_up.cancelled = True
    assert asyncio.run(run_attempt(given_up, registry, Places(threads=1, processes=1), Deadlines())) is None
    assert called == []


def test_one_that_is_cancelled_before_its_first_step_still_comes_to_its_end(registry: Registry) -> None:
    """asyncio would never enter it, so that nobody would learn that its slot is free."""
    cancelled = running("async", LEASE)
    ended: list[object] = []

    async def attempt() -> None:
        ended.append(await run_attempt(cancelled, registry, Places(threads=1, processes=1), Deadlines()))

    async def cancel_at_once() -> None:
        cancelled.task = asyncio.create_task(attempt())
        cancelled.cancel()
        await cancelled.task

    asyncio.run(cancel_at_once())
    assert (ended, called) == ([None], [])


def test_whatever_a_handler_raises_fails_its_attempt(registry: Registry) -> None:
    outcome = asyncio.run(run_attempt(running("leaving", LEASE), registry, Places(threads=1, processes=1), Deadlines()))
    assert isinstance(outcome, Failed)
    assert "Leave()" in str(outcome.error["message"])
