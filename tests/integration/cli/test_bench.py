"""`scheduler bench` against a running system: what it counts is right, and it leaves nothing behind."""

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scheduler.cli.bench import bench
from tests.credentials import bearer
from tests.eventually import eventually
from tests.integration.cli.running import Shell, System, running_system


def rows_left(system: System) -> int:
    with psycopg.connect(system.environment["DATABASE_URL"]) as conn:
        row = conn.execute("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM executions)").fetchone()
    assert row is not None
    return int(row[0])


def run(system: System, *options: str) -> Any:
    process = system.start("bench", "--json", *options)
    try:
        stdout, stderr = process.communicate(timeout=100)
    finally:
        process.kill()
    assert process.returncode == 0, stderr
    return json.loads(stdout)


@pytest.mark.parametrize(("mode", "jobs"), [("throughput", 500), ("burst", 50), ("immediate", 3), ("ahead", 2)])
def test_what_it_measures(system: System, mode: str, jobs: int) -> None:
    result = run(system, "--mode", mode, "--jobs", str(jobs))
    assert result["mode"] == mode
    assert result["each_exactly_once"] is True
    assert result["jobs"] == jobs
    late = result["lateness_ms"]
    assert 0 <= late["p50"] <= late["p95"] <= late["p99"] <= late["max"]
    assert ("jobs_per_second" in result) == (mode == "throughput")
    if mode == "throughput":
        assert result["jobs_per_second"] == pytest.approx(500 / result["seconds"], rel=0.01)
    assert result["cores"] >= 1
    assert rows_left(system) == 0


def test_jobs_of_others_are_left_alone(system: System) -> None:
    body = json.dumps({"task": {"type": "noop", "data": {}}, "queue": "bench", "delay_seconds": 3600}).encode()
    request = urllib.request.Request(f"{system.url}/api/job", body, {"Content-Type": "application/json", **bearer()})
    with urllib.request.urlopen(request, timeout=10) as response:
        job = json.load(response)["id"]
    assert run(system, "--mode", "immediate", "--jobs", "1")["jobs"] == 1
    removal = urllib.request.Request(f"{system.url}/api/jobs/{job}", headers=bearer(), method="DELETE")
    with urllib.request.urlopen(removal, timeout=10) as response:
        assert response.status == 204


def test_it_leaves_its_jobs_there_when_told_to(system: System) -> None:
    try:
        assert run(system, "--mode", "immediate", "--jobs", "1", "--keep")["jobs"] == 1
        assert rows_left(system) == 2 * (200 + 1)  # those of the warm-up too, and as many executions
    finally:
        with psycopg.connect(system.environment["DATABASE_URL"]) as conn:
            conn.execute("TRUNCATE jobs, executions")


def test_stopped_it_removes_its_jobs(database_url: str, redis_url: str, tmp_path: Path) -> None:
    with running_system(database_url, redis_url, tmp_path, processes=("api",)) as system:  # nobody runs its jobs
        process = system.start("bench")
        try:
            assert eventually(lambda: rows_left(system), 30, what="the jobs are in")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode != 0
        assert rows_left(system) == 0


def test_an_api_that_is_not_there_is_named(shell: Shell) -> None:
    result = shell.run(bench, "--url", "http://127.0.0.1:1")
    assert result.exit_code == 5
    assert "http://127.0.0.1:1" in result.stderr
