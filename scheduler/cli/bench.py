"""`scheduler bench`: how many jobs a second a deployment does, and how late jobs start, through its public API.

All times are in the jobs themselves, and so by the database's clock.
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
from scheduler.cli.client import Api, url_option
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
    """A way to put jobs in, and how many unless somebody says otherwise."""

    put: Callable[[Load, int], None]
    jobs: int


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


MODES: Final = {
    "throughput": Mode(_due_at_once, 20_000),
    "burst": Mode(_due_at_once, 2_000),
    "immediate": Mode(_immediately, 100),
    "ahead": Mode(_ahead, 100),
}


@click.command()
@click.option("--mode", type=click.Choice([*MODES]), default="throughput", show_default=True)
@click.option("--jobs", "wanted", type=click.IntRange(1, 1_000_000), help="How many; each mode has its own default.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of a table.")
@url_option
def bench(api: Api, *, mode: str, wanted: int | None, as_json: bool) -> None:
    """Measure a deployment through its API. Run it on an otherwise idle one.

    \b
    throughput  jobs that do nothing, all due at one moment once all are in: from the first start to the last end
    burst       the same with few: how late the last one starts
    immediate   one after the other, due at once: from created to started
    ahead       one after the other, each due 3 s after it is created

    They go into the queue `bench` and are removed afterwards. Exit code 1 when not each job completed exactly once.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that the jobs are removed
    chosen = MODES[mode]
    count = wanted or chosen.jobs
    with Load.on(api) as warm_up:
        _due_at_once(warm_up, _WARM_UP_JOBS)
        warm_up.wait()
    with Load.on(api) as load:
        chosen.put(load, count)
        load.wait()
        jobs = load.read()
    measured = _figures(jobs, has_rate=mode == "throughput")
    is_exact = len(jobs) == count and all(job["status"] == "completed" and job["attempt"] == 1 for job in jobs)
    head: JsonObject = {"mode": mode, "jobs": count, "each_exactly_once": is_exact}
    result = head | measured | {"scheduler": __version__, "commit": commit()} | machine()
    print_json(result) if as_json else click.echo(_as_table(result))
    if not is_exact:
        sys.exit(1)


def _figures(jobs: list[JsonObject], *, has_rate: bool) -> JsonObject:
    """The numbers; a rate only where jobs were there to be done at any moment."""
    done = [job for job in jobs if job["started_at"]]
    starts, dues, ends = (
        [_moment(job[name]) for job in done] for name in ("started_at", "scheduled_at", "completed_at")
    )
    late = sorted((start - due).total_seconds() * 1000 for start, due in zip(starts, dues, strict=True))
    seconds = (max(ends) - min(starts)).total_seconds()
    rate: JsonObject = {"jobs_per_second": round(len(done) / seconds, 1), "seconds": round(seconds, 3)}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    lateness: JsonObject = {name: round(late[round(share * (len(late) - 1))], 1) for name, share in shares.items()}
    return {**(rate if has_rate else {}), "lateness_ms": lateness}


def _moment(value: JsonValue) -> datetime:
    return datetime.fromisoformat(str(value))


def _as_table(result: JsonObject) -> str:
    rows: list[tuple[str, str]] = []
    for name, value in result.items():
        nested: dict[str, JsonValue] = value if isinstance(value, dict) else {"": value}
        rows += [(f"{name} {inner}".strip().replace("_", " "), plain(each)) for inner, each in nested.items()]
    return table(rows[0], rows[1:])
