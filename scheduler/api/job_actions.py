"""What a user does to a job that is there: cancel it, retry it, duplicate it."""

from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.identity import current_caller
from scheduler.api.inputs import AgainIn, NothingIn
from scheduler.api.intake import admit, stop_running, wake_pickers, wake_pickers_for
from scheduler.api.job_outputs import JobOut
from scheduler.api.resource import ById, Resource, answer
from scheduler.api.services import connection
from scheduler.domain.job import Job, NewJob
from scheduler.store import transitions
from scheduler.store.reads import get_job

job_actions: Final = Resource("job actions", "Cancel a job, retry it, duplicate it.")


@job_actions.post("/api/cancel/<id:id>", Access.WRITE, {200: JobOut}, problems=(404, 409, 503))
def cancel(path: ById, body: NothingIn) -> Response:  # noqa: ARG001 - takes no options, and says so
    """Cancel a job that has not ended.

    A running task is told to stop, and its late result is not recorded.
    """
    with connection() as conn:
        job = transitions.cancel(conn, current_caller(), path.id)
    if job.started_at is not None:
        stop_running(job.id)
    if job.concurrency_key is not None or job.picked_at is not None:
        wake_pickers()  # its key, or its place in a limited queue, may be free now
    return answer(JobOut.of(job))


@job_actions.post("/api/retry/<id:id>", Access.WRITE, {200: JobOut}, problems=(404, 409, 503))
def retry(path: ById, body: AgainIn) -> Response:
    """Retry a failed or cancelled job.

    It is pending again, due now or at `scheduled_at`, with all its attempts before it; its history is kept.
    """
    with connection() as conn:
        job = transitions.retry(conn, current_caller(), path.id, body.scheduled_at)
    wake_pickers_for(job)
    return answer(JobOut.of(job))


@job_actions.post("/api/duplicate/<id:id>", Access.WRITE, {201: JobOut}, problems=(404, 503), creates=True)
def duplicate(path: ById, body: AgainIn) -> Response:
    """Create a new job with the same task and options, due now or at `scheduled_at`.

    Not copied: `unique_key`, which only one unfinished job may bear, and `expires_at`, a time of the first one.
    """
    with connection() as conn:
        job = get_job(conn, current_caller(), path.id)
    return admit(_copy(job, body))


def _copy(job: Job, again: AgainIn) -> NewJob:
    return NewJob(
        task_type=job.task_type,
        task_data=job.task_data,
        name=job.name,
        description=job.description,
        queue=job.queue,
        priority=job.priority,
        scheduled_at=again.scheduled_at,
        max_attempts=job.max_attempts,
        timeout_seconds=job.timeout_seconds,
        retry=job.retry,
        concurrency_key=job.concurrency_key,
        duplicated_from=job.id,
    )
