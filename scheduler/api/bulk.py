"""Bulk: the same for many jobs at once."""

from collections.abc import Iterator
from typing import Annotated, Final, cast

from flask import Response
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from scheduler.api.fields import Input, example
from scheduler.api.inputs import TASK_EXAMPLE, JobIn
from scheduler.api.intake import admit_all, faults_of_tasks
from scheduler.api.outputs import IdsOut
from scheduler.api.problem import faults_of_validation
from scheduler.api.resource import Resource
from scheduler.domain.errors import FieldError, InvalidInput

MAX_JOBS: Final = 10_000

bulk: Final = Resource("bulk", f"Up to {MAX_JOBS:,} jobs at once.")


class BulkIn(Input):
    """Jobs to create."""

    model_config = example({"jobs": [{"name": "welcome mail", "task": TASK_EXAMPLE}, {"task": TASK_EXAMPLE}]})

    jobs: Annotated[list[JobIn], Field(min_length=1, max_length=MAX_JOBS)]

    @field_validator("jobs", mode="wrap")
    @classmethod
    def _name_every_fault(cls, given: object, validate: ValidatorFunctionWrapHandler) -> list[JobIn]:
        """Where a job has a bad field, the bad tasks of other jobs are named in the same answer."""
        try:
            return validate(given)
        except ValidationError as invalid:
            faults = [FieldError(("jobs", *each.loc), each.msg, each.type) for each in faults_of_validation(invalid)]
            if isinstance(given, list) and len(cast("list[object]", given)) <= MAX_JOBS:
                sound = dict(_sound_jobs(cast("list[object]", given)))
                faults += faults_of_tasks({index: job.new_job() for index, job in sound.items()})
            raise InvalidInput(faults) from None


def _sound_jobs(given: list[object]) -> Iterator[tuple[int, JobIn]]:
    for index, job in enumerate(given):
        try:
            yield index, JobIn.model_validate(job)
        except ValidationError:
            continue


@bulk.post("/api/bulk/create", {201: IdsOut}, problems=(409, 503), creates=True)
def create_many(body: BulkIn) -> Response:
    """Create many jobs.

    All or nothing: a 422 names each bad job by its index, and a `unique_key` that another unfinished job bears is
    a 409. The ids come in the order of the jobs.
    """
    return admit_all([job.new_job() for job in body.jobs])
