"""Jobs: creating them, and what has become of them."""

from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.audited import Audit
from scheduler.api.identity import current_caller
from scheduler.api.inputs import ChangeIn, JobIn
from scheduler.api.intake import admit, change_admitted
from scheduler.api.job_outputs import JobOut, JobsOut, JobStatusOut
from scheduler.api.pagination import Pagination
from scheduler.api.queries import JobsQuery
from scheduler.api.resource import ById, Resource, answer, nothing
from scheduler.api.services import connection
from scheduler.store.lists import list_jobs
from scheduler.store.reads import get_job, get_status
from scheduler.store.removal import delete_job

jobs: Final = Resource("jobs", "What to run, when, and what became of it.")


@jobs.post("/api/job", Access.WRITE, {200: JobOut, 201: JobOut}, problems=(503,), creates=True, audit=Audit.NOT)
def create(body: JobIn) -> Response:
    """Create a job.

    It runs at `scheduled_at`, after `delay_seconds`, or at once. Answers 201, or 200 with the unfinished job
    that bears the same `unique_key`.
    """
    return admit(body.new_job())


@jobs.get("/api/jobs", Access.READ, {200: JobsOut}, problems=(422, 503))
def find(query: JobsQuery) -> Response:
    """List jobs.

    Newest first, unless `sort` says otherwise. `page` is convenient near the start; `cursor` walks any depth,
    and neither skips nor repeats a job while others come in.
    """
    request = query.page_request(query.sort)
    with connection() as conn:
        page = list_jobs(conn, current_caller(), query.wanted(), request)
    return answer(JobsOut(jobs=[JobOut.of(job) for job in page.items], pagination=Pagination.of(page)))


@jobs.get("/api/jobs/<id:id>", Access.READ, {200: JobOut}, problems=(404, 503))
def show(path: ById) -> Response:
    """Show a job."""
    with connection() as conn:
        job = get_job(conn, current_caller(), path.id)
    return answer(JobOut.of(job))


@jobs.patch("/api/jobs/<id:id>", Access.WRITE, {200: JobOut}, problems=(404, 409, 503))
def change(path: ById, body: ChangeIn) -> Response:
    """Change a pending job.

    Fields left out stay as they are. A job in any other state is a 409.
    """
    return change_admitted(path.id, body.changes())


@jobs.put("/api/jobs/<id:id>", Access.WRITE, {200: JobOut}, problems=(404, 409, 503))
def change_by_put(path: ById, body: ChangeIn) -> Response:
    """Change a pending job, the same way as PATCH."""
    return change_admitted(path.id, body.changes())


@jobs.delete("/api/jobs/<id:id>", Access.WRITE, {204: None}, problems=(404, 409, 503))
def delete(path: ById) -> Response:
    """Remove a job and its history.

    One that is picked or running has to be cancelled first.
    """
    with connection() as conn:
        delete_job(conn, current_caller(), path.id)
    return nothing()


@jobs.get("/api/jobs/<id:id>/status", Access.READ, {200: JobStatusOut}, problems=(404, 503))
def status(path: ById) -> Response:
    """Show a job's status alone."""
    with connection() as conn:
        stands = get_status(conn, current_caller(), path.id)
    return answer(JobStatusOut(id=path.id, status=stands))
