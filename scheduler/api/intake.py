"""How jobs get in, and are changed: their tasks are checked, their rows written, the pickers woken if one is due."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from flask import Response, after_this_request
from structlog.contextvars import bind_contextvars

from scheduler.api.bulk_outputs import IdsOut
from scheduler.api.exchange import traceparent
from scheduler.api.identity import current_caller
from scheduler.api.job_outputs import JobOut
from scheduler.api.resource import answer
from scheduler.api.services import connection, nudge, services
from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.job import Job, JobChanges, NewJob
from scheduler.metrics import CREATED
from scheduler.store.changes import change_job
from scheduler.store.intake import create_job, create_jobs

_SOON: Final = timedelta(seconds=5)


def admit(new: NewJob) -> Response:
    """Create the job and answer 201, or 200 with the unfinished one that bears its unique_key.

    Raises InvalidInput when no task type takes its task.
    """
    services().registry.validate(new.task_type, new.task_data)
    with connection() as conn:
        job, created = create_job(conn, current_caller(), *_traced([new]))
    bind_contextvars(job_id=job.id)  # for the request's line
    if created:
        count_created(1)
        wake_pickers_for(job)
    return answer(JobOut.of(job), 201 if created else 200, Location=f"/api/jobs/{job.id}")


def admit_all(jobs: Sequence[NewJob]) -> Response:
    """Create these jobs, all or none, and answer 201 with their ids in the order given.

    Raises InvalidInput that names each job whose task nothing takes, or which repeats another's unique_key; Conflict
    when an unfinished job bears one.
    """
    if faults := [*faults_of_tasks(dict(enumerate(jobs))), *_repeated_keys(jobs)]:
        raise InvalidInput(faults)
    with connection() as conn:
        ids = create_jobs(conn, current_caller(), _traced(jobs))
    count_created(len(ids))
    wake_pickers()
    return answer(IdsOut(ids=ids), 201)


def _traced(jobs: Sequence[NewJob]) -> Sequence[NewJob]:
    return [replace(new, traceparent=traceparent()) for new in jobs] if traceparent() else jobs


def faults_of_tasks(jobs: Mapping[int, NewJob]) -> Iterator[FieldError]:
    """What the task types refuse of these jobs, which stand in the list `jobs` of a body at their keys."""
    validate = services().registry.validate
    for index, new in jobs.items():
        try:
            validate(new.task_type, new.task_data)
        except InvalidInput as invalid:
            yield from (replace(fault, loc=("jobs", index, *fault.loc)) for fault in invalid.errors)


def _repeated_keys(jobs: Sequence[NewJob]) -> Iterator[FieldError]:
    first: dict[str, int] = {}
    for index, new in enumerate(jobs):
        if new.unique_key is not None and (earlier := first.setdefault(new.unique_key, index)) != index:
            yield FieldError(("jobs", index, "unique_key"), f"Job {earlier} of this list bears it too.", "key_repeated")


def change_admitted(job_id: int, changes: JobChanges) -> Response:
    """Change a pending job and answer with it. Raises as change_job, and InvalidInput when no type takes its task."""
    if "task_type" in changes and "task_data" in changes:
        services().registry.validate(changes["task_type"], changes["task_data"])
    with connection() as conn:
        job = change_job(conn, current_caller(), job_id, changes)
    wake_pickers_for(job)
    return answer(JobOut.of(job))


def wake_pickers_for(job: Job) -> None:
    """Wake the pickers if this job, written just now, is due soon; by then they would only look at their next poll."""
    if job.next_run_at - job.updated_at < _SOON:
        wake_pickers()


def wake_pickers() -> None:
    """Wake them when the request is over: its transaction, if it has one, has then committed."""

    @after_this_request
    def wake(response: Response) -> Response:
        nudge().wake_pickers()
        return response


def count_created(jobs: int) -> None:
    """Count them when the request is over, if they are there to stay."""

    @after_this_request
    def count(response: Response) -> Response:
        if response.status_code == HTTPStatus.CREATED:
            CREATED.labels("api").inc(jobs)
        return response


def stop_running(job_id: int) -> None:
    """Tell whoever runs the job, when the request is over, that it is cancelled."""

    @after_this_request
    def stop(response: Response) -> Response:
        nudge().cancel(job_id)
        return response
