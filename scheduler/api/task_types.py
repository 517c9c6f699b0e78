"""Task types: the kinds of work that a job can be."""

from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.outputs import TaskTypeOut, TaskTypesOut
from scheduler.api.resource import Resource, answer
from scheduler.api.services import services

task_types: Final = Resource("task types", "The kinds of work that a job can be.")


@task_types.get("/api/task-types", Access.READ, {200: TaskTypesOut})
def list_task_types() -> Response:
    """List the task types, each with the JSON Schema of its data."""
    registry = services().registry
    return answer(
        TaskTypesOut(
            task_types=[
                TaskTypeOut(
                    type=each.name,
                    description=each.description,
                    kind=each.kind.value,
                    timeout_seconds=each.timeout_seconds,
                    data=registry.json_schema(each.name),
                )
                for each in registry.types()
            ]
        )
    )
