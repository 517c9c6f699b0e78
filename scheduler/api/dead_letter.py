"""Dead letters: the jobs that have failed for good."""

from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.audited import Audit
from scheduler.api.bulk_outputs import DeletedOut, RetriedOut, SkippedOut
from scheduler.api.choice import ChoiceIn
from scheduler.api.identity import current_caller
from scheduler.api.intake import wake_pickers
from scheduler.api.job_outputs import JobOut, JobsOut
from scheduler.api.pagination import Pagination
from scheduler.api.queries import JobsQuery
from scheduler.api.resource import Resource, answer
from scheduler.api.services import connection
from scheduler.domain.job import Job
from scheduler.domain.listing import Page
from scheduler.domain.states import JobStatus
from scheduler.store.bulk import delete_dead_letters, retry_dead_letters
from scheduler.store.lists import list_jobs

dead_letter: Final = Resource("dead letters", "The jobs that have failed for good, each with its last error.")

_FAILED: Final = frozenset({JobStatus.FAILED})


@dead_letter.get("/api/dead-letter", Access.READ, {200: JobsOut}, problems=(422, 503))
def dead_letters(query: JobsQuery) -> Response:
    """List failed jobs.

    Each with the error of its last attempt; filters and pages as in the list of jobs.
    """
    request = query.page_request(query.sort)
    wanted = query.wanted().among(_FAILED)
    if wanted is None:  # asked for another status
        page = Page(
            items=list[Job](), number=request.number, limit=request.limit, total=0, total_is_estimate=False, next=None
        )
    else:
        with connection() as conn:
            page = list_jobs(conn, current_caller(), wanted, request)
    return answer(JobsOut(jobs=[JobOut.of(job) for job in page.items], pagination=Pagination.of(page)))


@dead_letter.post("/api/dead-letter/retry", Access.WRITE, {200: RetriedOut}, problems=(503,), audit=Audit.AFTER)
def retry_dead_letter(body: ChoiceIn) -> Response:
    """Retry failed jobs.

    By `ids` or by a `filter`, as bulk/retry; a job in any other state is skipped, a cancelled one, too.
    """
    with connection() as conn:
        chosen = body.selected(conn, _FAILED)
        outcome = retry_dead_letters(conn, current_caller(), chosen.ids)
    body.tell("retried", outcome)
    if outcome.done:
        wake_pickers()
    return answer(
        RetriedOut(retried=outcome.done, skipped=SkippedOut.all_of(outcome.skipped), has_more=chosen.has_more)
    )


@dead_letter.delete(
    "/api/dead-letter", Access.WRITE, {200: DeletedOut}, problems=(503,), has_body=True, audit=Audit.AFTER
)
def delete_dead_letter(body: ChoiceIn) -> Response:
    """Remove failed jobs and their history.

    By `ids` or by a `filter`, as bulk/retry; a job in any other state is skipped.
    """
    with connection() as conn:
        chosen = body.selected(conn, _FAILED)
        outcome = delete_dead_letters(conn, current_caller(), chosen.ids)
    body.tell("deleted", outcome)
    return answer(
        DeletedOut(deleted=outcome.done, skipped=SkippedOut.all_of(outcome.skipped), has_more=chosen.has_more)
    )
