"""The nouns: a job as it is asked for, as it stands, one attempt at it, and how an attempt came out."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias, TypedDict

from scheduler.domain.retry import DEFAULT_RETRY, Backoff, RetryPolicy
from scheduler.domain.states import ExecutionStatus, JobStatus

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, JsonValue]

DEFAULT_QUEUE: Final = "default"
DEFAULT_PRIORITY: Final = 5
FIRST_PRIORITY: Final = 1
LAST_PRIORITY: Final = 9
DEFAULT_MAX_ATTEMPTS: Final = 3
DEFAULT_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is asked for. No `scheduled_at` means now; `delay_seconds` counts from the database's now."""

    task_type: str
    task_data: JsonObject
    name: str | None = None
    description: str | None = None
    queue: str = DEFAULT_QUEUE
    priority: int = DEFAULT_PRIORITY
    scheduled_at: datetime | None = None
    delay_seconds: float = 0.0
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    retry: RetryPolicy = DEFAULT_RETRY
    unique_key: str | None = None
    concurrency_key: str | None = None
    expires_at: datetime | None = None
    schedule_id: int | None = None
    template_id: int | None = None
    duplicated_from: int | None = None
    traceparent: str | None = None
    """The trace that it belongs to, as W3C writes it."""


class JobChanges(TypedDict, total=False):
    """What to change of a pending job, and nothing else of it. `scheduled_at` None means now."""

    task_type: str
    task_data: JsonObject
    name: str | None
    description: str | None
    queue: str
    priority: int
    scheduled_at: datetime | None
    max_attempts: int
    timeout_seconds: float
    retry_backoff: Backoff
    retry_delay_seconds: float
    retry_max_delay_seconds: float
    retry_jitter: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands: section 2 of the contract, field by field."""

    id: int
    name: str | None
    description: str | None
    task_type: str
    task_data: JsonObject
    status: JobStatus
    queue: str
    priority: int
    scheduled_at: datetime
    next_run_at: datetime
    attempt: int
    max_attempts: int
    timeout_seconds: float
    retry: RetryPolicy
    unique_key: str | None
    concurrency_key: str | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    picked_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    result: JsonValue
    error: JsonObject | None
    progress: JsonObject | None
    schedule_id: int | None
    template_id: int | None
    duplicated_from: int | None
    owner_id: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A job that was left as it is, and why."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of many jobs: those to which it was done (`stopped` of them were running), and the others.

    `stood`: how many of the first there were in each status before.
    """

    done: list[int]
    skipped: list[Skipped]
    stood: dict[JobStatus, int]
    stopped: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The record of one attempt that has ended."""

    id: int
    job_id: int
    attempt: int
    status: ExecutionStatus
    started_at: datetime
    finished_at: datetime
    duration_ms: float
    worker: str
    error: JsonObject | None
    result: JsonValue
    logs: list[str]


class Claimed(NamedTuple):
    """A job that a picker has claimed, and where in its queue it stood: among its priority by due time, then by id."""

    id: int
    priority: int
    next_run_at: datetime
    traceparent: str | None = None


class AttemptKey(NamedTuple):
    """The fence around one attempt: `run` counts every start of the job in all its life.

    `attempt` alone would not do: it begins again when a user retries, and a holder that slept
    through that would find its own number in use by another.
    """

    job_id: int
    run: int


class Attempt(NamedTuple):
    """One attempt that an executor has started and now holds."""

    key: AttemptKey
    attempt: int
    max_attempts: int
    task_type: str
    task_data: JsonObject
    timeout_seconds: float
    retry: RetryPolicy
    lateness_seconds: float
    """How long after the job was due the attempt was started, by the database's clock."""
    lease_seconds: float
    """What its lease still lasted at the start."""
    blocks_others: bool
    """Others may wait for its end: it holds a concurrency key, or one of a queue's few places."""
    traceparent: str | None = None


@dataclass(slots=True, kw_only=True)
class Ending:
    """What all endings of an attempt have in common. `duration_seconds` and `finished` are monotonic, this host's.

    Not frozen: that would set each field by a call, which a quick job would feel.
    """

    key: AttemptKey
    duration_seconds: float
    finished: float
    logs: tuple[str, ...] = ()
    lets_others_begin: bool = False


@dataclass(slots=True, kw_only=True)
class Completed(Ending):
    """The task returned; `result` is JSON text."""

    result: str | None


@dataclass(slots=True, kw_only=True)
class Failed(Ending):
    """The attempt failed; `retry_in` seconds the next one is due, or None when there shall be none."""

    status: ExecutionStatus
    error: JsonObject
    retry_in: float | None


Outcome: TypeAlias = Completed | Failed
