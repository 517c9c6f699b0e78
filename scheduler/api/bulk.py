"""Bulk: the same for many jobs at once."""

from collections.abc import Iterator
from typing import Annotated, Final, cast

from flask import Response
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from scheduler.api.access import Access
from scheduler.api.audited import Audit
from scheduler.api.bulk_outputs import CancelledOut, DuplicatedOut, IdsOut, RetriedOut, SkippedOut
from scheduler.api.choice import ChoiceIn
from scheduler.api.exchange import traceparent
from scheduler.api.fields import Input, example
from scheduler.api.identity import current_caller
from scheduler.api.inputs import TASK_EXAMPLE, JobIn
from scheduler.api.intake import admit_all, count_created, faults_of_tasks, wake_pickers
from scheduler.api.problem import faults_of_validation
from scheduler.api.resource import Resource, answer
from scheduler.api.services import connection, nudge, services
from scheduler.domain.errors import Conflict, FieldError, InvalidInput
from scheduler.domain.states import Event, JobStatus, sources
from scheduler.store.bulk import MAX_JOBS, cancel_jobs, duplicate_jobs, retry_jobs

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


@bulk.post("/api/bulk/create", Access.WRITE, {201: IdsOut}, problems=(409, 503), creates=True, audit=Audit.NOT)
def create_many(body: BulkIn) -> Response:
    """Create many jobs.

    All or nothing: a 422 names each bad job by its index, and a `unique_key` that another unfinished job bears is
    a 409. The ids come in the order of the jobs.
    """
    return admit_all([job.new_job() for job in body.jobs])


@bulk.post("/api/bulk/cancel", Access.WRITE, {200: CancelledOut}, problems=(503,), audit=Audit.AFTER)
def cancel_many(body: ChoiceIn) -> Response:
    """Cancel many jobs.

    By `ids`, or by a `filter` with the names of the list: then those first that can be cancelled, 10,000 at most, and
    `has_more` says to ask again. Each job that is skipped is named with the reason.
    """
    with connection() as conn:
        chosen = body.selected(conn, sources(Event.CANCEL))
        outcome = cancel_jobs(conn, current_caller(), chosen.ids)
    body.tell("cancelled", outcome)
    for job_id in outcome.stopped:
        nudge().cancel(job_id)
    if outcome.done:
        nudge().wake_pickers()  # concurrency keys may be free now
    return answer(
        CancelledOut(cancelled=outcome.done, skipped=SkippedOut.all_of(outcome.skipped), has_more=chosen.has_more)
    )


@bulk.post("/api/bulk/retry", Access.WRITE, {200: RetriedOut}, problems=(503,), audit=Audit.AFTER)
def retry_many(body: ChoiceIn) -> Response:
    """Retry many failed or cancelled jobs.

    They are due now. By `ids`, or by a `filter` with the names of the list: then those first that can be retried,
    10,000 at most, and `has_more` says to ask again. Each job that is skipped is named with the reason.
    """
    with connection() as conn:
        chosen = body.selected(conn, sources(Event.RETRY))
        outcome = retry_jobs(conn, current_caller(), chosen.ids)
    body.tell("retried", outcome)
    if outcome.done:
        wake_pickers()
    return answer(
        RetriedOut(retried=outcome.done, skipped=SkippedOut.all_of(outcome.skipped), has_more=chosen.has_more)
    )


@bulk.post("/api/bulk/duplicate", Access.WRITE, {201: DuplicatedOut}, problems=(409, 503), creates=True)
def duplicate_many(body: ChoiceIn) -> Response:
    """Create a copy of each of many jobs.

    As duplicating each alone, due now, and all in one transaction; but a task that its type no longer takes is copied,
    and fails when it runs. By `ids`, or by a `filter` with the names of the list. One that describes more than 10,000
    jobs is a 409: the copies match it, too, so that nobody could go on.
    """
    with services().database.connection() as apart:  # a list brings a transaction of its own kind
        chosen = body.selected(apart, {*JobStatus})
    if chosen.has_more:
        raise Conflict(f"The filter describes more than {MAX_JOBS:,} jobs, and each is copied or none: narrow it.")
    with connection() as conn:
        outcome, copies = duplicate_jobs(conn, current_caller(), chosen.ids, traceparent=traceparent())
    body.tell("duplicated", outcome)
    count_created(len(copies))
    wake_pickers()
    skipped = SkippedOut.all_of(outcome.skipped)
    return answer(DuplicatedOut(duplicated=outcome.done, copies=copies, skipped=skipped, has_more=False), 201)
