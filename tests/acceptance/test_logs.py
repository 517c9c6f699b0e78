"""What an executor and an API log of a job, each line with what it is about."""

import json
from typing import Any

from tests.acceptance.cluster import Cluster, Node, free_port
from tests.eventually import eventually


def line(node: Node, event: str) -> dict[str, Any]:
    """The first line that says so; every line of the process is one JSON object with the fields of all."""
    lines: list[dict[str, Any]] = [json.loads(each) for each in node.log.splitlines()]
    for each in lines:
        assert each.keys() >= {"timestamp", "level", "event", "process"}, each
        assert each["process"] == node.role
    return next(each for each in lines if each["event"] == event)


def test_lines_carry_the_request_the_job_the_attempt_and_the_worker(cluster: Cluster) -> None:
    cluster.settings["api_port"] = free_port()
    api, _, executor = cluster.start("api", "picker", "executor")
    job_id = cluster.post_job("ledger_fail", {"times": 1}, max_attempts=1)
    cluster.reach(job_id, "failed")

    worker = cluster.executions(job_id)[0].worker
    failed = line(executor, "attempt failed")
    assert (failed["job_id"], failed["attempt"], failed["worker"]) == (job_id, 1, worker)
    assert line(executor, "executor ready")["worker"] == worker

    def is_logged() -> bool:
        return '"event":"request"' in api.log

    eventually(is_logged)
    request = line(api, "request")
    assert request["job_id"] == job_id
    assert request["request_id"]
    assert "\x1b" not in api.log + executor.log
