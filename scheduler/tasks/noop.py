"""`noop`: does nothing, for first tries and for measuring everything around a task."""

from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import TaskData
from scheduler.tasks.registry import Kind, TaskType


class Noop(TaskData):
    """No fields."""


def noop_task() -> TaskType:
    """The type `noop`."""
    return TaskType("noop", Kind.ASYNC, Noop, noop, description="Does nothing. For first tries and benchmarks.")


async def noop(_data: Noop, _context: TaskContext) -> None:
    """Do nothing."""
