"""What the API answers, typed. A field that a newer server adds is kept beside the others."""

from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from scheduler.client.calls import Answer, Page
from scheduler.client.errors import NotTheApi
from scheduler.domain.states import ENDED, JobStatus


class Model(BaseModel):
    """Something of the API's, as it stood when it was answered."""

    model_config = ConfigDict(frozen=True, extra="allow")


M = TypeVar("M", bound=Model)


class Task(Model):
    """What a job does."""

    type: str
    data: dict[str, JsonValue]


class Retry(Model):
    """How long a job waits between attempts, in seconds."""

    backoff: str
    delay_seconds: float
    max_delay_seconds: float
    jitter: bool


class Job(Model):
    """A job."""

    id: int
    name: str | None
    description: str | None
    task: Task
    status: JobStatus
    queue: str
    priority: int
    scheduled_at: datetime
    next_run_at: datetime
    attempt: int
    max_attempts: int
    timeout_seconds: float
    retry: Retry
    unique_key: str | None
    concurrency_key: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    picked_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    result: JsonValue
    error: dict[str, JsonValue] | None
    progress: dict[str, JsonValue] | None
    schedule_id: int | None
    template_id: int | None
    duplicated_from: int | None
    owner_id: int

    @property
    def has_ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ENDED


class Execution(Model):
    """One attempt at a job, ended."""

    id: int
    job_id: int
    attempt: int
    status: str
    started_at: datetime
    finished_at: datetime
    duration_ms: float
    worker: str
    error: dict[str, JsonValue] | None
    result: JsonValue
    logs: list[str]


class Schedule(Model):
    """Jobs that recur."""

    id: int
    name: str
    cron: str
    description: str
    timezone: str
    task: Task
    enabled: bool
    next_run_at: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    misfire: str
    overlap: str
    jitter_seconds: float
    queue: str
    priority: int
    max_attempts: int
    timeout_seconds: float
    retry: Retry
    concurrency_key: str | None
    created_at: datetime
    updated_at: datetime
    owner_id: int


class Runs(Model):
    """When an expression runs next, and what it means."""

    description: str
    timezone: str
    next: list[datetime]
    next_local: list[str]


class Template(Model):
    """A task to make jobs of."""

    id: int
    name: str
    description: str | None
    task: Task
    defaults: dict[str, JsonValue]
    created_at: datetime
    owner_id: int


class RateLimit(Model):
    """So many starts in so many seconds, over all executors."""

    count: int
    per_seconds: float


class Queue(Model):
    """A queue: what waits in it and what holds it back. The counts are those of `queues.stats`."""

    name: str
    paused: bool
    max_running: int | None = None
    rate_limit: RateLimit | None = None
    pending_due: int = 0
    pending_later: int = 0
    picked: int = 0
    running: int = 0
    completed_24h: int = 0
    failed_24h: int = 0
    oldest_due_seconds: float | None = None
    depth: int | None = None


class Skipped(Model):
    """A job that was left as it is."""

    id: int
    reason: str


class Outcome(Model):
    """What was done to many jobs: the ids of those that it was done to, and why others were skipped."""

    done: list[int]
    skipped: list[Skipped]
    has_more: bool = Field(description="Whether a filter describes more jobs than one call takes: call again.")


class Percentiles(Model):
    """In milliseconds."""

    p50: float | None
    p95: float | None
    p99: float | None


class Performance(Model):
    """How the attempts of a window went."""

    throughput_per_minute: float
    success_rate: float | None
    queue_wait_ms: Percentiles
    duration_ms: Percentiles


class Moment(Model):
    """Attempts that ended in one stretch of the window."""

    at: datetime
    completed: int
    failed: int


class Stats(Model):
    """The state of the whole, as the caller may see it."""

    status_counts: dict[JobStatus, int]
    task_types: dict[str, int]
    performance: Performance
    timeline: list[Moment]


class TaskType(Model):
    """A kind of work that a job can be; `data` is the JSON Schema of its data."""

    type: str
    description: str
    kind: str
    timeout_seconds: float | None
    data: dict[str, JsonValue]


class User(Model):
    """An account."""

    id: int
    email: str
    role: str
    active: bool
    first_name: str | None
    last_name: str | None
    created_at: datetime
    updated_at: datetime


class ApiKey(Model):
    """A key for programs."""

    id: int
    name: str
    prefix: str
    scope: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    owner_id: int


class NewApiKey(ApiKey):
    """A key that was created just now; `key` is shown this once."""

    key: str = Field(repr=False)


class LogIn(Model):
    """A log-in: a token to send, and one that brings the next pair."""

    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)


class one(Generic[M]):  # noqa: N801 - reads as the function that it is
    """Read an answer that is one thing; `members` of another name are put under the model's."""

    def __init__(self, model: type[M], **members: str) -> None:
        self._model = model
        self._members = members

    def __call__(self, answer: Answer) -> M:
        found = answer.document()
        return _checked(self._model, {**found, **{ours: found.get(theirs) for ours, theirs in self._members.items()}})


class page(Generic[M]):  # noqa: N801 - the same
    """Read an answer that is a page of rows under `name`."""

    def __init__(self, model: type[M], name: str) -> None:
        self._model = model
        self._name = name

    def __call__(self, answer: Answer) -> Page[M]:
        found: dict[str, Any] = answer.document()
        rows, where = found.get(self._name), found.get("pagination", {})
        if not isinstance(rows, list) or not isinstance(where, dict):
            raise NotTheApi(f"This is no scheduler API: its answer has no {self._name}. Correct its address.")
        at = cast("dict[str, Any]", where)
        items = [_checked(self._model, row) for row in cast("list[object]", rows)]
        return Page(items, at.get("total", len(items)), at.get("total_is_estimate", False), at.get("next_cursor"))


def _checked(model: type[M], document: object) -> M:
    try:
        return model.model_validate(document)
    except ValidationError as invalid:
        where = ".".join(map(str, invalid.errors()[0]["loc"]))
        raise NotTheApi(
            f"This is no scheduler API, or of another version: in its answer {where or 'everything'} is not what a "
            f"{model.__name__} has. Correct its address, or update this client."
        ) from None
