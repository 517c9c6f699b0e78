"""Dead letters: the jobs that have failed for good."""

from collections.abc import Iterable
from typing import Any, Unpack, cast

from scheduler.client.calls import Call, Page
from scheduler.client.jobs import LONGEST_PAGE, JobFilter, choice, filters
from scheduler.client.models import Job, Outcome, one, page
from scheduler.client.noun import Noun, S_co, endpoint, walk


class DeadLetters(Noun[S_co]):
    """The jobs that have failed for good, each with its last error."""

    @walk
    @staticmethod
    def list(**asked: Unpack[JobFilter]) -> Call[Page[Job]]:
        """Every failed job that the filters match, newest first."""
        query = cast("dict[str, Any]", {"limit": LONGEST_PAGE, **filters(**asked)})
        return Call("GET", "/api/dead-letter", page(Job, "jobs"), query=query)

    @endpoint
    @staticmethod
    def retry(ids: Iterable[int] | None = None, **asked: Unpack[JobFilter]) -> Call[Outcome]:
        """Send failed jobs round again, by ids or by a filter."""
        return Call("POST", "/api/dead-letter/retry", one(Outcome, done="retried"), body=choice(ids, asked))

    @endpoint
    @staticmethod
    def purge(ids: Iterable[int] | None = None, **asked: Unpack[JobFilter]) -> Call[Outcome]:
        """Remove failed jobs and their history, by ids or by a filter."""
        return Call("DELETE", "/api/dead-letter", one(Outcome, done="deleted"), body=choice(ids, asked))
