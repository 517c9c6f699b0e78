"""`python -m tests.bench`: this scheduler beside its peers, in turn, on the same servers."""

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from scheduler.cli.machine import commit, machine
from scheduler.cli.terminal import table
from scheduler.domain.schedule import Overlap
from scheduler.embedded import EmbeddedServers
from tests.bench import bare, bare_api, growth, idle, large, others, ours, schedules, waiting
from tests.bench.chart import bars
from tests.bench.stage import Stage

RATE: Final = "jobs/s"
CEILING: Final = "bare psycopg, 2 processes"


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who is measured. `share` of --jobs is what it gets: enough for a deep backlog, without an hour's wait."""

    name: str
    group: str
    share: float
    run: Callable[[Stage, int], dict[str, Any]]
    is_asked_for: bool = False
    """Only when --only names it: it takes long."""


CONTESTANTS: Final = (
    Contestant("scheduler, 1 executor", "ours", 1, ours.throughput(1)),
    Contestant("scheduler, 2 executors", "ours", 1, ours.throughput(2)),
    Contestant("bare psycopg, 1 process", "bare", 1, bare.full_life(1)),
    Contestant(CEILING, "bare", 1, bare.full_life(2)),
    Contestant("PgQueuer", "peers", 1, others.throughput("pgqueuer_peer.py", others.PGQUEUER)),
    Contestant("Dramatiq", "peers", 0.5, others.throughput("dramatiq_peer.py", others.DRAMATIQ)),
    Contestant("Celery", "peers", 0.25, others.throughput("celery_peer.py", others.CELERY)),
    Contestant("Procrastinate", "peers", 0.1, others.throughput("procrastinate_peer.py", others.PROCRASTINATE)),
    Contestant("RQ", "peers", 0.1, others.throughput("rq_peer.py", others.RQ)),
    Contestant("scheduler, lateness", "lateness", 1, ours.lateness),
    Contestant("scheduler, API", "api", 1, ours.api),
    Contestant("bare Flask and psycopg", "api", 1, bare_api.bare_api),
    Contestant("scheduler, growth", "growth", 5, growth.growth, is_asked_for=True),
    Contestant("scheduler, many jobs", "large", 550, large.large, is_asked_for=True),
    Contestant("scheduler, idle", "idle", 1, idle.idle),
    Contestant("1,000 schedules at once", "schedules", 1, schedules.schedules(Overlap.ALLOW)),
    Contestant("1,000 that skip overlaps", "schedules", 1, schedules.schedules(Overlap.SKIP)),
    *(Contestant(f"{slots} api tasks at once", "tasks", 0.5, waiting.api_tasks(slots)) for slots in (50, 100, 200)),
    *(
        Contestant(f"pickers: {pickers}, executors: {executors}", "scaling", 1, ours.throughput(executors, pickers))
        for pickers, executors in ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 4), (4, 1), (4, 2), (4, 4))
    ),
)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="The median of them counts.")
@click.option("--jobs", type=click.IntRange(1_000), default=20_000, show_default=True, help="The fastest get all.")
@click.option("--only", type=click.Choice(sorted({each.group for each in CONTESTANTS})), multiple=True)
@click.option("--quick", is_flag=True, help="One round of 4,000 jobs: whether it runs, not how fast.")
@click.option("--plot", type=click.Path(path_type=Path), default=Path(".artefacts/bench.svg"), show_default=True)
def main(*, rounds: int, jobs: int, only: tuple[str, ...], quick: bool, plot: Path) -> None:
    """Measure this scheduler and its peers in turn, round after round. Prints a table, and JSON as the last line."""
    rounds, jobs = (1, 4_000) if quick else (rounds, jobs)
    chosen = [each for each in CONTESTANTS if each.group in only or not (only or each.is_asked_for)]
    with tempfile.TemporaryDirectory(prefix="scheduler-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the servers run under another account when we are root
        with EmbeddedServers(folder / "servers") as servers:
            figures = _measure(Stage(servers, folder), chosen, rounds, jobs)
    medians = {name: {what: _round(median(values)) for what, values in each.items()} for name, each in figures.items()}
    _show(medians)
    if rates := {name: each[RATE] for name, each in medians.items() if RATE in each}:
        plot.parent.mkdir(parents=True, exist_ok=True)
        plot.write_text(bars("jobs a second that do nothing, deep backlog, durable", rates))
        click.echo(f"plot: {plot}")
    settings = {"rounds": rounds, "jobs": jobs, "commit": commit(), "load": os.getloadavg()[0], **machine()}
    click.echo(json.dumps({**settings, "medians": medians, "runs": figures}))


def _measure(stage: Stage, chosen: list[Contestant], rounds: int, jobs: int) -> dict[str, dict[str, list[float]]]:
    """Every figure of every contestant, in the order of the rounds."""
    figures: dict[str, dict[str, list[float]]] = {each.name: defaultdict(list) for each in chosen}
    for number in range(1, rounds + 1):
        for each in chosen:
            measured = each.run(stage, int(jobs * each.share))
            for what, value in measured.items():
                figures[each.name][what].append(_round(value))
            click.echo(f"round {number}: {each.name}: {measured}", err=True)
    return figures


def _show(medians: dict[str, dict[str, float]]) -> None:
    ceiling = medians.get(CEILING, {}).get(RATE)
    rows = [
        (name, what, f"{value:,.10g}", f"{value / ceiling:.0%}" if ceiling and what == RATE else "")
        for name, each in medians.items()
        for what, value in each.items()
    ]
    click.echo(table(("who", "what", "median", "of bare"), rows))


def _round(value: float) -> float:
    return round(value, 1 if value < 1_000 else 0)


if __name__ == "__main__":
    main()
