"""What many commands have in common: their options, and how they show what they found."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar, cast

import click

from scheduler.cli.client import url_option
from scheduler.cli.terminal import moment, plain, print_json, short, table
from scheduler.client.models import Model
from scheduler.domain.job import JsonObject, JsonValue
from scheduler.domain.states import JobStatus

Command = TypeVar("Command", bound=Callable[..., None])

ID: Final = click.IntRange(min=1)
_WIDEST: Final = 60


def calls_api(command: Command) -> Command:
    """Give a command the options that all have: `api` and `as_json`."""
    with_json = click.option("--json", "as_json", is_flag=True, help="JSON for machines, one document a line.")(command)
    return url_option(with_json)


def read_data(_context: click.Context, _option: click.Parameter, source: str) -> JsonObject:
    """A JSON object, given as it is, as @FILE, or as - for stdin."""
    try:
        data: object = json.loads(_text_of(source))
    except OSError as error:
        raise click.BadParameter(f"{source[1:]!r} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"This is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise click.BadParameter("A task's data is a JSON object, such as '{}'.")
    return cast("JsonObject", data)


def _text_of(source: str) -> str | bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    return Path(source[1:]).read_bytes() if source.startswith("@") else source


data_option: Final = click.option(
    "--data", default="{}", callback=read_data, help="The task's data: JSON, @FILE, or - for stdin."
)


def filter_options(command: Command) -> Command:
    """Give a command the filters of a list of jobs: `status`, `task_type`, `queue`, `search`."""
    statuses = click.Choice([status.value for status in JobStatus])
    for option in (
        click.option("--search", help="Text in name, description or task."),
        click.option("--queue"),
        click.option("--type", "task_type", metavar="TYPE"),
        click.option("--status", multiple=True, type=statuses, help="May repeat."),
    ):
        command = option(command)
    return command


def present(found: Model, line: str, *, as_json: bool) -> None:
    """One thing: its document for machines, else a line about it."""
    print_json(document_of(found)) if as_json else click.echo(line)


def present_all(found: Iterable[Model], columns: Mapping[str, str], *, as_json: bool) -> None:
    """Many things: a document a line for machines, else a table of these fields (`a.b` is b of a) under these heads."""
    rows = [document_of(each) for each in found]
    if as_json:
        for row in rows:
            print_json(row)
    else:
        click.echo(table([*columns], [[_cell(row, field) for field in columns.values()] for row in rows]))


def document_of(found: Model) -> JsonObject:
    """As the API has it."""
    return found.model_dump(mode="json")


def _cell(row: JsonObject, field: str) -> str:
    value: JsonValue = row
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return moment(value) if field.endswith("_at") else short(plain(value), _WIDEST)


def local(at: datetime | None) -> str:
    """A time as the API writes it, to the second."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else "-"
