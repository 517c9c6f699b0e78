"""Very many jobs: what lists, statistics and the export take among them, and what they cost the jobs that come."""

import time
from collections import defaultdict
from statistics import median
from typing import Any, Final

import click

from tests.bench.lists import fill, measure
from tests.bench.ours import bench, running
from tests.bench.pages import pages
from tests.bench.stage import Place, Stage

_TURNS: Final = 3
_JOBS: Final = 10_000
_AHEAD: Final = 50


def large(stage: Stage, jobs: int) -> dict[str, Any]:
    """`jobs` of a year, a tenth of them yet to come; throughput and lateness there, in turn with an empty table."""
    with stage.place() as full, stage.place() as empty:
        with running(full, "api") as cluster:
            began = time.monotonic()
            fill(full.database_url, jobs)
            click.echo(f"{jobs:,} jobs after {time.monotonic() - began:,.0f} s", err=True)
            url = f"http://127.0.0.1:{cluster.settings['api_port']}"
            figures = measure(url) | pages(url, full.database_url)
        click.echo(f"lists among them: {figures}", err=True)
        return figures | _in_turn({"full": full, "empty": empty})


def _in_turn(places: dict[str, Place]) -> dict[str, Any]:
    """Medians of the turns, and how the first place's compare with the second's."""
    turns: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in places}
    for _ in range(_TURNS):
        for name, place in places.items():
            for what, value in _engine(place).items():
                turns[name][what].append(value)
    medians = {name: {what: median(values) for what, values in each.items()} for name, each in turns.items()}
    full, empty = medians.values()
    figures = {f"{name}: {what}": value for name, each in medians.items() for what, value in each.items()}
    return figures | {f"full / empty: {what}, %": full[what] / empty[what] * 100 for what in full}


def _engine(place: Place) -> dict[str, float]:
    """The processes of one place run, and no others: all share one Redis."""
    with running(place, "api", "picker", "executor") as cluster:
        bench(cluster, "throughput", _JOBS // 2)  # new connections have statements to plan
        throughput = bench(cluster, "throughput", _JOBS)
        ahead, immediate = (bench(cluster, mode, _AHEAD)["lateness_ms"] for mode in ("ahead", "immediate"))
    return {
        "jobs/s": throughput["jobs_per_second"],
        "ahead p50 ms": ahead["p50"],
        "ahead p99 ms": ahead["p99"],
        "immediate p50 ms": immediate["p50"],
    }
