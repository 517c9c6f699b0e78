"""What work can be: the registry of task types, one file per built-in type, and the guards around them.

This is also the door for code of one's own: `from scheduler.tasks import TaskContext, task`.
"""

from scheduler.domain.errors import PermanentError, RetryLater
from scheduler.tasks.context import TaskContext
from scheduler.tasks.registry import task

__all__ = ["PermanentError", "RetryLater", "TaskContext", "task"]
