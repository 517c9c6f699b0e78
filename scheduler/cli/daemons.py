"""The commands that run one process. Each imports what it runs and no more: that is what stays in memory."""

import click

from scheduler.settings import find_settings


@click.command()
def api() -> None:
    """Run the REST API."""
    from scheduler.wiring.api import run_api

    run_api(find_settings())


@click.command()
def picker() -> None:
    """Run a picker: it claims due jobs and puts them on the queues."""
    from scheduler.wiring.picker import run_picker

    run_picker(find_settings())


@click.command()
def executor() -> None:
    """Run an executor: it runs the tasks."""
    from scheduler.wiring.executor import run_executor

    run_executor(find_settings())


@click.command()
def monitor() -> None:
    """Run the monitor: health and metrics of the whole system."""
    from scheduler.wiring.monitor import run_monitor

    run_monitor(find_settings())


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from scheduler.wiring.common import migrate as bring_up_to_date

    applied = bring_up_to_date(find_settings())
    click.echo(f"applied {', '.join(applied)}" if applied else "the schema is up to date")
