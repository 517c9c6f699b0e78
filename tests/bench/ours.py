"""This scheduler: its own processes, measured by its own `scheduler bench`, and its API by plain requests."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from scheduler.store.migrate import migrate
from tests.acceptance.cluster import Cluster, Node, free_port
from tests.bench.http_load import get, post, post_and_get
from tests.bench.stage import Place, Stage
from tests.chaos.fleet import cpu_seconds
from tests.credentials import access_token

_ROOT: Final = Path(__file__).parents[2]
ROLES: Final = ("api", "picker", "executor", "monitor")
_ROWS: Final = 100
_CONCURRENCY: Final = 1_000
"""Attempts that an executor runs at once: messages are half of that, as many ids as PgQueuer takes in a batch."""


def throughput(executors: int, pickers: int = 1) -> Callable[[Stage, int], dict[str, Any]]:
    """So many processes on a deep backlog; what a job costs pickers and executors, and the peak memory of one."""

    def run(stage: Stage, jobs: int) -> dict[str, Any]:
        roles = ("api", *["picker"] * pickers, *["executor"] * executors)
        with stage.place() as place, running(place, *roles) as cluster:
            workers = cluster.nodes[1:]
            before = [cpu_seconds(node.process.pid) for node in workers]
            measured = bench(cluster, "throughput", jobs)
            cost = [
                (cpu_seconds(node.process.pid) - since) / jobs * 1e6
                for node, since in zip(workers, before, strict=True)
            ]
            return {
                "jobs/s": measured["jobs_per_second"],
                "pickers CPU us/job": sum(cost[:pickers]),
                "executors CPU us/job": sum(cost[pickers:]),
                "peak MB": max(peak_megabytes(node) for node in workers),
            }

    return run


def lateness(stage: Stage, jobs: int) -> dict[str, Any]:
    """How late jobs start on an idle system: created for now, created for 3 s ahead, and 2,000 due at once."""
    with stage.place() as place, running(place, "api", "picker", "executor") as cluster:
        late = {mode: bench(cluster, mode, count) for mode, count in (("immediate", 100), ("ahead", 50))}
        burst = bench(cluster, "burst", 2_000)
    figures = {f"{mode} {p} ms": each["lateness_ms"][p] for mode, each in late.items() for p in ("p50", "p99")}
    return figures | {"2,000 at once, last ms": burst["lateness_ms"]["max"]}


def api(stage: Stage, jobs: int) -> dict[str, Any]:
    """One API process, eight connections that are kept alive."""
    create = post("/api/job", json.dumps({"task": {"type": "noop", "data": {}}}).encode())
    reads = [get(f"/api/jobs/{number}") for number in range(1, _ROWS + 1)]
    with stage.place() as place, running(place, "api") as cluster:
        process = cluster.nodes[0].process.pid
        return post_and_get(
            f"http://127.0.0.1:{cluster.settings['api_port']}", create, reads, lambda: cpu_seconds(process)
        )


@contextmanager
def running(place: Place, *roles: str, **settings: object) -> Generator[Cluster]:
    """A cluster on a migrated database, with these processes."""
    migrate(place.database_url)
    settings = {
        "log_level": "info",
        "api_port": free_port(),
        "scheduler_task_modules": "",
        "executor_concurrency": _CONCURRENCY,
        **settings,
    }
    with Cluster(place.database_url, place.redis_url, place.database_url, place.folder, settings) as cluster:
        cluster.start(*roles)
        yield cluster


def bench(cluster: Cluster, mode: str, jobs: int) -> dict[str, Any]:
    """What `scheduler bench` says of them."""
    url = f"http://127.0.0.1:{cluster.settings['api_port']}"
    options = ["--json", "--keep", "--mode", mode, "--jobs", str(jobs), "--url", url]
    command = [sys.executable, "-m", "scheduler", "bench", *options]
    environment = {**os.environ, "SCHEDULER_TOKEN": access_token()}
    return json.loads(subprocess.run(command, cwd=_ROOT, env=environment, check=True, stdout=subprocess.PIPE).stdout)


def peak_megabytes(node: Node) -> float:
    """The most memory that it ever held."""
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
