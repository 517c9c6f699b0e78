"""One run, from the first start to the verdict."""

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from scheduler.embedded import EmbeddedServers
from scheduler.store.migrate import migrate
from tests.acceptance.cluster import START_SECONDS, Cluster, free_port
from tests.chaos.faults import GROUPS, plan
from tests.chaos.fleet import Fleet, Life, Slot
from tests.chaos.injector import Injector
from tests.chaos.load import Load
from tests.chaos.tasks import CREATE_LEDGER
from tests.chaos.verdict import SPEED, Verdict, gather, judge
from tests.chaos.wire import Wire

LEASE_SECONDS: Final = 3.0
GRACE_SECONDS: Final = 3.0
BACK_AT: Final = 0.95
"""The share of what comes in that has to come out in time again, a lease and five seconds after the last fault."""
LATE_SECONDS: Final = 2.0
_COMPLETED: Final = "SELECT clock_timestamp(), count(*) FROM jobs WHERE status = 'completed'"
_ON_TIME: Final = """
    SELECT avg((completed_at <= created_at + make_interval(secs => (task_data->>'seconds')::float8 + %s))::int)
    FROM jobs
    WHERE created_at BETWEEN %s AND %s AND concurrency_key IS NULL AND (task_data->>'failures')::int = 0"""
_OWNER: Final = "scheduler_app"
_CONNECTIONS: Final = 40
_WARM_UP_SECONDS: Final = 2.0
_WEIGH_SECONDS: Final = 5.0
_MEMORY_FROM_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. `seconds`: how long faults are injected; `window`: how long throughput is measured, twice."""

    seed: int
    seconds: float
    rate: float = 40.0
    pickers: int = 2
    executors: int = 3
    only: Collection[str] = GROUPS
    window: float = 10.0
    drain: float = 90.0


def run(options: Options, folder: Path, say: Callable[[str], None]) -> Verdict:
    """Start everything in `folder`, break it for a while, and judge. For the main thread only."""
    with ExitStack() as stack:
        servers = stack.enter_context(EmbeddedServers(folder / "servers"))  # durable: they are to be killed
        aside = stack.enter_context(EmbeddedServers(folder / "ledger", durable=False, wanted=("postgres",)))
        database_url = _make_database(servers.database_url)
        migrate(database_url)
        with psycopg.connect(aside.database_url) as ledger:
            ledger.execute(CREATE_LEDGER)
        (folder / "logs").mkdir()
        cluster = stack.enter_context(
            Cluster(database_url, servers.redis_url, aside.database_url, folder / "logs", _settings())
        )
        wires = {f"wire-{number}": stack.enter_context(Wire.laid()) for number in range(1, options.executors)}
        fleet = Fleet(
            cluster, list(_slots(options, wires, database_url, servers.redis_url)), grace_seconds=GRACE_SECONDS
        )
        load = Load(cluster, database_url, servers.redis_url, options.seed, options.rate, LEASE_SECONDS + 2)
        injector = Injector(servers, fleet, wires, database_url=database_url, owner=_OWNER, say=say)
        fleet.start()
        stack.enter_context(_weighing(fleet))
        figures = _work(options, load, injector, cluster, say)
        evidence = gather(database_url, aside.database_url)
        evidence.lives = fleet.lives
        evidence.acknowledged, evidence.cancelled = load.acknowledged, load.cancelled
        evidence.asked_to_cancel = frozenset(load.asked_to_cancel)
        verdict = judge(evidence)
        verdict.note("daemons that ended", fleet.findings)
        verdict.note("refusals", load.findings)
        verdict.note("errors logged", _errors(folder / "logs"))
        verdict.note(SPEED, _slowness(figures))
        verdict.figures |= figures | {
            "faults": dict(sorted(Counter(injector.injected).items())),
            "processes": len(fleet.lives),
            "slowest stop s": round(fleet.slowest_exit, 2),
            "memory after a minute and at the end MB": dict(_memory(fleet.lives)),
        }
        return verdict


def _work(
    options: Options, load: Load, injector: Injector, cluster: Cluster, say: Callable[[str], None]
) -> dict[str, Any]:
    """Calm, faults, calm; then no more jobs, until those that are there have ended."""
    load.start()
    injector.wait_until(time.monotonic() + _WARM_UP_SECONDS)
    before = _watch(options, injector, cluster)
    say(f"{before.rate:.1f} jobs a second before the faults")
    load.calm = False
    injector.inject(plan(options.seed, options.seconds, injector.targets(), LEASE_SECONDS, options.only))
    load.calm = True
    injector.settle(START_SECONDS)
    injector.wait_until(time.monotonic() + LEASE_SECONDS + 5)
    after = _watch(options, injector, cluster)
    say(f"{after.rate:.1f} jobs a second after the faults")
    stopped = time.monotonic()
    load.stop(options.drain)
    while _unfinished(cluster) and time.monotonic() < stopped + options.drain:
        injector.wait_until(time.monotonic() + 0.2)
    return {
        "acknowledged": len(load.acknowledged),
        "jobs a second in": options.rate,
        "jobs a second out, before and after": [round(each.rate, 1) for each in (before, after)],
        "on time, before and after": [round(_on_time(each, cluster), 3) for each in (before, after)],
        "drained in s": round(time.monotonic() - stopped, 1),
    }


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, by the database's clock, and what came out a second."""

    since: datetime
    until: datetime
    rate: float


def _watch(options: Options, injector: Injector, cluster: Cluster) -> Window:
    since, first = cluster.sql(_COMPLETED)[0]
    injector.wait_until(time.monotonic() + options.window)
    until, last = cluster.sql(_COMPLETED)[0]
    return Window(since, until, (last - first) / (until - since).total_seconds())


def _on_time(window: Window, cluster: Cluster) -> float:
    """The share of the jobs that came in then which ended as soon as they could, give or take."""
    return float(cluster.sql(_ON_TIME, LATE_SECONDS, window.since, window.until)[0][0] or 0.0)


def _unfinished(cluster: Cluster) -> int:
    statuses = cluster.statuses()
    return statuses["pending"] + statuses["picked"] + statuses["running"]


def _slowness(figures: dict[str, Any]) -> Iterator[str]:
    before, after = figures["on time, before and after"]
    if before < BACK_AT:
        yield f"not even before the faults: {before:.1%} of the jobs were on time; lower --rate"
    if after < BACK_AT:
        yield f"{after:.1%} of the jobs were on time, {before:.1%} before the faults"


# ── what runs ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _settings() -> dict[str, object]:
    return {
        "lease_seconds": LEASE_SECONDS,
        "picker_poll_seconds": 1,
        "shutdown_grace_seconds": GRACE_SECONDS,
        "api_port": free_port(),
        "log_level": "info",
        "scheduler_task_modules": "tests.chaos.tasks",
    }


def _slots(options: Options, wires: dict[str, Wire], database_url: str, redis_url: str) -> Iterator[Slot]:
    """The first executor is connected directly, each other one over a wire of its own."""
    yield Slot("api-0", "api", {})
    for number in range(options.pickers):
        yield Slot(f"picker-{number}", "picker", {})
    for number in range(options.executors):
        settings: dict[str, object] = {"executor_concurrency": max(20, int(options.rate * 2))}
        if wire := wires.get(f"wire-{number}"):
            settings |= {"database_url": wire.to(database_url), "redis_url": wire.to(redis_url)}
        yield Slot(f"executor-{number}", "executor", settings)


def _make_database(admin_url: str) -> str:
    """A database whose owner is nobody special: its connections can be used up without shutting us out."""
    password = secrets.token_hex(16)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        owner = sql.Identifier(_OWNER)
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} CONNECTION LIMIT {}").format(
                owner, sql.Literal(password), sql.Literal(_CONNECTIONS)
            )
        )
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(owner, owner))
    there = urlsplit(admin_url)
    return there._replace(netloc=f"{_OWNER}:{password}@{there.hostname}:{there.port}", path=f"/{_OWNER}").geturl()


# ── what is watched ──────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _weighing(fleet: Fleet) -> Generator[None]:
    ended = threading.Event()

    def weigh() -> None:
        while not ended.wait(_WEIGH_SECONDS):
            fleet.weigh()

    thread = threading.Thread(target=weigh, name="scales", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _memory(lives: Collection[Life]) -> Iterator[tuple[str, list[float]]]:
    """Of processes that lived for two minutes."""
    for life in lives:
        grown = [size for age, size in life.memory if age >= _MEMORY_FROM_SECONDS]
        if life.memory and life.memory[-1][0] >= 2 * _MEMORY_FROM_SECONDS:
            yield f"{life.slot} {life.pid}", [round(size / 2**20, 1) for size in (grown[0], grown[-1])]


def _errors(logs: Path) -> Iterator[str]:
    """What was said of an error that nobody handled; lines that are no events belong together."""
    for file in sorted(logs.iterdir()):
        lines = file.read_text(errors="replace").splitlines()
        for is_event, group in groupby(lines, key=lambda line: line.startswith("{")):
            if is_event:
                yield from (f"{file.name}: {line[:500]}" for line in group if not _is_calm(json.loads(line)))
            else:
                said = [*group]
                if any("multiprocessing/forkserver.py" in line for line in said) and said[-1] == "EOFError":
                    continue  # Python's fork server, whose executor was killed in the middle of a request to it
                yield f"{file.name}: {said[0][:200]} ... {said[-1][:300]} ({len(said)} lines)"


def _is_calm(event: dict[str, Any]) -> bool:
    return event.get("level") in ("debug", "info", "warning") and "exception" not in event
