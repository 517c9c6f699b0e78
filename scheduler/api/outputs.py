"""What clients see: the contract's JSON, field by field."""

from collections.abc import Sequence
from typing import Annotated, Final, Self

from pydantic import Field, JsonValue

from scheduler.api.fields import Output, UtcTime, example
from scheduler.api.inputs import TASK_EXAMPLE
from scheduler.domain.job import Execution, Job, Skipped
from scheduler.domain.listing import Item, Page
from scheduler.domain.retry import Backoff
from scheduler.domain.states import ExecutionStatus, JobStatus


class TaskOut(Output):
    """What the job does."""

    type: str
    data: dict[str, JsonValue]


class RetryOut(Output):
    """How long it waits between attempts, in seconds."""

    backoff: Backoff
    delay_seconds: float
    max_delay_seconds: float
    jitter: bool


_JOB_EXAMPLE: Final = {
    "id": 42,
    "name": "welcome mail",
    "description": None,
    "task": TASK_EXAMPLE,
    "status": "pending",
    "queue": "default",
    "priority": 5,
    "scheduled_at": "2026-02-19T10:00:00Z",
    "next_run_at": "2026-02-19T10:00:00Z",
    "attempt": 0,
    "max_attempts": 3,
    "timeout_seconds": 30.0,
    "retry": {"backoff": "exponential", "delay_seconds": 5.0, "max_delay_seconds": 3600.0, "jitter": True},
    "unique_key": None,
    "concurrency_key": None,
    "expires_at": None,
    "created_at": "2026-02-18T16:20:31.105822Z",
    "updated_at": "2026-02-18T16:20:31.105822Z",
    "picked_at": None,
    "started_at": None,
    "completed_at": None,
    "result": None,
    "error": None,
    "progress": None,
    "schedule_id": None,
    "template_id": None,
    "duplicated_from": None,
    "owner_id": 1,
}


class JobOut(Output):
    """A job as it stands."""

    model_config = example(_JOB_EXAMPLE)

    id: int
    name: str | None
    description: str | None
    task: TaskOut
    status: JobStatus
    queue: str
    priority: int
    scheduled_at: UtcTime
    next_run_at: UtcTime
    attempt: Annotated[int, Field(description="Attempts begun since the job was created, or last retried by hand.")]
    max_attempts: int
    timeout_seconds: float
    retry: RetryOut
    unique_key: str | None
    concurrency_key: str | None
    expires_at: UtcTime | None
    created_at: UtcTime
    updated_at: UtcTime
    picked_at: UtcTime | None
    started_at: UtcTime | None
    completed_at: Annotated[UtcTime | None, Field(description="When it ended, in whichever way.")]
    result: Annotated[JsonValue, Field(description="What the task returned.")]
    error: Annotated[dict[str, JsonValue] | None, Field(description="Of the last attempt: `type` and `message`.")]
    progress: dict[str, JsonValue] | None
    schedule_id: int | None
    template_id: int | None
    duplicated_from: int | None
    owner_id: int

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            name=job.name,
            description=job.description,
            task=TaskOut(type=job.task_type, data=job.task_data),
            status=job.status,
            queue=job.queue,
            priority=job.priority,
            scheduled_at=job.scheduled_at,
            next_run_at=job.next_run_at,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            timeout_seconds=job.timeout_seconds,
            retry=RetryOut.model_validate(job.retry, from_attributes=True),
            unique_key=job.unique_key,
            concurrency_key=job.concurrency_key,
            expires_at=job.expires_at,
            created_at=job.created_at,
            updated_at=job.updated_at,
            picked_at=job.picked_at,
            started_at=job.started_at,
            completed_at=job.completed_at,
            result=job.result,
            error=job.error,
            progress=job.progress,
            schedule_id=job.schedule_id,
            template_id=job.template_id,
            duplicated_from=job.duplicated_from,
            owner_id=job.owner_id,
        )


class IdsOut(Output):
    """The ids of jobs, in the order in which they were given."""

    model_config = example({"ids": [42, 43]})

    ids: list[int]


class SkippedOut(Output):
    """A job that was left as it is."""

    id: int
    reason: str

    @classmethod
    def all_of(cls, skipped: Sequence[Skipped]) -> list[Self]:
        return [cls(id=each.id, reason=each.reason) for each in skipped]


_SKIPPED_EXAMPLE: Final = {"skipped": [{"id": 44, "reason": "There is no job 44."}], "has_more": False}


class BulkOut(Output):
    """To which jobs it was not done, and whether a filter describes more to which it could be."""

    skipped: list[SkippedOut]
    has_more: bool


class CancelledOut(BulkOut):
    """Jobs that were cancelled."""

    model_config = example({"cancelled": [42, 43], **_SKIPPED_EXAMPLE})

    cancelled: list[int]


class RetriedOut(BulkOut):
    """Jobs that are pending again."""

    model_config = example({"retried": [42, 43], **_SKIPPED_EXAMPLE})

    retried: list[int]


class DeletedOut(BulkOut):
    """Jobs that are gone."""

    model_config = example({"deleted": [42, 43], **_SKIPPED_EXAMPLE})

    deleted: list[int]


class JobStatusOut(Output):
    """Where a job stands."""

    model_config = example({"id": 42, "status": "running"})

    id: int
    status: JobStatus


class ExecutionOut(Output):
    """One attempt at a job, ended."""

    id: int
    job_id: int
    attempt: int
    status: ExecutionStatus
    started_at: UtcTime
    finished_at: UtcTime
    duration_ms: float
    worker: Annotated[str, Field(description="The executor that ran it.")]
    error: dict[str, JsonValue] | None
    result: JsonValue
    logs: list[str]

    @classmethod
    def of(cls, execution: Execution) -> Self:
        return cls.model_validate(execution, from_attributes=True)


class Pagination(Output):
    """Where in its list a page is."""

    page: int
    limit: int
    total: Annotated[int, Field(description="Of all pages: exact up to 10,000.")]
    total_is_estimate: Annotated[bool, Field(description="True when there are more than 10,000.")]
    pages: int
    next_cursor: Annotated[str | None, Field(description="Send it as `cursor` for the next page; null on the last.")]

    @classmethod
    def of(cls, page: Page[Item]) -> Self:
        return cls(
            page=page.number,
            limit=page.limit,
            total=page.total,
            total_is_estimate=page.total_is_estimate,
            pages=-(-page.total // page.limit),
            next_cursor=page.next.encode() if page.next else None,
        )


PAGINATION_EXAMPLE: Final = {
    "page": 1,
    "limit": 20,
    "total": 1,
    "total_is_estimate": False,
    "pages": 1,
    "next_cursor": None,
}


class JobsOut(Output):
    """A page of jobs."""

    model_config = example({"jobs": [_JOB_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    jobs: list[JobOut]
    pagination: Pagination


_EXECUTION_EXAMPLE: Final = {
    "id": 7,
    "job_id": 42,
    "attempt": 1,
    "status": "completed",
    "started_at": "2026-02-19T10:00:00.012345Z",
    "finished_at": "2026-02-19T10:00:00.212345Z",
    "duration_ms": 200.0,
    "worker": "executor-1",
    "error": None,
    "result": {"message_id": "<job-42@example.com>"},
    "logs": list[str](),
}


class ExecutionsOut(Output):
    """A page of attempts."""

    model_config = example({"executions": [_EXECUTION_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    executions: list[ExecutionOut]
    pagination: Pagination


class TaskTypeOut(Output):
    """A kind of work that a job can be."""

    type: str
    description: str
    kind: Annotated[str, Field(description="Where its handler runs: async, thread or process.")]
    timeout_seconds: Annotated[float | None, Field(description="Its own bound of one attempt, beside the job's.")]
    data: Annotated[dict[str, JsonValue], Field(description="The JSON Schema of its data.")]


class TaskTypesOut(Output):
    """Every kind of work there is."""

    task_types: list[TaskTypeOut]


class CheckOut(Output):
    """Whether one of the things that the API stands on is right."""

    status: Annotated[str, Field(pattern="^(ok|failed)$")]
    detail: str


class ReadyOut(Output):
    """Whether the API can do its work."""

    model_config = example(
        {
            "status": "ready",
            "checks": {
                "postgresql": {"status": "ok", "detail": "PostgreSQL 18"},
                "redis": {"status": "ok", "detail": "Redis 8.2.1"},
                "schema": {"status": "ok", "detail": "version 1"},
            },
        }
    )

    status: Annotated[str, Field(pattern="^(ready|unready)$")]
    checks: dict[str, CheckOut]


class HealthOut(Output):
    """The process lives."""

    model_config = example({"status": "ok", "version": "0.1.0"})

    status: str
    version: str
