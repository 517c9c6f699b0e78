"""`scheduler doctor`: is everything there that jobs need to run? One line a check."""

import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import click

from scheduler.cli.terminal import plain
from scheduler.domain.errors import ConfigurationError, SchedulerError
from scheduler.queue import Capacity, Signals
from scheduler.settings import Settings, find_settings
from scheduler.store import diagnosis
from scheduler.store.connection import OLDEST_POSTGRESQL, Connection, connected, server_version
from scheduler.store.diagnosis import MOST_COUNTED, Stuck
from scheduler.store.migrate import schema_state
from scheduler.wiring.tasks import task_registry

_CLOCK_TOLERANCE_SECONDS: Final = 1.0
_OVERDUE_SECONDS: Final = 60.0
_BRING_YOUR_OWN: Final = "is not set, and no `scheduler up` runs on this data folder: set it, or start one"


class Verdict(StrEnum):
    """How a check came out; any FAIL makes the exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it."""

    verdict: Verdict
    subject: str
    text: str


@click.command()
def doctor() -> None:
    """Check settings, servers, schema, clocks, executors and stuck jobs; exit code 1 when anything fails."""
    has_failed = False
    for finding in examine():
        click.echo(f"{finding.verdict:<4}  {finding.subject:<10}  {plain(finding.text)}")
        has_failed |= finding.verdict is Verdict.FAIL
    if has_failed:
        sys.exit(1)


def examine() -> Iterator[Finding]:
    """Every check, as it is done; what cannot be looked at because of an earlier failure is left out."""
    try:
        settings = find_settings()
    except ConfigurationError as error:
        yield Finding(Verdict.FAIL, "settings", str(error))
        return
    yield Finding(Verdict.OK, "settings", "every value is of the right kind")
    yield from _failing("postgresql", lambda: _store(settings))
    yield from _failing("redis", lambda: _redis(settings))
    yield from _failing("tasks", lambda: _tasks(settings))
    for root in settings.workspaces:
        yield _workspace(root)


def _failing(subject: str, checks: Callable[[], Iterator[Finding]]) -> Generator[Finding]:
    """The findings of `checks`, and last the error that ended them, if one did."""
    try:
        yield from checks()
    except SchedulerError as error:
        yield Finding(Verdict.FAIL, subject, str(error))


def _store(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url.get_secret_value()
    if not url:
        raise ConfigurationError(f"DATABASE_URL {_BRING_YOUR_OWN}.")
    with connected(url, name="doctor") as conn:
        version = server_version(conn)
        if version < OLDEST_POSTGRESQL:
            raise ConfigurationError(f"version {version} is too old: {OLDEST_POSTGRESQL} or newer is needed.")
        yield Finding(Verdict.OK, "postgresql", f"version {version}")
        yield _clock(diagnosis.clock_ahead(conn))
        schema = _schema(conn)
        yield schema
        if schema.verdict is Verdict.OK:
            yield from _stuck_jobs(conn, settings)


def _clock(ahead: float) -> Finding:
    if abs(ahead) <= _CLOCK_TOLERANCE_SECONDS:
        return Finding(Verdict.OK, "clock", f"{abs(ahead) * 1000:.0f} ms from PostgreSQL's")
    side = "behind" if ahead > 0 else "ahead of"
    text = f"this host is {abs(ahead):.1f} s {side} PostgreSQL, whose clock decides: run NTP on both."
    return Finding(Verdict.WARN, "clock", text)


def _schema(conn: Connection) -> Finding:
    state = schema_state(conn)
    if state.is_current:
        return Finding(Verdict.OK, "schema", f"version {state.applied}")
    advice = "run `scheduler migrate`" if state.applied < state.expected else "upgrade this program"
    text = f"the database is at version {state.applied}, this program needs {state.expected}: {advice}."
    return Finding(Verdict.FAIL, "schema", text)


def _stuck_jobs(conn: Connection, settings: Settings) -> Iterator[Finding]:
    yield _stuck(
        "overdue",
        diagnosis.overdue(conn, grace_seconds=_OVERDUE_SECONDS),
        what="due more than a minute ago and not picked",
        advice="if no picker runs, start `scheduler picker`; if it is a backlog, start more executors",
    )
    yield _stuck(
        "leases",
        diagnosis.lapsed(conn, grace_seconds=settings.lease_seconds),
        what="held by a process that is gone, and not rescued",
        advice="pickers rescue them: start `scheduler picker`, or read its log",
    )


def _stuck(subject: str, stuck: Stuck, *, what: str, advice: str) -> Finding:
    if not stuck.jobs:
        return Finding(Verdict.OK, subject, f"no job {what}")
    count = f"{stuck.jobs}{' or more' if stuck.jobs == MOST_COUNTED else ''} {'job' if stuck.jobs == 1 else 'jobs'}"
    text = f"{count} {what}, the oldest {stuck.oldest_seconds:.0f} s late: {advice}."
    return Finding(Verdict.WARN, subject, text)


def _redis(settings: Settings) -> Iterator[Finding]:
    url = settings.redis_url.get_secret_value()
    if not url:
        raise ConfigurationError(f"REDIS_URL {_BRING_YOUR_OWN}.")
    with closing(Signals(url)) as signals:
        version = signals.ping()
        if not version.is_supported:
            found = f"{version.kind} {version.text}"
            raise ConfigurationError(f"{found} is too old: {version.oldest_supported} or newer is needed.")
        yield Finding(Verdict.OK, "redis", f"{version.kind} {version.text}")
        yield _executors(signals.live_capacity())


def _executors(capacity: Capacity) -> Finding:
    if not capacity.executors:
        return Finding(Verdict.FAIL, "executors", "none is running, so no job can: start `scheduler executor`.")
    return Finding(Verdict.OK, "executors", f"{capacity.executors} running, {capacity.slots} jobs at once")


def _tasks(settings: Settings) -> Iterator[Finding]:
    yield Finding(Verdict.OK, "tasks", f"{len(task_registry(settings).types())} types")


def _workspace(root: Path) -> Finding:
    """Whether this user, on this host, can write there; executors make a root that is missing when it is first used."""
    if not root.exists():
        above = next(folder for folder in root.parents if folder.exists())
        if os.access(above, os.W_OK | os.X_OK):
            return Finding(Verdict.OK, "workspace", f"{root} will be made at first use")
        return Finding(Verdict.FAIL, "workspace", f"{root} is not there and cannot be made in {above}: make it.")
    try:
        with tempfile.TemporaryFile(dir=root):
            return Finding(Verdict.OK, "workspace", f"{root} is writable")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        text = f"{root} cannot be written to here ({reason}): correct its rights, or WORKSPACE_ROOTS."
        return Finding(Verdict.FAIL, "workspace", text)
