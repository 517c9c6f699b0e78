"""Attempts: what became of each time that a job was tried."""

from typing import Annotated, Final, Self

from flask import Response
from pydantic import Field, JsonValue

from scheduler.api.fields import Output, UtcTime, example
from scheduler.api.identity import current_caller
from scheduler.api.pagination import PAGINATION_EXAMPLE, Pagination
from scheduler.api.queries import ExecutionsQuery, PageQuery
from scheduler.api.resource import ById, Resource, answer
from scheduler.api.services import connection
from scheduler.domain.job import Execution
from scheduler.domain.listing import Page
from scheduler.domain.states import ExecutionStatus
from scheduler.store.reads import find_executions, list_executions

attempts: Final = Resource("executions", "What became of each attempt at a job.")

_EXECUTION_EXAMPLE: Final = {
    "id": 7,
    "job_id": 42,
    "attempt": 1,
    "status": "completed",
    "started_at": "2026-02-19T10:00:00.012345Z",
    "finished_at": "2026-02-19T10:00:00.212345Z",
    "duration_ms": 200.0,
    "worker": "executor-1",
    "error": None,
    "result": {"message_id": "<job-42@example.com>"},
    "logs": list[str](),
}


class ExecutionOut(Output):
    """One attempt at a job, ended."""

    id: int
    job_id: int
    attempt: int
    status: ExecutionStatus
    started_at: UtcTime
    finished_at: UtcTime
    duration_ms: float
    worker: Annotated[str, Field(description="The executor that ran it.")]
    error: dict[str, JsonValue] | None
    result: JsonValue
    logs: list[str]

    @classmethod
    def of(cls, execution: Execution) -> Self:
        return cls.model_validate(execution, from_attributes=True)


class ExecutionsOut(Output):
    """A page of attempts."""

    model_config = example({"executions": [_EXECUTION_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    executions: list[ExecutionOut]
    pagination: Pagination


@attempts.get("/api/jobs/<id:id>/executions", {200: ExecutionsOut}, problems=(404, 422, 503))
def executions_of_job(path: ById, query: PageQuery) -> Response:
    """List a job's attempts.

    Newest first, those that have ended.
    """
    request = query.page_request()
    with connection() as conn:
        return _answer(list_executions(conn, current_caller(), path.id, request))


@attempts.get("/api/executions", {200: ExecutionsOut}, problems=(422, 503))
def executions(query: ExecutionsQuery) -> Response:
    """List attempts at any job.

    Newest first, those that have ended.
    """
    request = query.page_request()
    with connection() as conn:
        return _answer(find_executions(conn, current_caller(), query.wanted(), request))


def _answer(page: Page[Execution]) -> Response:
    rows = [ExecutionOut.of(execution) for execution in page.items]
    return answer(ExecutionsOut(executions=rows, pagination=Pagination.of(page)))
