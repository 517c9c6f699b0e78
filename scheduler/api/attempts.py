"""Attempts: what became of each time that a job was tried."""

from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.identity import current_caller
from scheduler.api.outputs import ExecutionOut, ExecutionsOut, Pagination
from scheduler.api.queries import ExecutionsQuery, PageQuery
from scheduler.api.resource import ById, Resource, answer
from scheduler.api.services import connection
from scheduler.domain.job import Execution
from scheduler.domain.listing import Page
from scheduler.store.reads import find_executions, list_executions

attempts: Final = Resource("executions", "What became of each attempt at a job.")


@attempts.get("/api/jobs/<id:id>/executions", Access.READ, {200: ExecutionsOut}, problems=(404, 422, 503))
def executions_of_job(path: ById, query: PageQuery) -> Response:
    """List a job's attempts.

    Newest first, those that have ended.
    """
    request = query.page_request()
    with connection() as conn:
        return _answer(list_executions(conn, current_caller(), path.id, request))


@attempts.get("/api/executions", Access.READ, {200: ExecutionsOut}, problems=(422, 503))
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
