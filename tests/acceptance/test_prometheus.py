"""A real Prometheus scrapes the four processes as deploy/prometheus says, and its rules are right."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.acceptance.cluster import Cluster, free_port
from tests.eventually import eventually
from tests.unit.test_dashboards import CONTRACT, alert_expressions, dashboard_expressions

DEPLOYED: Final = Path(__file__).parents[2] / "deploy/prometheus"
TOKEN: Final = "a-token-for-prometheus"

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed: `apt install prometheus`",
)


class Prometheus:
    """One that runs, with a short patience."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series that `query` has this moment."""
        path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            body: Any = json.load(answer)
        return [(each["metric"], float(each["value"][1])) for each in body["data"]["result"]]

    def value(self, query: str) -> float:
        return sum(value for _, value in self.ask(query))

    def is_up(self) -> bool:
        try:
            self.ask("up")
        except OSError:
            return False
        return True


@contextmanager
def running_prometheus(folder: Path) -> Generator[Prometheus]:
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            prometheus = Prometheus(port)
            eventually(prometheus.is_up, 30, what="a Prometheus that answers")
            yield prometheus
        finally:
            process.kill()


def deployed(folder: Path, *, api_port: int, metrics_port: int) -> Path:
    """The files of deploy/prometheus in a folder of their own, for these ports and a second between two scrapes."""
    folder.mkdir()
    config: Any = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    api, others = config["scrape_configs"]
    assert others["static_configs"] == [{"targets": [f"127.0.0.1:{9464 + n}" for n in range(8)]}]
    api["static_configs"] = [{"targets": [f"127.0.0.1:{api_port}"]}]
    others["static_configs"] = [{"targets": [f"127.0.0.1:{metrics_port + n}" for n in range(8)]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "metrics_token").write_text(TOKEN)
    shutil.copy(DEPLOYED / "alerts.yml", folder)
    return folder


def test_what_is_deployed_is_right(tmp_path: Path) -> None:
    folder = shutil.copytree(DEPLOYED, tmp_path / "deployed")
    (folder / "metrics_token").write_text(TOKEN)
    subprocess.run(["promtool", "check", "config", folder / "prometheus.yml"], check=True)
    subprocess.run(["promtool", "check", "rules", folder / "alerts.yml"], check=True)


def test_every_process_is_scraped(cluster: Cluster, tmp_path: Path) -> None:
    cluster.settings |= {"api_port": free_port(), "metrics_port": free_port(), "metrics_token": TOKEN}
    cluster.start("api", "picker", "executor", "executor", "monitor")
    for _ in range(3):
        cluster.reach(cluster.post_job("noop"), "completed")
    ports = {
        "api_port": int(str(cluster.settings["api_port"])),
        "metrics_port": int(str(cluster.settings["metrics_port"])),
    }
    with running_prometheus(deployed(tmp_path / "prometheus", **ports)) as prometheus:
        kinds = {"api": 1, "picker": 1, "executor": 2, "monitor": 1}

        def all_are_there() -> bool:
            found = prometheus.ask("count by (process) (scheduler_process_info)")
            assert {labels["process"]: count for labels, count in found} == kinds
            return True

        eventually(all_are_there, 30)
        assert prometheus.value('scheduler_jobs_created_total{source="api"}') == 3
        for name in ("jobs_completed_total", "job_lateness_seconds_count", "picker_batch_size_sum"):
            assert prometheus.value(f"scheduler_{name}") == 3, name
        for name in CONTRACT:
            assert len(prometheus.ask(f"count by (instance) ({name})")) >= 1, name
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
            assert len(prometheus.ask(name)) == sum(kinds.values()), name
        for query in (*alert_expressions(), *dashboard_expressions()):
            prometheus.ask(query.replace("$__rate_interval", "1m"))  # it is understood
        alerts = 'ALERTS{alertname=~"SchedulerNo.*|SchedulerServerAway"}'
        eventually(lambda: not prometheus.ask(alerts), what="alerts of before the first scrape, over")
