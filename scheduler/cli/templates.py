"""`scheduler templates`: tasks to make jobs of, through the REST API."""

import json
from typing import Final, cast

import click

from scheduler.cli.client import Api, ApiGroup
from scheduler.cli.options import ID, calls_api, data_option, local, present, present_all
from scheduler.cli.terminal import print_json
from scheduler.domain.job import JsonObject, JsonValue

_COLUMNS: Final = {"ID": "id", "NAME": "name", "TYPE": "task.type", "DATA": "task.data", "DEFAULTS": "defaults"}


@click.group(cls=ApiGroup)
def templates() -> None:
    """Create, list, use and remove templates, through the REST API."""


@templates.command()
@click.argument("name")
@click.argument("task_type", metavar="TYPE")
@data_option
@click.option("--description")
@calls_api
def create(api: Api, *, name: str, task_type: str, data: JsonObject, description: str | None, as_json: bool) -> None:
    """Create a template NAME of jobs of TYPE; strings in its data may hold {{ name }} placeholders."""
    template = api.templates.create(name, task_type, data, description=description)
    present(template, f"template {template.id} created", as_json=as_json)


@templates.command("list")
@calls_api
def list_(api: Api, *, as_json: bool) -> None:
    """List templates, newest first."""
    present_all(api.templates.list(), _COLUMNS, as_json=as_json)


def _read_parameters(_context: click.Context, _option: click.Parameter, pairs: tuple[str, ...]) -> JsonObject:
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise click.BadParameter(f"{wrong[0]!r} is not name=value.")
    return {name: _value(text) for name, _, text in (pair.partition("=") for pair in pairs)}


def _value(text: str) -> JsonValue:
    """JSON where it is some, else the text itself."""
    try:
        return cast("JsonValue", json.loads(text))
    except (ValueError, RecursionError):
        return text


@templates.command()
@click.argument("template_id", metavar="ID", type=ID)
@click.option("-p", "--parameter", "parameters", multiple=True, callback=_read_parameters, metavar="NAME=VALUE")
@click.option("--at", "scheduled_at", metavar="RFC3339", help="When to run; else now.")
@calls_api
def use(api: Api, *, template_id: int, parameters: JsonObject, scheduled_at: str | None, as_json: bool) -> None:
    """Create a job from a template; a VALUE that is JSON is taken as such."""
    job = api.templates.use(template_id, parameters, scheduled_at=scheduled_at)
    present(job, f"job {job.id} created: {job.status}, due {local(job.next_run_at)}", as_json=as_json)


@templates.command()
@click.argument("template_id", metavar="ID", type=ID)
@calls_api
def delete(api: Api, *, template_id: int, as_json: bool) -> None:
    """Remove a template; the jobs that were made of it stay."""
    api.templates.delete(template_id)
    print_json({"deleted": template_id}) if as_json else click.echo(f"template {template_id} is gone")
