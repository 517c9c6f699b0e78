"""`scheduler jobs`: create, list, show, cancel, retry and follow jobs through the REST API."""

import sys
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, cast

import click

from scheduler.cli import follow, job_views
from scheduler.cli.client import Api, ApiGroup, id_of, rows_of
from scheduler.cli.options import ID, calls_api, data_option, filter_options
from scheduler.cli.terminal import plain, print_json
from scheduler.cli.transfer import export, import_
from scheduler.client import Refused, Unauthenticated
from scheduler.client.jobs import fresh_key
from scheduler.domain.job import JsonObject, JsonValue
from scheduler.domain.states import JobStatus

_INTERRUPTED: Final = 130
_TAIL_BEGINS_WITH: Final = 10


@click.group(cls=ApiGroup)
def jobs() -> None:
    """Create, list, watch, cancel, retry, export and import jobs, through the REST API.

    Credentials are SCHEDULER_TOKEN, or those of `scheduler login`, or the key that `scheduler up` keeps in its data
    folder.

    \b
    Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 not found, 4 no good credentials,
    5 the API cannot be reached, 130 interrupted.
    """


@jobs.command()
@click.argument("task_type", metavar="TYPE")
@data_option
@click.option("--at", "scheduled_at", metavar="RFC3339", help="When to run, such as 2026-02-19T10:00:00Z; else now.")
@click.option("--in", "delay_seconds", type=float, metavar="SECONDS", help="In place of --at.")
@click.option("--name")
@click.option("--queue")
@click.option("--priority", type=int, help="1 (first) to 9 (last).")
@click.option("--max-attempts", type=int)
@click.option("--timeout", "timeout_seconds", type=float, metavar="SECONDS", help="Of one attempt.")
@click.option("--unique-key", help="While an unfinished job bears it, that one is the answer.")
@click.option("--concurrency-key", help="At most one job of a key runs at a time.")
@click.option("--wait", is_flag=True, help="Follow it until it has ended; exit 0 when completed, else 1.")
@calls_api
def create(
    api: Api, *, task_type: str, data: JsonObject, wait: bool, as_json: bool, **options: str | float | None
) -> None:
    """Create a job of TYPE (`GET /api/task-types` lists them)."""
    given: JsonObject = {name: value for name, value in options.items() if value is not None}
    job, is_new = _posted(api, {"task": {"type": task_type, "data": data}, **given})
    if as_json and not wait:
        return print_json(job)
    if not as_json:
        click.echo(job_views.created(job, is_new=is_new))
    return _follow_one(api, id_of(job), as_json=as_json) if wait else None


def _posted(api: Api, body: JsonObject) -> tuple[JsonObject, bool]:
    status, job = api.post("/api/job", body, key=fresh_key(None))
    return job, status == HTTPStatus.CREATED


@jobs.command("list")
@filter_options
@click.option("--limit", type=int, default=20, show_default=True, help="200 at most.")
@calls_api
def list_(api: Api, *, as_json: bool, status: tuple[str, ...], task_type: str | None, **filters: str | int) -> None:
    """List jobs, newest first."""
    page = api.get("/api/jobs", {"status": status, "taskType": task_type, **filters})
    if as_json:
        return print_json(page)
    found = rows_of(page, "jobs")
    click.echo(job_views.listed(found))
    total = cast("JsonObject", page.get("pagination") or {}).get("total")
    if total != len(found):
        click.echo(f"{len(found)} of {plain(total)}", err=True)
    return None


@jobs.command()
@click.argument("job_id", metavar="ID", type=ID)
@calls_api
def show(api: Api, *, job_id: int, as_json: bool) -> None:
    """Show a job and its latest attempts."""
    job = api.get(f"/api/jobs/{job_id}")
    attempts = rows_of(api.get(f"/api/jobs/{job_id}/executions"), "executions")
    if as_json:
        return print_json({**job, "executions": cast("list[JsonValue]", attempts)})
    click.echo(job_views.shown(job, attempts))
    return None


@jobs.command()
@click.argument("job_ids", metavar="ID...", type=ID, nargs=-1, required=True)
@calls_api
def cancel(api: Api, *, job_ids: tuple[int, ...], as_json: bool) -> None:
    """Cancel jobs that have not ended; a running task is told to stop."""
    _for_each(api, "cancel", job_ids, as_json=as_json)


@jobs.command()
@click.argument("job_ids", metavar="ID...", type=ID, nargs=-1, required=True)
@calls_api
def retry(api: Api, *, job_ids: tuple[int, ...], as_json: bool) -> None:
    """Send failed or cancelled jobs round again, due now."""
    _for_each(api, "retry", job_ids, as_json=as_json)


def _for_each(api: Api, action: str, job_ids: Iterable[int], *, as_json: bool) -> None:
    """Do it to every job that can be reached; exit code 1 in the end when one was refused."""
    was_refused = False
    for job_id in dict.fromkeys(job_ids):
        try:
            _, job = api.post(f"/api/{action}/{job_id}", {})
        except Unauthenticated:
            raise
        except Refused as refused:
            click.echo(f"scheduler: job {job_id}: {plain(refused.detail)}", err=True)
            was_refused = True
        else:
            print_json(job) if as_json else click.echo(f"job {job_id} is {plain(job.get('status'))}")
    if was_refused:
        sys.exit(1)


@jobs.command()
@click.option("--job", "job_id", type=ID, help="Follow this one until it has ended; exit 0 when completed, else 1.")
@calls_api
def tail(api: Api, *, job_id: int | None, as_json: bool) -> None:
    """Follow new and changing jobs until Ctrl-C, looking each second."""
    if job_id is not None:
        return _follow_one(api, job_id, as_json=as_json)
    try:
        for job in follow.for_ever(api, first=_TAIL_BEGINS_WITH):
            _print_change(job, as_json=as_json)
    except KeyboardInterrupt:
        return None


def _follow_one(api: Api, job_id: int, *, as_json: bool) -> None:
    status: JsonValue = None
    try:
        for job in follow.until_ended(api, job_id):
            _print_change(job, as_json=as_json)
            status = job.get("status")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    sys.exit(0 if status == JobStatus.COMPLETED else 1)


def _print_change(job: JsonObject, *, as_json: bool) -> None:
    if as_json:
        return print_json(job)
    return click.echo(job_views.changed(job))


jobs.add_command(export)
jobs.add_command(import_)
