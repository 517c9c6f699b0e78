"""Call a handler where its kind says: on the loop, in a thread, or in a process of its own."""

from collections.abc import Awaitable, Callable
from typing import cast

from pydantic import BaseModel

from scheduler.executor.process import ChildProcess
from scheduler.executor.thread import in_thread
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import Kind, TaskType


async def invoke(task_type: TaskType, data: BaseModel, context: TaskContext, held_until: Callable[[], float]) -> object:
    """The handler's result, or whatever it raises. Cancelled: a coroutine is too, a process is killed,
    and a thread, which nothing can stop, is left to look at `context.cancelled`.

    `held_until` tells the monotonic time at which the lease runs out, should we not live to see it: a process then
    ends by itself."""
    match task_type.kind:
        case Kind.ASYNC:
            try:
                return await cast("Awaitable[object]", task_type.handler(data, context))
            except (SystemExit, KeyboardInterrupt) as error:  # asyncio would end the executor with it
                raise RuntimeError(repr(error)) from error
        case Kind.THREAD:
            return await in_thread(lambda: task_type.handler(data, context))
        case Kind.PROCESS:
            child = ChildProcess(task_type, data, context, held_until)
            try:
                return await in_thread(child.converse)
            finally:
                child.kill()
