"""A rolling upgrade: the schema first, under the earlier program's feet, then one process after the other."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from scheduler.store.migrate import migrate, schema_state
from tests.acceptance.cluster import Cluster, Node, free_port
from tests.acceptance.earlier import unpack
from tests.eventually import eventually
from tests.servers import Servers, fresh_database


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """Where the earlier program is."""
    os.mkdir(folder := tmp_path / "earlier")
    unpack(folder)
    return folder


@pytest.fixture
def upgrade(servers: Servers, redis_url: str, tmp_path: Path, earlier: Path) -> Generator[Cluster]:
    """A cluster whose schema the earlier program has made."""
    with (
        fresh_database(dataclasses.replace(servers, template="template0")) as url,
        fresh_database(dataclasses.replace(servers, template="template0")) as ledger_url,
    ):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(earlier), "DATABASE_URL": url}
        subprocess.run([sys.executable, "-m", "scheduler", "migrate"], cwd=tmp_path, env=environment, check=True)
        settings: dict[str, object] = {"lease_seconds": 2, "picker_poll_seconds": 0.5, "executor_concurrency": 4}
        with Cluster(url, redis_url, ledger_url, tmp_path, settings) as cluster:
            yield cluster


def post(cluster: Cluster, port: int, count: int) -> list[int]:
    """Jobs that a client creates with the API at that port."""
    cluster.settings["api_port"] = port
    return [cluster.post_job("ledger_sleep", {"seconds": [0.1]}) for _ in range(count)]


def worked(cluster: Cluster, node: Node) -> bool:
    """Whether an executor has recorded attempts."""
    return bool(cluster.sql("SELECT FROM executions WHERE split_part(worker, '.', -2) = %s", str(node.process.pid)))


def test_a_rolling_upgrade_under_load(upgrade: Cluster, earlier: Path) -> None:
    old_port, new_port = free_port(), free_port()
    old = upgrade.start("picker", "executor", "api", pythonpath=earlier, api_port=old_port)
    ids = post(upgrade, old_port, 10)
    failing = upgrade.post_job("ledger_fail", {"times": 1}, retry={"backoff": "fixed", "delay_seconds": 4})

    new = [upgrade.launch(role, api_port=new_port) for role in ("picker", "executor", "monitor")]
    with upgrade.database.connection() as conn:
        is_behind = not schema_state(conn).is_current
    if is_behind:
        eventually(lambda: all("run `scheduler migrate`" in node.log for node in new), 30, what="the new ones wait")
    migrate(upgrade.database_url)
    for node in new:
        node.wait_ready()
    new += upgrade.start("api", api_port=new_port)

    # Both programs side by side, and each finds and runs what the other made.
    ids += post(upgrade, old_port, 20) + post(upgrade, new_port, 20)
    eventually(lambda: worked(upgrade, old[1]) and worked(upgrade, new[1]), 30)
    for port in (old_port, new_port):
        upgrade.settings["api_port"] = port
        assert upgrade.call("GET", "/readyz").status == 200
        assert len(upgrade.call("GET", "/api/jobs?limit=200").body["jobs"]) == len(ids) + 1
    upgrade.reach(failing, "completed")

    # The earlier ones leave; what they held goes on.
    running = [upgrade.create("ledger_sleep", {"seconds": [1.5, 0]}) for _ in range(8)]
    for job_id in running:
        upgrade.entry(job_id, "start")
    for node in old:
        node.terminate()
    ids += running + post(upgrade, new_port, 10)
    eventually(lambda: upgrade.statuses() == {"completed": len(ids) + 1}, 60, what="every job completed")
    assert upgrade.count("end") == dict.fromkeys([*ids, failing], 1)
    assert all(upgrade.outcomes(job_id) == [(1, "completed")] for job_id in ids)
    assert all(node.is_alive for node in new)
    assert all('"level":"error"' not in node.log for node in upgrade.nodes)
