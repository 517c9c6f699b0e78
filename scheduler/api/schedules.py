"""Schedules: jobs that recur."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.audited import Audit
from scheduler.api.exchange import traceparent
from scheduler.api.identity import current_caller
from scheduler.api.inputs import NothingIn
from scheduler.api.intake import count_created, wake_pickers, wake_pickers_for
from scheduler.api.job_outputs import JobOut
from scheduler.api.pagination import Pagination
from scheduler.api.queries import PageQuery
from scheduler.api.resource import ById, Resource, answer, nothing
from scheduler.api.schedule_inputs import NextQuery, PreviewIn, ScheduleChangeIn, ScheduleIn
from scheduler.api.schedule_outputs import RunsOut, ScheduleOut, SchedulesOut
from scheduler.api.services import connection, services
from scheduler.domain.recurrence import Recurrence, read_rule, read_zone
from scheduler.domain.schedule import NewSchedule
from scheduler.store.reads import get_schedule, list_schedules
from scheduler.store.schedules import change_schedule, create_schedule, delete_schedule, trigger_schedule

schedules: Final = Resource(
    "schedules", "Jobs that recur, at times that an expression names in a time zone.", kind="schedule"
)


@schedules.post("/api/schedules", Access.WRITE, {201: ScheduleOut}, problems=(503,), creates=True)
def add_schedule(body: ScheduleIn) -> Response:
    """Create a schedule.

    Each occurrence makes one job. Across a change of clocks a daily 02:30 runs once every day, and an hourly
    expression every real hour.
    """
    new = body.new_schedule()
    services().registry.validate(new.job.task_type, new.job.task_data)
    with connection() as conn:
        schedule = create_schedule(conn, current_caller(), new)
    wake_pickers()
    return answer(ScheduleOut.of(schedule), 201, Location=f"/api/schedules/{schedule.id}")


@schedules.get("/api/schedules", Access.READ, {200: SchedulesOut}, problems=(422, 503))
def find_schedules(query: PageQuery) -> Response:
    """List schedules, newest first."""
    with connection() as conn:
        page = list_schedules(conn, current_caller(), query.page_request())
    rows = [ScheduleOut.of(schedule) for schedule in page.items]
    return answer(SchedulesOut(schedules=rows, pagination=Pagination.of(page)))


@schedules.get("/api/schedules/<id:id>", Access.READ, {200: ScheduleOut}, problems=(404, 503))
def show_schedule(path: ById) -> Response:
    """Show a schedule."""
    with connection() as conn:
        schedule = get_schedule(conn, current_caller(), path.id)
    return answer(ScheduleOut.of(schedule))


@schedules.patch("/api/schedules/<id:id>", Access.WRITE, {200: ScheduleOut}, problems=(404, 503))
def edit_schedule(path: ById, body: ScheduleChangeIn) -> Response:
    """Change a schedule from now on.

    Jobs that were made ahead of their time are made again as the schedule has it then. Others stay as they are.
    """

    def change(old: NewSchedule) -> NewSchedule:
        new = body.changed(old)
        services().registry.validate(new.job.task_type, new.job.task_data)
        return new

    with connection() as conn:
        schedule = change_schedule(conn, current_caller(), path.id, change)
    wake_pickers()
    return answer(ScheduleOut.of(schedule))


@schedules.delete("/api/schedules/<id:id>", Access.WRITE, {204: None}, problems=(404, 503))
def remove_schedule(path: ById) -> Response:
    """Remove a schedule, and its jobs that have not started.

    The others go on, and keep its id.
    """
    with connection() as conn:
        delete_schedule(conn, current_caller(), path.id)
    return nothing()


@schedules.post("/api/schedules/<id:id>/pause", Access.WRITE, {200: ScheduleOut}, problems=(404, 503))
def pause_schedule(path: ById, body: NothingIn) -> Response:  # noqa: ARG001 - takes no options, and says so
    """Pause a schedule.

    Its jobs that have not started are removed. Occurrences that fall into the pause are skipped.
    """
    return _switch(path, enabled=False)


@schedules.post("/api/schedules/<id:id>/resume", Access.WRITE, {200: ScheduleOut}, problems=(404, 503))
def resume_schedule(path: ById, body: NothingIn) -> Response:  # noqa: ARG001 - takes no options, and says so
    """Resume a schedule, with its next occurrence from now."""
    return _switch(path, enabled=True)


@schedules.post("/api/schedules/<id:id>/trigger", Access.WRITE, {201: JobOut}, problems=(404, 503), creates=True)
def run_schedule(path: ById, body: NothingIn) -> Response:  # noqa: ARG001 - takes no options, and says so
    """Run a schedule once now.

    Beside its occurrences: also while it is paused, and whatever its `overlap` says.
    """
    with connection() as conn:
        job = trigger_schedule(conn, current_caller(), path.id, traceparent())
    count_created(1)
    wake_pickers_for(job)
    return answer(JobOut.of(job), 201, Location=f"/api/jobs/{job.id}")


@schedules.get("/api/schedules/<id:id>/next", Access.READ, {200: RunsOut}, problems=(404, 422, 503))
def next_runs(path: ById, query: NextQuery) -> Response:
    """Show when a schedule runs next."""
    with connection() as conn:
        schedule = get_schedule(conn, current_caller(), path.id)
    recurrence = schedule.timing.recurrence(schedule.created_at)
    return answer(RunsOut.of(recurrence, schedule.upcoming(), query.count))


@schedules.post("/api/schedules/preview", Access.READ, {200: RunsOut}, audit=Audit.NOT)
def preview_schedule(body: PreviewIn) -> Response:
    """Show when an expression would run, without saving anything."""
    now = datetime.now(UTC)
    recurrence = Recurrence(read_rule(body.cron), read_zone(body.timezone), created_at=now)
    return answer(RunsOut.of(recurrence, recurrence.occurrences(now), body.count))


def _switch(path: ById, *, enabled: bool) -> Response:
    with connection() as conn:
        schedule = change_schedule(conn, current_caller(), path.id, lambda old: replace(old, enabled=enabled))
    wake_pickers()
    return answer(ScheduleOut.of(schedule))
