"""`scheduler doctor`: well and ill."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from scheduler.cli.doctor import doctor
from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import NewJob
from scheduler.store.connection import Database
from scheduler.store.intake import create_job
from scheduler.store.transitions import claim
from tests.integration.cli.running import Shell, System, free_port
from tests.servers import Servers


def examine(shell: Shell) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and each check's verdict and text."""
    result = shell.run(doctor)
    findings: dict[str, tuple[str, str]] = {}
    for line in result.stdout.splitlines():
        verdict, subject, text = line.split(maxsplit=2)
        findings[subject] = (verdict, text)
    return result.exit_code, findings


def test_a_system_that_is_well(shell: Shell, system: System) -> None:
    shell.setenv(**{name: system.environment[name] for name in ("DATABASE_URL", "REDIS_URL", "SCHEDULER_DATA_DIR")})
    exit_code, findings = examine(shell)
    assert exit_code == 0, findings
    assert {verdict for verdict, _ in findings.values()} == {"ok"}
    assert set(findings) == {
        *("settings", "postgresql", "clock", "schema", "overdue", "leases", "redis", "executors", "tasks", "workspace")
    }
    assert "1 running" in findings["executors"][1]


@pytest.fixture
def idle(shell: Shell, database_url: str, redis_url: str) -> Shell:
    """The settings of a system with servers and nobody at work."""
    shell.setenv(DATABASE_URL=database_url, REDIS_URL=redis_url)
    return shell


def test_without_an_executor_it_fails(idle: Shell) -> None:
    exit_code, findings = examine(idle)
    assert exit_code == 1
    assert findings["executors"][0] == "FAIL"
    assert "scheduler executor" in findings["executors"][1]


def test_stuck_jobs_are_counted(idle: Shell, db: Database) -> None:
    due = datetime.now(UTC) - timedelta(hours=1)
    with db.connection() as conn:
        for queue in ("left", "left", "held"):
            create_job(conn, OPERATOR, NewJob(task_type="noop", task_data={}, queue=queue, scheduled_at=due))
        claim(conn, queue="held", limit=1, lease_seconds=-3600, ageing_seconds=60)
    _, findings = examine(idle)
    assert findings["overdue"][0] == "warn"
    assert findings["overdue"][1].startswith("2 jobs ")
    assert findings["leases"][0] == "warn"
    assert findings["leases"][1].startswith("1 job ")


def test_jobs_due_just_now_are_not_overdue(idle: Shell, db: Database) -> None:
    with db.connection() as conn:
        create_job(conn, OPERATOR, NewJob(task_type="noop", task_data={}))
    assert examine(idle)[1]["overdue"][0] == "ok"


def test_each_wrong_setting_is_named(shell: Shell) -> None:
    shell.setenv(API_PORT="many", LEASE_SECONDS="-1")
    exit_code, findings = examine(shell)
    assert exit_code == 1
    assert findings["settings"][0] == "FAIL"
    assert "API_PORT" in findings["settings"][1]
    assert "LEASE_SECONDS" in findings["settings"][1]


def test_missing_urls_are_named(shell: Shell) -> None:
    _, findings = examine(shell)
    assert findings["postgresql"][1].startswith("DATABASE_URL is not set")
    assert findings["redis"][1].startswith("REDIS_URL is not set")


def test_servers_that_are_away_fail(shell: Shell) -> None:
    port = free_port()
    shell.setenv(DATABASE_URL=f"postgresql://u@127.0.0.1:{port}/x", REDIS_URL=f"redis://127.0.0.1:{port}/0")
    exit_code, findings = examine(shell)
    assert exit_code == 1
    assert findings["postgresql"] == (
        "FAIL",
        "PostgreSQL does not answer. Check that it runs and that DATABASE_URL is right.",
    )
    assert findings["redis"][0] == "FAIL"


@pytest.mark.parametrize("separator", ["%40", "/", "@", "#", "?"])
def test_no_part_of_a_password_is_shown(shell: Shell, servers: Servers, separator: str) -> None:
    """However the URL is mangled by characters in it that should have been escaped."""
    for name, url in (("DATABASE_URL", servers.database_url), ("REDIS_URL", servers.redis_url)):
        parts = urlsplit(url)
        place = f"{parts.hostname}:{parts.port}{parts.path}"
        shell.setenv(**{name: f"{parts.scheme}://{parts.username or ''}:alpha{separator}omega@{place}"})
    result = shell.run(doctor)
    assert result.exit_code == 1
    assert "FAIL  postgresql" in result.stdout
    assert "FAIL  redis" in result.stdout
    assert "alpha" not in result.output
    assert "omega" not in result.output


def test_the_servers_own_reason_is_shown(shell: Shell, database_url: str) -> None:
    shell.setenv(DATABASE_URL=urlsplit(database_url)._replace(path="/no_such_database").geturl())
    assert 'database "no_such_database" does not exist' in examine(shell)[1]["postgresql"][1]


def test_an_old_schema_fails_and_stuck_jobs_are_not_looked_at(idle: Shell, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("DELETE FROM schema_migrations")
    exit_code, findings = examine(idle)
    assert exit_code == 1
    assert findings["schema"][0] == "FAIL"
    assert "scheduler migrate" in findings["schema"][1]
    assert "overdue" not in findings


def test_a_workspace_that_cannot_be_written_to_fails(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shell.setenv(WORKSPACE_ROOTS=str(tmp_path / "file"))
    _, findings = examine(shell)
    assert findings["workspace"][0] == "FAIL"
    assert "WORKSPACE_ROOTS" in findings["workspace"][1]
