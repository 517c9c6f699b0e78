"""How a job gets in: its task is checked, its row written, the pickers woken if it is due."""

from datetime import timedelta
from typing import Final

from flask import Response

from scheduler.api.identity import current_caller
from scheduler.api.outputs import JobOut
from scheduler.api.resource import answer
from scheduler.api.services import nudge, services
from scheduler.domain.job import Job, NewJob
from scheduler.store.intake import create_job

_SOON: Final = timedelta(seconds=5)


def admit(new: NewJob) -> Response:
    """Create the job and answer 201, or 200 with the unfinished one that bears its unique_key.

    Raises InvalidInput when no task type takes its task.
    """
    services().registry.validate(new.task_type, new.task_data)
    with services().database.connection() as connection:
        job, created = create_job(connection, current_caller(), new)
    if created:
        wake_pickers_for(job)
    return answer(JobOut.of(job), 201 if created else 200, Location=f"/api/jobs/{job.id}")


def wake_pickers_for(job: Job) -> None:
    """Wake the pickers if this job, written just now, is due soon; by then they would only look at their next poll."""
    if job.next_run_at - job.updated_at < _SOON:
        nudge().wake_pickers()
