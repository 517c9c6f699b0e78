"""What clients see of schedules."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import Field

from scheduler.api.fields import Output, UtcTime, example
from scheduler.api.inputs import TASK_EXAMPLE
from scheduler.api.job_outputs import RetryOut, TaskOut
from scheduler.api.pagination import PAGINATION_EXAMPLE, Pagination
from scheduler.domain.recurrence import Recurrence, read_rule
from scheduler.domain.schedule import Misfire, Overlap, Schedule

_EXAMPLE: Final = {
    "id": 3,
    "name": "morning mail",
    "cron": "30 7 * * MON-FRI",
    "description": "At 07:30, Monday through Friday",
    "timezone": "Europe/Berlin",
    "task": TASK_EXAMPLE,
    "enabled": True,
    "next_run_at": "2026-02-19T06:30:00Z",
    "starts_at": None,
    "ends_at": None,
    "misfire": "run_once",
    "overlap": "allow",
    "jitter_seconds": 0.0,
    "queue": "default",
    "priority": 5,
    "max_attempts": 3,
    "timeout_seconds": 30.0,
    "retry": {"backoff": "exponential", "delay_seconds": 5.0, "max_delay_seconds": 3600.0, "jitter": True},
    "concurrency_key": None,
    "created_at": "2026-02-18T16:20:31.105822Z",
    "updated_at": "2026-02-18T16:20:31.105822Z",
    "owner_id": 1,
}


class ScheduleOut(Output):
    """A schedule as it stands."""

    model_config = example(_EXAMPLE)

    id: int
    name: str
    cron: str
    description: Annotated[str, Field(description="`cron` in English.")]
    timezone: str
    task: TaskOut
    enabled: bool
    next_run_at: Annotated[UtcTime | None, Field(description="Null when it is paused, or over.")]
    starts_at: UtcTime | None
    ends_at: UtcTime | None
    misfire: Misfire
    overlap: Overlap
    jitter_seconds: float
    queue: str
    priority: int
    max_attempts: int
    timeout_seconds: float
    retry: RetryOut
    concurrency_key: str | None
    created_at: UtcTime
    updated_at: UtcTime
    owner_id: int

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        timing, job = schedule.timing, schedule.job
        return cls(
            id=schedule.id,
            name=job.name or "",
            cron=timing.cron,
            description=read_rule(timing.cron).describe(),
            timezone=timing.timezone,
            task=TaskOut(type=job.task_type, data=job.task_data),
            enabled=schedule.enabled,
            next_run_at=next(schedule.upcoming(), None),
            starts_at=timing.starts_at,
            ends_at=timing.ends_at,
            misfire=timing.misfire,
            overlap=timing.overlap,
            jitter_seconds=timing.jitter_seconds,
            queue=job.queue,
            priority=job.priority,
            max_attempts=job.max_attempts,
            timeout_seconds=job.timeout_seconds,
            retry=RetryOut.model_validate(job.retry, from_attributes=True),
            concurrency_key=job.concurrency_key,
            created_at=schedule.created_at,
            updated_at=schedule.updated_at,
            owner_id=schedule.owner_id,
        )


class SchedulesOut(Output):
    """A page of schedules."""

    model_config = example({"schedules": [_EXAMPLE], "pagination": PAGINATION_EXAMPLE})

    schedules: list[ScheduleOut]
    pagination: Pagination


class RunsOut(Output):
    """When a schedule runs next; fewer times than were asked for when it is over before, none while it is paused."""

    model_config = example(
        {
            "description": "At 02:30",
            "timezone": "Europe/Berlin",
            "next": ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z"],
            "next_local": ["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00"],
        }
    )

    description: Annotated[str, Field(description="The expression in English.")]
    timezone: str
    next: list[UtcTime]
    next_local: Annotated[list[str], Field(description="The same times, as the clocks of the zone show them.")]

    @classmethod
    def of(cls, recurrence: Recurrence, runs: Iterable[datetime], count: int) -> Self:
        times = [*islice(runs, count)]
        return cls(
            description=recurrence.rule.describe(),
            timezone=recurrence.zone.key,
            next=times,
            next_local=_local(times, recurrence.zone),
        )


def _local(times: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    return [at.astimezone(zone).isoformat() for at in times]
