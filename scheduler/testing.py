"""For tests of tasks of one's own: runs a handler as an executor would, without one.

ran = run_task(resize_image, {"path": "a.png", "width": 200})
assert ran.result == {"width": 200}
"""

import asyncio
import inspect
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

import orjson

from scheduler.domain.job import JsonObject, JsonValue
from scheduler.executor.result import encode_result
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import Handler, Registry, declared_task

__all__ = ["Ran", "run_task"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of an attempt that returned: its result as the job would show it, its log, and its progress."""

    result: JsonValue
    log: list[str]
    progress: list[tuple[float, str | None]]


def run_task(
    handler: Handler,
    data: JsonObject,
    *,
    job_id: int = 1,
    attempt: int = 1,
    max_attempts: int = 3,
    cancelled: bool = False,
) -> Ran:
    """Check `data` against the model of a function decorated with @task, run it here, and check what it returns.

    A coroutine runs on a loop of its own, and every other kind in the calling thread, where a debugger can follow.
    Raises InvalidInput for bad data, PermanentError for a result that is no JSON, and whatever the handler raises.
    """
    declared = declared_task(handler)
    log: list[str] = []
    progress: list[tuple[float, str | None]] = []
    context = TaskContext(
        job_id=job_id,
        attempt=attempt,
        max_attempts=max_attempts,
        on_log=log.append,
        on_progress=lambda fraction, message: progress.append((fraction, message)),
        is_cancelled=lambda: cancelled,
    )
    returned = handler(Registry([declared]).validate(declared.name, data), context)
    if inspect.isawaitable(returned):
        returned = asyncio.run(_awaited(returned))
    encoded = encode_result(returned)
    return Ran(None if encoded is None else cast("JsonValue", orjson.loads(encoded)), log, progress)


async def _awaited(value: Awaitable[object]) -> object:
    return await value
