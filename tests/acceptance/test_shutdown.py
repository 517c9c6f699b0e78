"""SIGTERM, SIGINT, and what process managers do: everything ends in time, whatever is away, and no job with it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from scheduler.domain.job import JsonObject
from scheduler.embedded import Server
from tests.acceptance.cluster import Cluster, free_port
from tests.acceptance.ledger_tasks import LEDGER_URL
from tests.acceptance.own_servers import GRACE, OwnServers, cluster_on, paused, running_own_servers, stopped
from tests.credentials import SECRET
from tests.eventually import eventually
from tests.processes import living_in
from tests.servers import Servers

ROOT = Path(__file__).parents[2]
LITTLE = 8.0
"""Seconds beyond the grace: about four to part, the rest for a machine that has other things to do."""
SLACK = 20.0
ROLES = ("api", "picker", "executor", "monitor")
TASKS = "tests.acceptance.ledger_tasks,tests.acceptance.blocking_tasks"
LONG: JsonObject = {"seconds": [3600, 0]}


@pytest.fixture(scope="module")
def own() -> Generator[OwnServers]:
    with running_own_servers() as own:
        yield own


@pytest.fixture
def cluster(own: OwnServers, servers: Servers, tmp_path: Path) -> Generator[Cluster]:
    """No process runs yet."""
    with cluster_on(own, servers, tmp_path, api_port=free_port(), scheduler_task_modules=TASKS) as cluster:
        yield cluster


@pytest.mark.parametrize("name", ["postgres", "redis"])
@pytest.mark.parametrize("away", [stopped, paused], ids=["stopped", "frozen"])
def test_all_stop_in_time_while_a_server_is_away(
    cluster: Cluster, own: OwnServers, name: str, away: Callable[[Server], AbstractContextManager[None]]
) -> None:
    nodes = cluster.start(*ROLES)
    for task in ("ledger_sleep", "ledger_sleep_thread", "ledger_sleep_process", "ledger_stubborn"):
        data: JsonObject = {} if task == "ledger_stubborn" else LONG
        cluster.entry(cluster.create(task, data, timeout_seconds=3600), "start")
    with away(own.postgres if name == "postgres" else own.redis):
        if name == "redis":
            cluster.create("ledger_sleep")  # or nobody would ask for it
        until = time.monotonic() + 1.5  # every daemon has met it by then: one that hangs cannot say so
        eventually(lambda: time.monotonic() > until)
        for node in nodes:
            node.terminate()
        assert {node.role: node.exit_code(GRACE + LITTLE) for node in nodes} == dict.fromkeys(ROLES, 0)


def test_ctrl_c_is_the_same_as_sigterm(cluster: Cluster) -> None:
    nodes = cluster.start(*ROLES)
    job_id = cluster.create("ledger_sleep_process", {"seconds": [1.5]})
    cluster.entry(job_id, "start")
    for node in nodes:
        node.process.send_signal(signal.SIGINT)
    assert {node.role: node.exit_code(GRACE + LITTLE) for node in nodes} == dict.fromkeys(ROLES, 0)
    assert cluster.outcomes(job_id) == [(1, "completed")]


def test_an_executor_whose_loop_is_blocked_stops_in_time(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor", shutdown_grace_seconds=1)
    cluster.entry(cluster.create("ledger_block", LONG, timeout_seconds=3600), "start")
    executor.terminate()
    assert executor.exit_code(1 + LITTLE) == 0


def test_a_second_sigterm_hurries_a_process_that_hangs(cluster: Cluster, own: OwnServers) -> None:
    nodes = cluster.start("picker", "executor", shutdown_grace_seconds=3600)
    job_id = cluster.create("ledger_sleep", LONG, timeout_seconds=3600)
    cluster.entry(job_id, "start")
    with paused(own.postgres):
        # Again and again, since two at one moment may count as one; but while psycopg waits, it lets signals be handled
        # once a tenth of a second only, and every signal puts that off.
        for node in nodes:
            assert node.exit_code_under(signal.SIGTERM, LITTLE, every=0.5) == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_that_come_at_the_very_end_change_no_exit_code(cluster: Cluster, signum: signal.Signals) -> None:
    for node in cluster.start("picker", "executor", "monitor"):
        assert node.exit_code_under(signum, LITTLE) == 0


@pytest.mark.parametrize("kind", ["ledger_sleep", "ledger_sleep_process"])
def test_honcho_ends_well_in_the_middle_of_a_task(cluster: Cluster, kind: str) -> None:
    """A short task ends and is recorded, a long one goes back at once: honcho kills what is left after five seconds."""
    with Honcho(cluster) as honcho:
        short = cluster.create(kind, {"seconds": [1.5]})
        long = cluster.create(kind, LONG, timeout_seconds=3600)
        cluster.entry(short, "start", within=60)
        cluster.entry(long, "start")
        honcho.process.terminate()
        assert honcho.process.wait(30) == 128 + signal.SIGTERM
        eventually(lambda: living_in(honcho.folder) == [], 5, what="the end of every process")
        assert "SIGKILL" not in honcho.output, honcho.output
    assert cluster.outcomes(short) == [(1, "completed")]
    assert cluster.sql("SELECT status::text, lease_until = '-infinity' FROM jobs WHERE id = %s", long) == [
        ("running", True)
    ]
    cluster.start("picker", "executor")
    cluster.reach(long, "completed", within=SLACK)
    assert cluster.outcomes(long) == [(1, "lost"), (2, "completed")]


class Honcho:
    """`honcho start` with our Procfile, in a session of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self.folder = cluster.folder / "honcho"
        self.folder.mkdir()
        self._output = self.folder / "output"
        unset = {"SHUTDOWN_GRACE_SECONDS", "LOG_FORMAT", "LOG_LEVEL"}
        environment = {name: value for name, value in os.environ.items() if name not in unset} | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            LEDGER_URL: cluster.ledger_url,
            "DATABASE_URL": cluster.database_url,
            "REDIS_URL": cluster.redis_url,
            "JWT_SECRET": SECRET,
            "API_PORT": str(free_port()),
            "METRICS_PORT": "0",
            "LEASE_SECONDS": "3600",
            "SCHEDULER_TASK_MODULES": TASKS,
            "SCHEDULER_DATA_DIR": str(self.folder),
        }
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "honcho", "start", "-f", str(ROOT / "Procfile"), "-d", str(self.folder)],
                env=environment,
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def __enter__(self) -> "Honcho":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        eventually(lambda: living_in(self.folder) == [], 10, what="the end of every process")


def test_containers_are_given_more_than_the_grace() -> None:
    """Compose kills after stop_grace_period: every one of our processes has left by then."""
    compose = (ROOT / "docker-compose.yml").read_text()
    grace = re.search(r"SHUTDOWN_GRACE_SECONDS: (\d+)", compose)
    period = re.search(r"x-scheduler.*?stop_grace_period: (\d+)s", compose, re.DOTALL)
    assert grace is not None
    assert period is not None
    assert int(period[1]) >= int(grace[1]) + 10
