"""`scheduler queues`: what waits, and holding it back, through the REST API."""

import re
from typing import Any, Final

import click

from scheduler.cli.client import Api, ApiGroup
from scheduler.cli.options import calls_api, present, present_all
from scheduler.cli.terminal import plain
from scheduler.client import Queue
from scheduler.client.queues import KEEP

_COLUMNS: Final = {
    "NAME": "name",
    "PAUSED": "paused",
    "DUE": "pending_due",
    "LATER": "pending_later",
    "PICKED": "picked",
    "RUNNING": "running",
    "COMPLETED 24H": "completed_24h",
    "FAILED 24H": "failed_24h",
    "MAX RUNNING": "max_running",
    "RATE": "rate_limit",
}


@click.group(cls=ApiGroup)
def queues() -> None:
    """List, pause, resume and limit queues, through the REST API."""


@queues.command("list")
@calls_api
def list_(api: Api, *, as_json: bool) -> None:
    """List queues, and what waits in them."""
    present_all(api.queues.stats(), _COLUMNS, as_json=as_json)


@queues.command()
@click.argument("name")
@calls_api
def pause(api: Api, *, name: str, as_json: bool) -> None:
    """Stop claiming from a queue; what runs goes on."""
    _present(api.queues.pause(name), as_json=as_json)


@queues.command()
@click.argument("name")
@calls_api
def resume(api: Api, *, name: str, as_json: bool) -> None:
    """Start claiming from a queue again."""
    _present(api.queues.resume(name), as_json=as_json)


def _read_most(_context: click.Context, _option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return KEEP
    if text != "none" and not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"{text!r} is neither a number nor none.")
    return None if text == "none" else int(text)


def _read_rate(_context: click.Context, _option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return KEEP
    rate = re.fullmatch(r"(\d{1,9})/(\d{1,9}(?:\.\d{1,3})?)", text, re.ASCII)
    if text != "none" and rate is None:
        raise click.BadParameter(f"{text!r} is neither COUNT/SECONDS, such as 100/60, nor none.")
    return (int(rate[1]), float(rate[2])) if rate else None


@queues.command()
@click.argument("name")
@click.option("--max-running", callback=_read_most, metavar="COUNT|none", help="Jobs at a time, over all executors.")
@click.option("--rate", callback=_read_rate, metavar="COUNT/SECONDS|none", help="Starts in so many seconds.")
@calls_api
def limit(api: Api, *, name: str, max_running: int | None, rate: tuple[int, float] | None, as_json: bool) -> None:
    """Bound a queue; `none` clears a bound, and what is not given stays."""
    if max_running is KEEP and rate is KEEP:
        raise click.UsageError("Give --max-running, --rate, or both.")
    _present(api.queues.limit(name, max_running=max_running, rate=rate), as_json=as_json)


def _present(queue: Queue, *, as_json: bool) -> None:
    rate = queue.rate_limit
    bounds = [
        *(["paused"] if queue.paused else []),
        *([f"{queue.max_running} at a time"] if queue.max_running is not None else []),
        *([f"{rate.count} in {rate.per_seconds:g} s"] if rate else []),
    ]
    present(queue, f"queue {plain(queue.name)}: {', '.join(bounds) or 'no bounds'}", as_json=as_json)
