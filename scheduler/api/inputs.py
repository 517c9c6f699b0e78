"""What clients send about a job."""

from typing import Annotated, Final

from pydantic import Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from scheduler.api.fields import (
    DAY_SECONDS,
    YEAR_SECONDS,
    Flag,
    Input,
    Key,
    Moment,
    Priority,
    QueueName,
    Seconds,
    example,
)
from scheduler.domain.job import (
    DEFAULT_MAX_ATTEMPTS,
    DEFAULT_PRIORITY,
    DEFAULT_QUEUE,
    DEFAULT_TIMEOUT_SECONDS,
    NewJob,
)
from scheduler.domain.retry import DEFAULT_RETRY, Backoff, RetryPolicy

TASK_EXAMPLE: Final = {
    "type": "send_email",
    "data": {"to": "user@example.com", "subject": "Hello", "message": "Good morning."},
}


class TaskIn(Input):
    """What to do."""

    type: Annotated[str, Field(min_length=1, max_length=100, description="One of GET /api/task-types.")]
    data: Annotated[dict[str, JsonValue], Field(description="As the JSON Schema of the type has it.")]


class RetryIn(Input):
    """How long to wait between attempts, in seconds."""

    backoff: Backoff = DEFAULT_RETRY.backoff
    delay_seconds: Annotated[Seconds, Field(le=30 * DAY_SECONDS)] = DEFAULT_RETRY.delay_seconds
    max_delay_seconds: Annotated[Seconds, Field(le=30 * DAY_SECONDS)] = DEFAULT_RETRY.max_delay_seconds
    jitter: Annotated[Flag, Field(description="Draw each delay from its upper half.")] = DEFAULT_RETRY.jitter

    def policy(self) -> RetryPolicy:
        return RetryPolicy(self.backoff, self.delay_seconds, self.max_delay_seconds, self.jitter)


class JobOptions(Input):
    """How a job runs, whatever makes it."""

    queue: QueueName = DEFAULT_QUEUE
    priority: Annotated[Priority, Field(strict=True)] = DEFAULT_PRIORITY
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = DEFAULT_MAX_ATTEMPTS
    timeout_seconds: Annotated[Seconds, Field(gt=0, le=DAY_SECONDS, description="Of one attempt.")] = (
        DEFAULT_TIMEOUT_SECONDS
    )
    retry: RetryIn = RetryIn()
    concurrency_key: Annotated[
        Key | None, Field(description="At most one job of a key is picked or running at a time.")
    ] = None


class JobIn(JobOptions):
    """A job to create."""

    model_config = example({"name": "welcome mail", "task": TASK_EXAMPLE, "scheduled_at": "2026-02-19T10:00:00Z"})

    task: TaskIn
    name: Annotated[str, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None
    scheduled_at: Annotated[Moment | None, Field(description="When to run; now, if absent.")] = None
    delay_seconds: Annotated[
        Annotated[Seconds, Field(le=10 * YEAR_SECONDS)] | None, Field(description="In place of scheduled_at.")
    ] = None
    unique_key: Annotated[
        Key | None, Field(description="While an unfinished job bears it, creating answers 200 with that one.")
    ] = None
    expires_at: Annotated[Moment | None, Field(description="Not started by then, the job fails.")] = None

    @field_validator("delay_seconds")
    @classmethod
    def _one_time_only(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("scheduled_at") is not None:
            raise PydanticCustomError("time_given_twice", "Give scheduled_at or delay_seconds, not both.")
        return value

    @field_validator("expires_at")
    @classmethod
    def _expires_after_it_is_due(cls, value: Moment | None, info: ValidationInfo) -> Moment | None:
        scheduled_at = info.data.get("scheduled_at")
        if value is not None and scheduled_at is not None and value <= scheduled_at:
            raise PydanticCustomError("expires_too_soon", "Should be later than scheduled_at, or the job never runs.")
        return value

    def new_job(self) -> NewJob:
        return NewJob(
            task_type=self.task.type,
            task_data=self.task.data,
            name=self.name,
            description=self.description,
            queue=self.queue,
            priority=self.priority,
            scheduled_at=self.scheduled_at,
            delay_seconds=self.delay_seconds or 0.0,
            max_attempts=self.max_attempts,
            timeout_seconds=self.timeout_seconds,
            retry=self.retry.policy(),
            unique_key=self.unique_key,
            concurrency_key=self.concurrency_key,
            expires_at=self.expires_at,
        )


class AgainIn(Input):
    """When to run again; the whole body may be left out."""

    model_config = example({"scheduled_at": "2026-02-19T10:00:00Z"}, optional=True)

    scheduled_at: Annotated[Moment | None, Field(description="Now, if absent.")] = None


class NothingIn(Input):
    """No options: the body may be left out."""

    model_config = example({}, optional=True)
