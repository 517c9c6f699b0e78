"""`scheduler bench` against a running system: what it counts is right, and it leaves nothing behind."""

import json
import signal
from typing import Any

import psycopg
import pytest

from scheduler.cli.bench import bench
from scheduler.domain.errors import ConfigurationError
from scheduler.store.benchmark import Load
from tests.eventually import eventually
from tests.integration.cli.running import Shell, System, start


def rows_left(database_url: str) -> int:
    with psycopg.connect(database_url) as conn:
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


def test_throughput(system: System) -> None:
    result = run(system, "--jobs", "500")
    assert result["each_exactly_once"] is True
    assert result["jobs"] == result["attempts"] == 500
    assert result["executors"] == 1
    assert result["jobs_per_second"] == pytest.approx(500 / result["seconds"], rel=0.01)
    late = result["lateness_ms"]
    assert 0 <= late["p50"] <= late["p95"] <= late["p99"] <= late["max"]
    assert result["cores"] >= 1
    assert rows_left(system.environment["DATABASE_URL"]) == 0


def test_lateness(system: System) -> None:
    result = run(system, "--lateness", "1")
    assert result["mode"] == "lateness"
    assert result["attempts"] == 1
    assert "jobs_per_second" not in result
    assert rows_left(system.environment["DATABASE_URL"]) == 0


def test_stopped_it_removes_its_jobs(servers_alone: dict[str, str]) -> None:
    process = start(["bench"], servers_alone)
    try:
        assert eventually(lambda: rows_left(servers_alone["DATABASE_URL"]), 30, what="the jobs are in")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode != 0
    assert rows_left(servers_alone["DATABASE_URL"]) == 0


@pytest.fixture
def servers_alone(system: System, database_url: str) -> dict[str, str]:
    """A database that no picker looks at."""
    return {**system.environment, "DATABASE_URL": database_url}


def test_a_database_that_is_not_there_is_named(shell: Shell) -> None:
    error = shell.run(bench).exception
    assert isinstance(error, ConfigurationError)
    assert "DATABASE_URL" in str(error)


def test_a_load_is_never_somebody_elses_queue() -> None:
    with pytest.raises(ValueError, match="queue"):
        Load("default", 1, 2)
