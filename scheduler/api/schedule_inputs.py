"""What clients send about a schedule."""

from collections.abc import Callable
from typing import Annotated, Any, Final, LiteralString

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from scheduler.api.fields import DAY_SECONDS, Flag, Input, Key, Moment, QueueName, Seconds, example
from scheduler.api.inputs import TASK_EXAMPLE, Attempts, OptionsIn, RetryIn, StrictPriority, TaskIn, Timeout
from scheduler.api.queries import Query
from scheduler.domain.cron import MAX_LENGTH
from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.job import NewJob
from scheduler.domain.recurrence import read_rule, read_zone
from scheduler.domain.schedule import Misfire, NewSchedule, Overlap, Timing

MAX_RUNS: Final = 100
_RUNS: Final = 5


def _readable(read: Callable[[str], object], fault: LiteralString) -> AfterValidator:
    """Text that `read` accepts, else `fault`; white space in it is made uniform."""

    def check(text: str) -> str:
        try:
            read(text)
        except InvalidInput as refused:
            raise PydanticCustomError(fault, "{why}", {"why": refused.errors[0].msg}) from None
        return " ".join(text.split())

    return AfterValidator(check)


Name = Annotated[str, Field(min_length=1, max_length=200)]
CronText = Annotated[
    str,
    Field(
        max_length=MAX_LENGTH,
        description="Five fields (minute, hour, day of the month, month, day of the week), six with the seconds first, "
        "one of @hourly, @daily, @weekly, @monthly, @yearly, or @every and a duration: @every 90s, @every 1h30m.",
    ),
    _readable(read_rule, "cron_invalid"),
]
ZoneName = Annotated[
    str,
    Field(max_length=MAX_LENGTH, description="Whose clocks `cron` means, as IANA names it."),
    _readable(read_zone, "timezone_unknown"),
]
StartsAt = Annotated[Moment, Field(description="No run before it; an @every counts from it.")]
EndsAt = Annotated[Moment, Field(description="No run after it.")]
Jitter = Annotated[Seconds, Field(le=DAY_SECONDS, description="Each run starts later by up to this, at random.")]
MisfirePolicy = Annotated[
    Misfire,
    Field(description="Of runs that were missed while no picker ran: one job for all, each its own, or none."),
]
OverlapPolicy = Annotated[
    Overlap, Field(description="With skip, a run makes no job while one of the schedule is unfinished.")
]


class ScheduleIn(OptionsIn):
    """A schedule to create."""

    model_config = example(
        {"name": "morning mail", "cron": "30 7 * * MON-FRI", "timezone": "Europe/Berlin", "task": TASK_EXAMPLE}
    )

    name: Name
    cron: CronText
    timezone: ZoneName = "UTC"
    task: TaskIn
    enabled: Flag = True
    starts_at: StartsAt | None = None
    ends_at: EndsAt | None = None
    misfire: MisfirePolicy = Misfire.RUN_ONCE
    overlap: OverlapPolicy = Overlap.ALLOW
    jitter_seconds: Jitter = 0.0

    @field_validator("ends_at")
    @classmethod
    def _ends_after_it_starts(cls, value: Moment | None, info: ValidationInfo) -> Moment | None:
        starts_at = info.data.get("starts_at")
        if value is not None and starts_at is not None and value < starts_at:
            raise PydanticCustomError("ends_too_soon", "Should not be earlier than starts_at, or it never runs.")
        return value

    def new_schedule(self) -> NewSchedule:
        return NewSchedule(
            timing=Timing(
                cron=self.cron,
                timezone=self.timezone,
                starts_at=self.starts_at,
                ends_at=self.ends_at,
                misfire=self.misfire,
                overlap=self.overlap,
                jitter_seconds=self.jitter_seconds,
            ),
            job=NewJob(
                name=self.name,
                task_type=self.task.type,
                task_data=self.task.data,
                queue=self.queue,
                priority=self.priority,
                max_attempts=self.max_attempts,
                timeout_seconds=self.timeout_seconds,
                retry=self.retry.policy(),
                concurrency_key=self.concurrency_key,
            ),
            enabled=self.enabled,
        )


def _left_out() -> Any:
    """The default of a field that may be left out and that no null can be sent for: what is required on creation."""
    return None


class ScheduleChangeIn(Input):
    """What to change of a schedule: a field left out stays, and null is what it is when left out on creation."""

    model_config = example({"cron": "0 8 * * MON-FRI", "ends_at": None})

    name: Name = Field(default_factory=_left_out)
    cron: CronText = Field(default_factory=_left_out)
    timezone: ZoneName | None = None
    task: TaskIn = Field(default_factory=_left_out)
    enabled: Flag | None = None
    starts_at: StartsAt | None = None
    ends_at: EndsAt | None = None
    misfire: MisfirePolicy | None = None
    overlap: OverlapPolicy | None = None
    jitter_seconds: Jitter | None = None
    queue: QueueName | None = None
    priority: StrictPriority | None = None
    max_attempts: Attempts | None = None
    timeout_seconds: Timeout | None = None
    retry: Annotated[RetryIn | None, Field(description="Of it, too, what is left out stays.")] = None
    concurrency_key: Key | None = None

    def changed(self, old: NewSchedule) -> NewSchedule:
        """`old` with the changes made, judged as a whole. Raises InvalidInput."""
        sent = _as_json(self, exclude_unset=True)
        whole: dict[str, Any] = _as_sent(old) | sent
        if self.retry is not None:
            whole["retry"] = _as_sent(old)["retry"] | sent["retry"]
        try:
            body = ScheduleIn.model_validate({name: value for name, value in whole.items() if value is not None})
        except ValidationError as invalid:
            faults = [FieldError(each["loc"], each["msg"], each["type"]) for each in invalid.errors(include_url=False)]
            raise InvalidInput(faults) from None
        return body.new_schedule()


def _as_sent(schedule: NewSchedule) -> dict[str, Any]:
    """The schedule as a client would send it, anew."""
    timing, job = schedule.timing, schedule.job
    body = ScheduleIn.model_construct(
        name=job.name or "",
        cron=timing.cron,
        timezone=timing.timezone,
        task=TaskIn(type=job.task_type, data=job.task_data),
        enabled=schedule.enabled,
        starts_at=timing.starts_at,
        ends_at=timing.ends_at,
        misfire=timing.misfire,
        overlap=timing.overlap,
        jitter_seconds=timing.jitter_seconds,
        queue=job.queue,
        priority=job.priority,
        max_attempts=job.max_attempts,
        timeout_seconds=job.timeout_seconds,
        retry=RetryIn.model_validate(job.retry, from_attributes=True),
        concurrency_key=job.concurrency_key,
    )
    return _as_json(body)


def _as_json(body: Input, *, exclude_unset: bool = False) -> dict[str, Any]:
    """As it was sent. pydantic would warn of each time in it, which it has written rightly."""
    return body.model_dump(mode="json", exclude_unset=exclude_unset, warnings=False)


class PreviewIn(Input):
    """An expression to try."""

    model_config = example({"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 5})

    cron: CronText
    timezone: ZoneName = "UTC"
    count: Annotated[int, Field(strict=True, ge=1, le=MAX_RUNS, description="How many runs to show.")] = _RUNS


class NextQuery(Query):
    """How many runs to show."""

    count: Annotated[int, Field(ge=1, le=MAX_RUNS)] = _RUNS
