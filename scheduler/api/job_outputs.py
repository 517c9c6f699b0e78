"""What clients see of jobs."""

from typing import Annotated, Final, Self

from pydantic import Field, JsonValue

from scheduler.api.fields import Output, UtcTime, example
from scheduler.api.inputs import TASK_EXAMPLE
from scheduler.api.pagination import PAGINATION_EXAMPLE, Pagination
from scheduler.domain.job import Job
from scheduler.domain.retry import Backoff
from scheduler.domain.states import JobStatus


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


class JobStatusOut(Output):
    """Where a job stands."""

    model_config = example({"id": 42, "status": "running"})

    id: int
    status: JobStatus


class JobsOut(Output):
    """A page of jobs."""

    model_config = example({"jobs": [_JOB_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    jobs: list[JobOut]
    pagination: Pagination
