"""Jobs: create them, find them, wait for them, and whatever else is done to them."""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack, cast
from uuid import uuid4

from scheduler.client.calls import Answer, Call, Page, Plan, Sleep, given, nothing
from scheduler.client.errors import NotInTime
from scheduler.client.models import Execution, Job, Outcome, one, page
from scheduler.client.noun import Noun, S_co, endpoint, plan, stream, walk
from scheduler.domain.job import JsonObject, JsonValue

MOST_AT_ONCE: Final = 10_000
"""Jobs in one bulk call."""
LONGEST_PAGE: Final = 200

_FIRST_LOOK_SECONDS: Final = 0.1
_LONGEST_LOOK_SECONDS: Final = 5.0


class Options(TypedDict, total=False):
    """How a job is to be run; seconds and times as the API has them."""

    queue: str
    priority: int
    max_attempts: int
    timeout_seconds: float
    retry: Mapping[str, JsonValue]
    concurrency_key: str


class JobOptions(Options, total=False):
    """What a job may bear beside its task."""

    name: str
    description: str
    scheduled_at: datetime | str
    delay_seconds: float
    unique_key: str
    expires_at: datetime | str


class JobFilter(TypedDict, total=False):
    """Which jobs: those that all of these match. Dates are of `scheduled_at`, a bare one a whole UTC day."""

    status: str | Sequence[str]
    task_type: str
    search: str
    start_date: datetime | str
    end_date: datetime | str
    queue: str
    priority: int
    schedule_id: int


class JobChanges(TypedDict, total=False):
    """What to change of a pending job; None is what a field is when it is left out on creation."""

    task: Mapping[str, JsonValue]
    name: str | None
    description: str | None
    queue: str | None
    priority: int | None
    scheduled_at: datetime | str | None
    max_attempts: int | None
    timeout_seconds: float | None
    retry: Mapping[str, JsonValue] | None
    expires_at: datetime | str | None


def new_job(task_type: str, data: Mapping[str, Any] | None = None, **options: Unpack[JobOptions]) -> JsonObject:
    """A job as `create_many` takes it."""
    return {"task": {"type": task_type, "data": dict(data or {})}, **given(**options)}


def filters(**asked: Unpack[JobFilter]) -> JsonObject:
    """Filters under the names that the API has for them."""
    names = {"task_type": "taskType", "start_date": "startDate", "end_date": "endDate", "schedule_id": "scheduleId"}
    return {names.get(name, name): value for name, value in given(**asked).items()}


def choice(ids: Iterable[int] | None, asked: JobFilter) -> JsonObject:
    """Jobs by their ids, or by a filter; raises ValueError unless it is one of the two."""
    if (ids is None) == (not asked):
        raise ValueError("Give ids or filters, one of the two.")
    return {"ids": [*ids]} if ids is not None else {"filter": filters(**asked)}


def fresh_key(key: str | None) -> str:
    """The caller's idempotency key, or one that nobody used before."""
    return key or uuid4().hex


def _get(job_id: int) -> Call[Job]:
    return Call("GET", f"/api/jobs/{job_id}", one(Job))


def _page(sort: str, size: int, asked: JobFilter) -> Call[Page[Job]]:
    query = cast("dict[str, Any]", {"sort": sort, "limit": size, **filters(**asked)})
    return Call("GET", "/api/jobs", page(Job, "jobs"), query=query)


def _ids(answer: Answer) -> tuple[int, ...]:
    return tuple(cast("Sequence[int]", answer.document()["ids"]))


class Jobs(Noun[S_co]):
    """What to run, when, and what became of it."""

    @endpoint
    @staticmethod
    def create(
        task_type: str,
        data: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> Call[Job]:
        """Create a job; the unfinished one that bears the same `unique_key`, if there is one."""
        body = new_job(task_type, data, **options)
        return Call("POST", "/api/job", one(Job), body=body, key=fresh_key(idempotency_key))

    @endpoint
    @staticmethod
    def create_many(jobs: Iterable[JsonObject], *, idempotency_key: str | None = None) -> Call[tuple[int, ...]]:
        """Create up to 10,000 jobs (see `new_job`), all or none; their ids in the same order."""
        body: JsonObject = {"jobs": [*jobs]}
        return Call("POST", "/api/bulk/create", _ids, body=body, key=fresh_key(idempotency_key))

    @endpoint
    @staticmethod
    def get(job_id: int) -> Call[Job]:
        """A job as it stands."""
        return _get(job_id)

    @walk
    @staticmethod
    def list(*, sort: str = "-id", **asked: Unpack[JobFilter]) -> Call[Page[Job]]:
        """Every job that the filters match, newest first unless `sort` says otherwise."""
        return _page(sort, LONGEST_PAGE, asked)

    @endpoint
    @staticmethod
    def page(*, sort: str = "-id", size: int = 20, **asked: Unpack[JobFilter]) -> Call[Page[Job]]:
        """The first page of that list, and how many there are in all."""
        return _page(sort, size, asked)

    @endpoint
    @staticmethod
    def edit(job_id: int, **changes: Unpack[JobChanges]) -> Call[Job]:
        """Change a pending job."""
        cleared: JsonObject = {name: None for name, value in changes.items() if value is None}
        return Call("PATCH", f"/api/jobs/{job_id}", one(Job), body={**given(**changes), **cleared})

    @endpoint
    @staticmethod
    def delete(job_id: int) -> Call[None]:
        """Remove a job and its history; one that is picked or running has to be cancelled first."""
        return Call("DELETE", f"/api/jobs/{job_id}", nothing)

    @endpoint
    @staticmethod
    def cancel(job_id: int) -> Call[Job]:
        """Cancel a job that has not ended."""
        return Call("POST", f"/api/cancel/{job_id}", one(Job))

    @endpoint
    @staticmethod
    def retry(job_id: int, *, scheduled_at: datetime | str | None = None) -> Call[Job]:
        """Send a failed or cancelled job round again, now or at `scheduled_at`."""
        return Call("POST", f"/api/retry/{job_id}", one(Job), body=given(scheduled_at=scheduled_at))

    @endpoint
    @staticmethod
    def duplicate(
        job_id: int, *, scheduled_at: datetime | str | None = None, idempotency_key: str | None = None
    ) -> Call[Job]:
        """Create a new job with the same task and options."""
        body = given(scheduled_at=scheduled_at)
        return Call("POST", f"/api/duplicate/{job_id}", one(Job), body=body, key=fresh_key(idempotency_key))

    @endpoint
    @staticmethod
    def cancel_many(ids: Iterable[int] | None = None, **asked: Unpack[JobFilter]) -> Call[Outcome]:
        """Cancel jobs, by ids or by a filter."""
        return Call("POST", "/api/bulk/cancel", one(Outcome, done="cancelled"), body=choice(ids, asked))

    @endpoint
    @staticmethod
    def retry_many(ids: Iterable[int] | None = None, **asked: Unpack[JobFilter]) -> Call[Outcome]:
        """Send failed or cancelled jobs round again, by ids or by a filter."""
        return Call("POST", "/api/bulk/retry", one(Outcome, done="retried"), body=choice(ids, asked))

    @endpoint
    @staticmethod
    def duplicate_many(
        ids: Iterable[int] | None = None, *, idempotency_key: str | None = None, **asked: Unpack[JobFilter]
    ) -> Call[Outcome]:
        """Create a copy of each of these jobs, by ids or by a filter that describes 10,000 at most."""
        done, key = one(Outcome, done="duplicated"), fresh_key(idempotency_key)
        return Call("POST", "/api/bulk/duplicate", done, body=choice(ids, asked), key=key)

    @walk
    @staticmethod
    def executions(job_id: int | None = None, *, worker: str | None = None) -> Call[Page[Execution]]:
        """Attempts that have ended, newest first: those at one job, or at any."""
        query = cast("dict[str, Any]", given(jobId=job_id, worker=worker, limit=LONGEST_PAGE))
        return Call("GET", "/api/executions", page(Execution, "executions"), query=query)

    @stream
    @staticmethod
    def export(**asked: Unpack[JobFilter]) -> Call[object]:
        """All jobs that the filters match as CSV, in chunks of bytes."""
        query = cast("dict[str, Any]", filters(**asked))
        return Call("GET", "/api/jobs/export", lambda answer: answer.stream, query=query, streams=True)

    @plan
    @staticmethod
    def wait(job_id: int, *, timeout: float | None = None) -> Plan[Job]:
        """The job once it has ended, in whichever way; looks less and less often.

        Raises NotInTime when that takes longer than `timeout` seconds, if given.
        """
        began, pause = time.monotonic(), _FIRST_LOOK_SECONDS
        while True:
            job: Job = yield _get(job_id)
            if job.has_ended:
                return job
            left = float("inf") if timeout is None else timeout - (time.monotonic() - began)
            if left <= 0:
                raise NotInTime(job_id, job.status.value, timeout or 0)
            yield Sleep(min(left, pause * random.uniform(0.75, 1.25)))  # noqa: S311 - no secret
            pause = min(_LONGEST_LOOK_SECONDS, pause * 1.5)
