"""`scheduler bench`: how many jobs a second the running pickers and executors do, and how late jobs start.

All times come from the execution records, and so from the database's clock.
"""

import secrets
import signal
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast

import click

from scheduler import __version__
from scheduler.cli.machine import commit, machine
from scheduler.cli.terminal import plain, print_json, table
from scheduler.domain.caller import OPERATOR
from scheduler.domain.errors import ConfigurationError, Unavailable
from scheduler.domain.job import JsonObject, JsonValue, NewJob
from scheduler.queue import Signals
from scheduler.settings import Settings, find_settings
from scheduler.store import benchmark
from scheduler.store.benchmark import QUEUE_PREFIX, Load, Measurement
from scheduler.store.connection import Database, server_version
from scheduler.store.intake import create_jobs
from scheduler.store.migrate import schema_state

_WARM_UP_JOBS: Final = 200
_BATCH: Final = 10_000
_INSERTS_PER_SECOND: Final = 4_000
"""A cautious guess, from which follows how far ahead a load must be due to be in whole by then."""
_AHEAD_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 60.0
"""Longer than a lease with a poll: an executor that dies meanwhile costs time, not the measurement."""


@click.command()
@click.option("--jobs", "count", type=click.IntRange(1, 1_000_000), default=20_000, show_default=True)
@click.option(
    "--lateness",
    "singly",
    type=click.IntRange(1, 1_000),
    metavar="K",
    help=f"Instead of throughput: K jobs one after the other, each due {_AHEAD_SECONDS:g} s after it is created.",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of a table.")
def bench(*, count: int, singly: int | None, as_json: bool) -> None:
    """Measure the pickers and executors that run on DATABASE_URL.

    Puts N jobs that do nothing into a queue of their own, all due at the same moment once they are all in, and
    measures from the first start to the last end. They are removed afterwards. Run it on an otherwise idle system.
    Exit code 1 when not each job completed exactly once.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that the jobs are removed
    settings = find_settings()
    with closing(_database(settings)) as database:
        postgresql = _require_schema(database)
        queue = f"{QUEUE_PREFIX}{secrets.token_hex(4)}"
        _warm_up(database, queue)
        measured = _one_by_one(database, queue, singly) if singly else _all_at_once(database, queue, count)
    _forget(settings, queue)
    jobs = singly or count
    is_exact = measured.jobs_completed == measured.attempts_completed == jobs
    mode: JsonObject = {"mode": "lateness" if singly else "throughput", "jobs": jobs, "each_exactly_once": is_exact}
    surroundings: JsonObject = {"scheduler": __version__, "commit": commit(), "postgresql": postgresql}
    result = mode | _figures(measured, is_throughput=not singly) | surroundings | machine()
    print_json(result) if as_json else click.echo(_as_table(result))
    if not is_exact:
        sys.exit(1)


def _database(settings: Settings) -> Database:
    url = settings.database_url.get_secret_value()
    if not url:
        raise ConfigurationError("DATABASE_URL is not set: name the database of the pickers and executors to measure.")
    return Database(url, name="bench", max_size=1)


def _forget(settings: Settings, queue: str) -> None:
    """Take the queue off RQ's books, too, where we are told where they are."""
    if url := settings.redis_url.get_secret_value():
        with suppress(Unavailable), closing(Signals(url)) as signals:
            signals.forget_queue(queue)


def _require_schema(database: Database) -> int:
    """The server's version; raises ConfigurationError when the schema is not this program's."""
    with database.connection() as conn:
        if not schema_state(conn).is_current:
            raise ConfigurationError("The database has another schema: run `scheduler migrate` of this release.")
        return server_version(conn)


@dataclass(slots=True)
class _Trial:
    """The jobs of one measurement, from putting them in to removing them."""

    database: Database
    queue: str
    ids: list[int] = field(default_factory=list[int])

    def put(self, count: int, due: datetime) -> None:
        """Put in `count` jobs."""
        job = NewJob(task_type="noop", task_data={}, name="benchmark", queue=self.queue, scheduled_at=due)
        for start in range(0, count, _BATCH):
            with self.database.connection() as conn:
                self.ids += create_jobs(conn, OPERATOR, [job] * min(_BATCH, count - start))

    def clock(self) -> datetime:
        """The database's."""
        with self.database.connection() as conn:
            return benchmark.database_clock(conn)

    def wait(self, due: datetime) -> None:
        """Wait until all have ended; raises Unavailable when none ended for long."""
        time.sleep(max(0.0, (due - self.clock()).total_seconds()))
        since, pause, deadline = min(self.ids), 0.1, time.monotonic() + _PATIENCE_SECONDS
        while (found := self._first_unfinished(since)) is not None:
            if found != since:
                since, deadline = found, time.monotonic() + _PATIENCE_SECONDS
            elif time.monotonic() > deadline:
                raise Unavailable(
                    f"No benchmark job ended in {_PATIENCE_SECONDS:g} s. Start `scheduler picker` and "
                    "`scheduler executor` on this database, and let executors serve every queue (no EXECUTOR_QUEUES); "
                    "`scheduler doctor` tells what is missing."
                )
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def measure(self) -> Measurement:
        """What the records say."""
        with self.database.connection() as conn:
            measured = benchmark.measure(conn, self._load())
        if measured is None:
            raise Unavailable("The benchmark's jobs were ended by someone else before they ran: run it again.")
        return measured

    def remove(self) -> None:
        """Remove the jobs and their records."""
        if self.ids:
            with self.database.connection() as conn:
                benchmark.remove(conn, self._load())

    def _first_unfinished(self, since: int) -> int | None:
        with self.database.connection() as conn:
            return benchmark.first_unfinished(conn, self._load(), since=since)

    def _load(self) -> Load:
        return Load(self.queue, min(self.ids), max(self.ids))


@contextmanager
def _trial(database: Database, queue: str) -> Generator[_Trial]:
    trial = _Trial(database, queue)
    try:
        yield trial
    finally:
        trial.remove()


def _warm_up(database: Database, queue: str) -> None:
    """Connections are opened, code is loaded, executors learn of the queue."""
    with _trial(database, queue) as trial:
        due = trial.clock()
        trial.put(_WARM_UP_JOBS, due)
        trial.wait(due)


def _all_at_once(database: Database, queue: str, count: int) -> Measurement:
    with _trial(database, queue) as trial:
        due = trial.clock() + timedelta(seconds=_AHEAD_SECONDS + count / _INSERTS_PER_SECOND)
        trial.put(count, due)
        if trial.clock() >= due:
            raise Unavailable(
                "The first jobs were due before the last were in: quieten the machine, or use fewer --jobs."
            )
        trial.wait(due)
        return trial.measure()


def _one_by_one(database: Database, queue: str, count: int) -> Measurement:
    with _trial(database, queue) as trial:
        for _ in range(count):
            due = trial.clock() + timedelta(seconds=_AHEAD_SECONDS)
            trial.put(1, due)
            trial.wait(due)
        return trial.measure()


def _figures(measured: Measurement, *, is_throughput: bool) -> JsonObject:
    """The numbers; a rate only where jobs were there to be done at any moment."""
    late = {name: round(seconds * 1000, 1) for name, seconds in asdict(measured.lateness).items()}
    rate: JsonObject = {
        "jobs_per_second": round(measured.jobs_completed / measured.seconds, 1) if measured.seconds else None,
        "seconds": round(measured.seconds, 3),
    }
    return {
        **(rate if is_throughput else {}),
        "lateness_ms": cast("JsonObject", late),
        "attempts": measured.attempts,
        "executors": measured.executors,
    }


def _as_table(result: JsonObject) -> str:
    rows: list[tuple[str, str]] = []
    for name, value in result.items():
        nested: dict[str, JsonValue] = value if isinstance(value, dict) else {"": value}
        rows += [(f"{name} {inner}".strip().replace("_", " "), plain(each)) for inner, each in nested.items()]
    return table(rows[0], rows[1:])
