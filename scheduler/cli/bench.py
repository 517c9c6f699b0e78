"""`scheduler bench`: how many jobs a second a deployment does, and how late jobs start, through its public API.

All times are by the database's clock: they are in the jobs themselves, but for those of the API's answers.
"""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import click

from scheduler import __version__
from scheduler.cli.bench_load import Load
from scheduler.cli.client import Api, ApiCommand, id_of, url_option
from scheduler.cli.machine import commit, machine
from scheduler.cli.terminal import plain, print_json, table
from scheduler.domain.job import JsonObject, JsonValue

_WARM_UP_JOBS: Final = 200
_INTAKE_PER_SECOND: Final = 4_000
"""A cautious guess, from which follows how far ahead jobs must be due to be all in by then."""
_AHEAD: Final = timedelta(seconds=3)
_APART_SECONDS: Final = 0.03
"""Between jobs that shall each find an idle system."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to put jobs in, how many unless somebody says otherwise, and what each is late against."""

    put: Callable[[Load, int], None]
    jobs: int
    since: Callable[[Load], Callable[[JsonObject], datetime]]


def _due_at_once(load: Load, count: int) -> None:
    load.put(count, load.clock() + _AHEAD + timedelta(seconds=count / _INTAKE_PER_SECOND))


def _immediately(load: Load, count: int) -> None:
    for _ in range(count):
        load.put_one()
        time.sleep(_APART_SECONDS)


def _ahead(load: Load, count: int) -> None:
    for _ in range(count):
        load.put_one(delay_seconds=_AHEAD.total_seconds())
        time.sleep(_APART_SECONDS)


def _scheduled(_: Load) -> Callable[[JsonObject], datetime]:
    return lambda job: _moment(job["scheduled_at"])


def _answered(load: Load) -> Callable[[JsonObject], datetime]:
    answered_at = load.answered_at()
    return lambda job: answered_at[id_of(job)]


MODES: Final = {
    "throughput": Mode(_due_at_once, 20_000, _scheduled),
    "burst": Mode(_due_at_once, 2_000, _scheduled),
    "immediate": Mode(_immediately, 100, _answered),
    "ahead": Mode(_ahead, 100, _scheduled),
}


@click.command(cls=ApiCommand)
@click.option("--mode", type=click.Choice([*MODES]), default="throughput", show_default=True)
@click.option("--jobs", "wanted", type=click.IntRange(1, 1_000_000), help="How many; each mode has its own default.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of a table.")
@click.option("--keep", is_flag=True, help="Leave the jobs there: quicker, where the database is thrown away anyway.")
@url_option
def bench(api: Api, *, mode: str, wanted: int | None, as_json: bool, keep: bool) -> None:
    """Measure a deployment through its API. Run it on an otherwise idle one.

    \b
    throughput  jobs that do nothing, all due at one moment once all are in: from the first start to the last end
    burst       the same with few: how late the last one starts
    immediate   one after the other, due at once: from the answer to the start
    ahead       one after the other, each due 3 s after it is created

    They go into the queue `bench` and are removed afterwards, one by one. Exit code 1 when not each job completed
    exactly once.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that the jobs are removed
    chosen = MODES[mode]
    count = wanted or chosen.jobs
    with Load.on(api, keep=keep) as warm_up:
        _due_at_once(warm_up, _WARM_UP_JOBS)
        warm_up.wait()
    with Load.on(api, keep=keep) as load:
        chosen.put(load, count)
        load.wait()
        jobs = load.read()
    started = [job for job in jobs if job["started_at"]]
    since = chosen.since(load)
    late = [_milliseconds_late(job, since(job)) for job in started]
    measured: JsonObject = {**(_rate(started) if mode == "throughput" else {}), "lateness_ms": _spread(late)}
    is_exact = len(jobs) == count and all(job["status"] == "completed" and job["attempt"] == 1 for job in jobs)
    head: JsonObject = {"mode": mode, "jobs": count, "each_exactly_once": is_exact}
    result = head | measured | {"scheduler": __version__, "commit": commit()} | machine()
    print_json(result) if as_json else click.echo(_as_table(result))
    if not is_exact:
        sys.exit(1)


def _rate(started: list[JsonObject]) -> JsonObject:
    starts, ends = ([_moment(job[name]) for job in started] for name in ("started_at", "completed_at"))
    seconds = (max(ends) - min(starts)).total_seconds()
    return {"jobs_per_second": round(len(started) / seconds, 1), "seconds": round(seconds, 6)}


def _milliseconds_late(job: JsonObject, since: datetime) -> float:
    """A job that has started before its answer was read is not late."""
    return max(0.0, (_moment(job["started_at"]) - since).total_seconds() * 1000)


def _spread(late: list[float]) -> JsonObject:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(sorted(late)[round(share * (len(late) - 1))], 1) for name, share in shares.items()}


def _moment(value: JsonValue) -> datetime:
    return datetime.fromisoformat(str(value))


def _as_table(result: JsonObject) -> str:
    rows: list[tuple[str, str]] = []
    for name, value in result.items():
        nested: dict[str, JsonValue] = value if isinstance(value, dict) else {"": value}
        rows += [(f"{name} {inner}".strip().replace("_", " "), plain(each)) for inner, each in nested.items()]
    return table(rows[0], rows[1:])
