"""The package of docs/examples, installed: its entry point is all that the processes need to know of it."""

import subprocess
import sys
from pathlib import Path

from tests.acceptance.cluster import Cluster, free_port

ROOT = Path(__file__).parents[2]


def test_a_job_of_the_example_package(cluster: Cluster, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
    ]
    package = ROOT / "docs" / "examples" / "word-count"
    subprocess.run([*install, "--target", str(site), str(package)], check=True, timeout=120)

    cluster.settings |= {"pythonpath": f"{ROOT}:{site}", "api_port": free_port()}
    cluster.start("api", "picker", "executor")
    types = [each["type"] for each in cluster.call("GET", "/api/task-types").body["task_types"]]
    assert "word_count" in types
    job_id = cluster.post_job("word_count", {"text": "to be or not to be", "most": 1})
    assert cluster.reach(job_id, "completed").result == {"words": 6, "most": [["to", 2]]}
    (execution,) = cluster.call("GET", f"/api/jobs/{job_id}/executions").body["executions"]
    assert execution["logs"] == ["6 words, 4 of them different"]
