"""Jobs: creating them, and what has become of them."""

from typing import Final

from flask import Response

from scheduler.api.identity import current_caller
from scheduler.api.inputs import JobIn
from scheduler.api.intake import admit
from scheduler.api.outputs import ExecutionOut, ExecutionsOut, JobOut, JobsOut, JobStatusOut, Pagination
from scheduler.api.queries import JobsQuery, PageQuery
from scheduler.api.resource import ById, Resource, answer
from scheduler.api.services import services
from scheduler.store.lists import list_jobs
from scheduler.store.reads import get_job, get_status, list_executions

jobs: Final = Resource("jobs", "What to run, when, and what became of it.")


@jobs.post("/api/job", {200: JobOut, 201: JobOut}, problems=(503,))
def create(body: JobIn) -> Response:
    """Create a job.

    It runs at `scheduled_at`, after `delay_seconds`, or at once. Answers 201, or 200 with the unfinished job
    that bears the same `unique_key`.
    """
    return admit(body.new_job())


@jobs.get("/api/jobs", {200: JobsOut}, problems=(422, 503))
def find(query: JobsQuery) -> Response:
    """List jobs.

    Newest first, unless `sort` says otherwise. `page` is convenient near the start; `cursor` walks any depth,
    and neither skips nor repeats a job while others come in.
    """
    request = query.page_request(query.sort)
    with services().database.connection() as connection:
        page = list_jobs(connection, current_caller(), query.wanted(), request)
    return answer(JobsOut(jobs=[JobOut.of(job) for job in page.items], pagination=Pagination.of(page)))


@jobs.get("/api/jobs/<id:id>", {200: JobOut}, problems=(404, 503))
def show(path: ById) -> Response:
    """Show a job."""
    with services().database.connection() as connection:
        job = get_job(connection, current_caller(), path.id)
    return answer(JobOut.of(job))


@jobs.get("/api/jobs/<id:id>/status", {200: JobStatusOut}, problems=(404, 503))
def status(path: ById) -> Response:
    """Show a job's status alone."""
    with services().database.connection() as connection:
        stands = get_status(connection, current_caller(), path.id)
    return answer(JobStatusOut(id=path.id, status=stands))


@jobs.get("/api/jobs/<id:id>/executions", {200: ExecutionsOut}, problems=(404, 422, 503))
def executions(path: ById, query: PageQuery) -> Response:
    """List a job's attempts.

    Newest first, those that have ended.
    """
    request = query.page_request()
    with services().database.connection() as connection:
        page = list_executions(connection, current_caller(), path.id, request)
    rows = [ExecutionOut.of(execution) for execution in page.items]
    return answer(ExecutionsOut(executions=rows, pagination=Pagination.of(page)))
