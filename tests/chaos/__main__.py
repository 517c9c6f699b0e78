"""`python -m tests.chaos`: break everything for a while, and see whether a job was lost."""

import json
import logging
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from tests.chaos.faults import GROUPS, kinds
from tests.chaos.run import LEASE_SECONDS, Options, run
from tests.chaos.verdict import Verdict

CHOICES: Final = sorted({*GROUPS, *(kind.what for kind in kinds(LEASE_SECONDS))})
_SHOWN: Final = 10


@click.command()
@click.option("--seed", type=int, help="The same seed gives the same faults; drawn and printed if absent.")
@click.option("--minutes", type=float, help="How long faults are injected, in minutes.")
@click.option("--seconds", type=float, help="The same in seconds (default 60).")
@click.option("--rate", type=float, default=40.0, show_default=True, help="Jobs a second.")
@click.option("--pickers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--executors", type=click.IntRange(1), default=3, show_default=True)
@click.option("--only", type=click.Choice(CHOICES), multiple=True, help="Only these faults, or groups of them.")
@click.option("--keep", is_flag=True, help="Keep logs and databases although nothing is wrong.")
def main(
    seed: int | None,
    minutes: float | None,
    seconds: float | None,
    rate: float,
    pickers: int,
    executors: int,
    only: tuple[str, ...],
    keep: bool,
) -> None:
    """Real processes on real servers, at work while all of them break; then every job is accounted for."""
    options = Options(
        seed=random.randrange(10**6) if seed is None else seed,
        seconds=minutes * 60 if minutes is not None else 60.0 if seconds is None else seconds,
        rate=rate,
        pickers=pickers,
        executors=executors,
        only=only or GROUPS,
    )
    folder = Path(tempfile.mkdtemp(prefix=f"scheduler-chaos-{options.seed}-"))
    os.chmod(folder, 0o755)  # the servers run under another account when we are root
    click.echo(f"Seed {options.seed}, faults for {options.seconds:g} s, {rate:g} jobs a second; everything in {folder}")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # connections break: that is the point
    is_clean = False
    try:
        verdict = run(options, folder, click.echo)
        is_clean = verdict.is_clean
        _show(verdict, options.seed)
    finally:
        if is_clean and not keep:
            shutil.rmtree(folder)
        else:
            click.echo(f"Logs and databases are kept in {folder}")
    if not is_clean:
        click.echo(f"Seed {options.seed} found something: --seed {options.seed} replays its faults.")
        sys.exit(1)


def _show(verdict: Verdict, seed: int) -> None:
    for name, value in verdict.figures.items():
        click.echo(f"{name:<45}{json.dumps(value)}")
    for invariant, findings in verdict.findings.items():
        click.echo(f"{invariant:<45}{len(findings)}")
        for finding in findings[:_SHOWN]:
            click.echo(f"    {finding}")
    counts = {invariant: len(findings) for invariant, findings in verdict.findings.items()}
    click.echo(json.dumps({"seed": seed, "clean": verdict.is_clean, "findings": counts, **verdict.figures}))


if __name__ == "__main__":
    main()
