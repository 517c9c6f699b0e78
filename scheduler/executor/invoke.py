"""Call a handler where its kind says: on the loop, in a thread, or in a process of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from pydantic import BaseModel

from scheduler.executor.process import ChildProcess
from scheduler.executor.thread import in_thread
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import Kind, TaskType


class Lease(Protocol):
    """What a handler runs under: until when it surely lasts, and whether enough of it is left to begin."""

    held_until: float

    def begin(self, call: Callable[[], object]) -> object: ...


async def invoke(task_type: TaskType, data: BaseModel, context: TaskContext, lease: Lease) -> object:
    """The handler's result, or whatever it raises. Cancelled: a coroutine is too, a process is killed,
    and a thread, which nothing can stop, is left to look at `context.cancelled`.

    A process is told of the lease, and ends by itself with it, should we not live to see that."""
    match task_type.kind:
        case Kind.ASYNC:
            try:
                return await cast("Awaitable[object]", lease.begin(lambda: task_type.handler(data, context)))
            except (Exception, asyncio.CancelledError):
                raise
            except BaseException as error:  # asyncio would end the executor with it, or nobody would record it
                raise RuntimeError(repr(error)) from error
        case Kind.THREAD:
            return await in_thread(lambda: lease.begin(lambda: task_type.handler(data, context)))
        case Kind.PROCESS:
            child = ChildProcess(task_type, data, context, lambda: lease.held_until)
            try:
                return await in_thread(lambda: lease.begin(child.converse))
            finally:
                child.kill()
