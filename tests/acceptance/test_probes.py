"""Pickers, executors and monitors answer probes, and an executor whose loop is blocked says so."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

from tests.acceptance.cluster import Cluster, Node
from tests.eventually import eventually


def probe(node: Node, path: str) -> tuple[int, Any]:
    """Status and body of what the process answers at the port that it told."""
    port = re.search(r'"address":"http://127\.0\.0\.1:(\d+)/metrics"', node.log)
    assert port, node.log
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def test_every_process_is_ready_until_its_loop_is_blocked(cluster: Cluster) -> None:
    cluster.settings["scheduler_task_modules"] = "tests.acceptance.ledger_tasks,tests.acceptance.blocking_tasks"
    picker, executor, monitor = cluster.start("picker", "executor", "monitor")
    for node in (picker, executor, monitor):
        eventually(lambda node=node: probe(node, "/readyz")[0] == 200, what=f"a {node.role} that is ready")
        assert probe(node, "/healthz")[0] == 200
        assert probe(node, "/readyz")[1]["checks"].keys() == {"postgresql", "redis", "schema", "loop"}

    cluster.create("ledger_block", {"seconds": [25]}, timeout_seconds=3600)
    eventually(lambda: probe(executor, "/readyz")[0] == 503, 30, what="an executor that is unready")
    checks = probe(executor, "/readyz")[1]["checks"]
    assert [name for name, check in checks.items() if check["status"] != "ok"] == ["loop"]
    assert probe(executor, "/healthz")[0] == 200
    assert probe(picker, "/readyz")[0] == 200
