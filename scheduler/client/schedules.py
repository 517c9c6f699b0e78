"""Schedules: jobs that recur."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from scheduler.client.calls import Call, Page, given, nothing
from scheduler.client.jobs import LONGEST_PAGE, Options, fresh_key
from scheduler.client.models import Job, Runs, Schedule, one, page
from scheduler.client.noun import Noun, S_co, endpoint, walk
from scheduler.domain.job import JsonObject, JsonValue


class ScheduleOptions(Options, total=False):
    """What a schedule may bear beside its name, its expression and its task."""

    timezone: str
    enabled: bool
    starts_at: datetime | str
    ends_at: datetime | str
    misfire: str
    overlap: str
    jitter_seconds: float


class ScheduleChanges(TypedDict, total=False):
    """What to change of a schedule; None clears an option."""

    name: str
    cron: str
    timezone: str
    task: Mapping[str, JsonValue]
    enabled: bool
    starts_at: datetime | str | None
    ends_at: datetime | str | None
    misfire: str
    overlap: str
    jitter_seconds: float | None
    queue: str | None
    priority: int | None
    max_attempts: int | None
    timeout_seconds: float | None
    retry: Mapping[str, JsonValue] | None
    concurrency_key: str | None


def _page(size: int) -> Call[Page[Schedule]]:
    return Call("GET", "/api/schedules", page(Schedule, "schedules"), query={"limit": size})


class Schedules(Noun[S_co]):
    """Jobs that recur, at times that an expression names in a time zone."""

    @endpoint
    @staticmethod
    def create(
        name: str,
        cron: str,
        task_type: str,
        data: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Call[Schedule]:
        """Create a schedule."""
        task: JsonObject = {"type": task_type, "data": dict(data or {})}
        body: JsonObject = {"name": name, "cron": cron, "task": task, **given(**options)}
        return Call("POST", "/api/schedules", one(Schedule), body=body, key=fresh_key(idempotency_key))

    @endpoint
    @staticmethod
    def get(schedule_id: int) -> Call[Schedule]:
        """A schedule as it stands."""
        return Call("GET", f"/api/schedules/{schedule_id}", one(Schedule))

    @walk
    @staticmethod
    def list() -> Call[Page[Schedule]]:
        """Every schedule, newest first."""
        return _page(LONGEST_PAGE)

    @endpoint
    @staticmethod
    def page(*, size: int = 20) -> Call[Page[Schedule]]:
        """The first page of that list, and how many there are in all."""
        return _page(size)

    @endpoint
    @staticmethod
    def edit(schedule_id: int, **changes: Unpack[ScheduleChanges]) -> Call[Schedule]:
        """Change a schedule from now on."""
        cleared: JsonObject = {name: None for name, value in changes.items() if value is None}
        return Call("PATCH", f"/api/schedules/{schedule_id}", one(Schedule), body={**given(**changes), **cleared})

    @endpoint
    @staticmethod
    def delete(schedule_id: int) -> Call[None]:
        """Remove a schedule, and its jobs that have not started."""
        return Call("DELETE", f"/api/schedules/{schedule_id}", nothing)

    @endpoint
    @staticmethod
    def pause(schedule_id: int) -> Call[Schedule]:
        """Pause a schedule: occurrences that fall into the pause are skipped."""
        return Call("POST", f"/api/schedules/{schedule_id}/pause", one(Schedule), again=True)

    @endpoint
    @staticmethod
    def resume(schedule_id: int) -> Call[Schedule]:
        """Resume a schedule, with its next occurrence from now."""
        return Call("POST", f"/api/schedules/{schedule_id}/resume", one(Schedule), again=True)

    @endpoint
    @staticmethod
    def trigger(schedule_id: int, *, idempotency_key: str | None = None) -> Call[Job]:
        """Run a schedule once now."""
        return Call("POST", f"/api/schedules/{schedule_id}/trigger", one(Job), key=fresh_key(idempotency_key))

    @endpoint
    @staticmethod
    def next(schedule_id: int, *, count: int = 5) -> Call[Runs]:
        """When a schedule runs next."""
        return Call("GET", f"/api/schedules/{schedule_id}/next", one(Runs), query={"count": count})

    @endpoint
    @staticmethod
    def preview(cron: str, *, timezone: str = "UTC", count: int = 5) -> Call[Runs]:
        """When an expression would run, without saving anything."""
        body: JsonObject = {"cron": cron, "timezone": timezone, "count": count}
        return Call("POST", "/api/schedules/preview", one(Runs), body=body, again=True)
