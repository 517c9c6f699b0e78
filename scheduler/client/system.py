"""The whole: its statistics, and the kinds of work it knows."""

from scheduler.client.calls import Answer, Call, Page
from scheduler.client.models import Stats, TaskType, one, page
from scheduler.client.noun import Noun, S_co, endpoint


def _types(answer: Answer) -> tuple[TaskType, ...]:
    found: Page[TaskType] = page(TaskType, "task_types")(answer)
    return tuple(found.items)


class System(Noun[S_co]):
    """The whole: its statistics, and the kinds of work it knows."""

    @endpoint
    @staticmethod
    def stats(*, hours: int = 24) -> Call[Stats]:
        """How many jobs there are, and how the last hours went."""
        return Call("GET", "/api/stats", one(Stats), query={"hours": hours})

    @endpoint
    @staticmethod
    def task_types() -> Call[tuple[TaskType, ...]]:
        """Each task type, with the JSON Schema of its data."""
        return Call("GET", "/api/task-types", _types)
