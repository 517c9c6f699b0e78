"""Task types: the kinds of work that a job can be."""

from typing import Annotated, Final

from flask import Response
from pydantic import Field, JsonValue

from scheduler.api.fields import Output
from scheduler.api.resource import Resource, answer
from scheduler.api.services import services

task_types: Final = Resource("task types", "The kinds of work that a job can be.")


class TaskTypeOut(Output):
    """A kind of work that a job can be."""

    type: str
    description: str
    kind: Annotated[str, Field(description="Where its handler runs: async, thread or process.")]
    timeout_seconds: Annotated[float | None, Field(description="Its own bound of one attempt, beside the job's.")]
    data: Annotated[dict[str, JsonValue], Field(description="The JSON Schema of its data.")]


class TaskTypesOut(Output):
    """Every kind of work there is."""

    task_types: list[TaskTypeOut]


@task_types.get("/api/task-types", {200: TaskTypesOut})
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
