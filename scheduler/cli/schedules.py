"""`scheduler schedules`: jobs that recur, through the REST API."""

from typing import Final, cast

import click

from scheduler.cli.client import Api, ApiGroup
from scheduler.cli.options import ID, calls_api, data_option, local, present, present_all
from scheduler.cli.terminal import plain, print_json
from scheduler.client import Runs, Schedule
from scheduler.client.schedules import ScheduleOptions
from scheduler.domain.job import JsonObject

_COLUMNS: Final = {
    "ID": "id",
    "ENABLED": "enabled",
    "CRON": "cron",
    "TIME ZONE": "timezone",
    "NEXT RUN": "next_run_at",
    "TYPE": "task.type",
    "NAME": "name",
}


@click.group(cls=ApiGroup)
def schedules() -> None:
    """Create, list, pause, resume, trigger and remove schedules, through the REST API."""


@schedules.command()
@click.argument("name")
@click.argument("cron")
@click.argument("task_type", metavar="TYPE")
@data_option
@click.option("--timezone", help="Such as Europe/Berlin; else UTC.")
@click.option("--queue")
@click.option("--priority", type=int, help="1 (first) to 9 (last).")
@click.option("--misfire", type=click.Choice(["run_once", "run_all", "skip"]), help="After an outage.")
@click.option("--overlap", type=click.Choice(["allow", "skip"]), help="While the last run goes on.")
@calls_api
def create(
    api: Api, *, name: str, cron: str, task_type: str, data: JsonObject, as_json: bool, **options: str | int | None
) -> None:
    """Create a schedule NAME of jobs of TYPE, at the times that CRON names."""
    given = cast("ScheduleOptions", {name: value for name, value in options.items() if value is not None})
    schedule = api.schedules.create(name, cron, task_type, data, **given)
    present(schedule, f"schedule {schedule.id} created: {_standing(schedule)}", as_json=as_json)


@schedules.command("list")
@calls_api
def list_(api: Api, *, as_json: bool) -> None:
    """List schedules, newest first."""
    present_all(api.schedules.list(), _COLUMNS, as_json=as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID", type=ID)
@calls_api
def show(api: Api, *, schedule_id: int, as_json: bool) -> None:
    """Show a schedule and its next runs."""
    schedule = api.schedules.get(schedule_id)
    if as_json:
        return print_json(schedule.model_dump(mode="json"))
    present_all([schedule], _COLUMNS, as_json=False)
    click.echo()
    return _tell(api.schedules.next(schedule_id))


@schedules.command()
@click.argument("schedule_id", metavar="ID", type=ID)
@calls_api
def pause(api: Api, *, schedule_id: int, as_json: bool) -> None:
    """Pause a schedule: occurrences that fall into the pause are skipped."""
    schedule = api.schedules.pause(schedule_id)
    present(schedule, f"schedule {schedule.id} is paused", as_json=as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID", type=ID)
@calls_api
def resume(api: Api, *, schedule_id: int, as_json: bool) -> None:
    """Resume a schedule, with its next occurrence from now."""
    schedule = api.schedules.resume(schedule_id)
    present(schedule, f"schedule {schedule.id} is resumed: {_standing(schedule)}", as_json=as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID", type=ID)
@calls_api
def trigger(api: Api, *, schedule_id: int, as_json: bool) -> None:
    """Run a schedule once now."""
    job = api.schedules.trigger(schedule_id)
    present(job, f"job {job.id} created: {job.status}", as_json=as_json)


@schedules.command()
@click.argument("schedule_id", metavar="ID", type=ID)
@calls_api
def delete(api: Api, *, schedule_id: int, as_json: bool) -> None:
    """Remove a schedule, and its jobs that have not started."""
    api.schedules.delete(schedule_id)
    print_json({"deleted": schedule_id}) if as_json else click.echo(f"schedule {schedule_id} is gone")


@schedules.command()
@click.argument("cron")
@click.option("--timezone", default="UTC", show_default=True)
@click.option("--count", type=click.IntRange(min=1), default=5, show_default=True)
@calls_api
def preview(api: Api, *, cron: str, timezone: str, count: int, as_json: bool) -> None:
    """Show what CRON means and when it would run, without saving anything."""
    runs = api.schedules.preview(cron, timezone=timezone, count=count)
    print_json(runs.model_dump(mode="json")) if as_json else _tell(runs)


def _standing(schedule: Schedule) -> str:
    return f"{plain(schedule.description)}, next {local(schedule.next_run_at)}"


def _tell(runs: Runs) -> None:
    click.echo(f"{plain(runs.description)} ({plain(runs.timezone)})")
    for at in runs.next_local:
        click.echo(f"  {plain(at)}")
