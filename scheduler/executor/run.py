"""One attempt as a pipeline of named steps: look up, validate, wait for a place, invoke within the budget, encode - or
fail.

What comes out is an Outcome for the recorder, or None when the attempt was cancelled: then whoever cancelled
it, or rescued its job, has written the record already.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import BaseModel
from structlog.contextvars import bind_contextvars

from scheduler.domain.errors import InvalidInput, PermanentError, TaskError
from scheduler.domain.job import Attempt, Completed, Failed, JsonObject, Outcome
from scheduler.domain.retry import next_delay
from scheduler.domain.states import ExecutionStatus
from scheduler.executor.deadlines import Deadlines
from scheduler.executor.errors import describe
from scheduler.executor.invoke import invoke
from scheduler.executor.places import Places
from scheduler.executor.result import encode_result
from scheduler.logs import get_log
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import Registry, TaskType
from scheduler.tracing import span

log = get_log("run")


class NotBegun(Exception):
    """The handler was not called: somebody else may be about to."""


@dataclass(slots=True, eq=False)
class Running:
    """An attempt in progress: what the executor, its heartbeat and the handler's context share of it."""

    attempt: Attempt
    held_until: float
    """Monotonic: until then the lease is surely ours, whatever the database hears of us."""
    started: float = field(default_factory=time.monotonic)
    """Monotonic: when it got its place."""
    deadline: float = float("inf")
    """Monotonic: when its budget of time is used up."""
    cancelled: bool = False
    timed_out: bool = False
    logs: list[str] = field(default_factory=list[str])
    progress: JsonObject | None = None
    shown: JsonObject | None = None
    task: "asyncio.Task[Outcome | None] | None" = None
    has_begun: bool = False
    """A task that is cancelled before its first step takes none at all, and would not even leave."""

    def begin(self, call: Callable[[], object]) -> object:
        """`call` the handler; raises NotBegun, and leaves the attempt to others, when half of its lease has gone by.

        The loop was blocked, or we were frozen, and may be about to lose it. So this is asked last of all.
        """
        if self.cancelled or time.monotonic() >= self.held_until - self.attempt.lease_seconds / 2:
            self.cancelled = True
            log.warning("attempt not begun: its lease is no longer surely ours")
            raise NotBegun
        return call()

    def cancel(self) -> None:
        """Tell the handler to stop; its outcome will not be recorded."""
        self.cancelled = True
        if self.task is not None and self.has_begun:
            self.task.cancel()

    def time_out(self) -> None:
        """Tell the handler to stop because its time is up."""
        self.timed_out = True
        if self.task is not None:
            self.task.cancel()

    def report(self, fraction: float, message: str | None) -> None:
        self.progress = {"fraction": fraction, "message": message}


async def run_attempt(running: Running, registry: Registry, places: Places, deadlines: Deadlines) -> Outcome | None:
    """Run one attempt to its end. Its time counts from when it has a place."""
    running.has_begun = True
    if running.cancelled:
        return None
    attempt = running.attempt
    bind_contextvars(job_id=attempt.key.job_id, attempt=attempt.attempt)  # of this asyncio task alone
    try:
        task_type = registry.get(attempt.task_type)
        data = registry.validate(task_type.name, attempt.task_data)
        async with places.one_for(task_type.kind):
            result = await _within_budget(running, task_type, data, deadlines)
        encoded = encode_result(result)
    except asyncio.CancelledError:
        return _cut_short(running)
    except Exception as error:  # noqa: BLE001 - a handler may raise anything: it fails its attempt, never the executor
        return None if running.cancelled else failure(running, error)
    now = time.monotonic()
    return Completed(
        key=attempt.key,
        duration_seconds=now - running.started,
        finished=now,
        logs=tuple(running.logs),
        lets_others_begin=attempt.blocks_others,
        result=encoded,
    )


async def _within_budget(running: Running, task_type: TaskType, data: BaseModel, deadlines: Deadlines) -> object:
    """Invoke the handler; it is cancelled when the time of the job, or that of its type, is up."""
    attempt = running.attempt
    running.started = time.monotonic()
    budget = min(attempt.timeout_seconds, task_type.timeout_seconds or attempt.timeout_seconds)
    running.deadline = running.started + budget
    traced = span(
        f"attempt {task_type.name}", attempt.traceparent, job_id=attempt.key.job_id, job_attempt=attempt.attempt
    )
    deadlines.watch(running)
    try:
        with traced as under_way:
            return await _called(running, task_type, data, under_way.traceparent)
    finally:
        deadlines.leave(running)


async def _called(running: Running, task_type: TaskType, data: BaseModel, traceparent: str | None) -> object:
    attempt = running.attempt
    context = TaskContext(
        job_id=attempt.key.job_id,
        attempt=attempt.attempt,
        max_attempts=attempt.max_attempts,
        on_log=running.logs.append,
        on_progress=running.report,
        is_cancelled=lambda: running.cancelled or time.monotonic() >= running.deadline,
        traceparent=traceparent,
    )
    return await invoke(task_type, data, context, running)


def _cut_short(running: Running) -> Outcome | None:
    """What a CancelledError means: a user's or a lost lease's cancellation, the end of the attempt's time, the loop's
    own end - or nothing of the kind, and the handler let one out."""
    if running.cancelled:
        return None
    if running.timed_out:
        return failure(running, AttemptTimedOut(running))
    if (current := asyncio.current_task()) is not None and current.cancelling():
        raise asyncio.CancelledError
    return failure(running, CancelledWithin())


class AttemptTimedOut(TaskError):
    """The attempt used up its time."""

    type = "timed_out"

    def __init__(self, running: Running) -> None:
        budget = round(running.deadline - running.started, 3)
        super().__init__(f"The attempt was stopped after its {budget:g} s: raise timeout_seconds if it needs longer.")


class CancelledWithin(TaskError):
    """Nobody cancelled the attempt: the handler awaited something that was cancelled."""

    type = "cancelled_within"

    def __init__(self) -> None:
        super().__init__("The task let a CancelledError of its own out: catch it where it awaits what it cancels.")


def failure(running: Running, error: Exception) -> Failed:
    """The outcome of an attempt that failed with `error`: tried again later, or not."""
    attempt, now = running.attempt, time.monotonic()
    if isinstance(error, InvalidInput):
        error = PermanentError(f"The task's data is not valid: {error}", type="invalid_data")
    described = describe(error)
    log.info("attempt failed", job_id=attempt.key.job_id, attempt=attempt.attempt, error=described["type"])
    luck = random.random()  # noqa: S311 - spreads retries, guards nothing
    return Failed(
        key=attempt.key,
        duration_seconds=now - running.started,
        finished=now,
        logs=tuple(running.logs),
        lets_others_begin=attempt.blocks_others,
        status=ExecutionStatus.TIMED_OUT if isinstance(error, AttemptTimedOut) else ExecutionStatus.FAILED,
        error=described,
        retry_in=next_delay(attempt.retry, attempt.attempt, attempt.max_attempts, error, luck),
    )
