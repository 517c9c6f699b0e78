"""The command line as its page has it: every example in order, the log-in it keeps, and its exit codes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli import commands
from scheduler.cli.kept_log_in import KeptLogIn
from scheduler.client import LogIn
from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from tests.credentials import access_token
from tests.eventually import eventually
from tests.integration.cli.running import Shell, System

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
EMAIL, PASSWORD = "ada@example.com", "a long pass phrase"
JOB: dict[str, Any] = {"task": {"type": "noop", "data": {}}, "delay_seconds": 3600}


@pytest.fixture(scope="module", autouse=True)
def _ada(system: System) -> None:
    database = Database(system.environment["DATABASE_URL"], name="test")
    with database.connection() as conn:
        create_account(conn, NewAccount(email=EMAIL, password_hash=hash_password(PASSWORD), role=Role.ADMIN))
    database.close()


def examples(kind: str) -> list[tuple[str, list[str]]]:
    """Each command, and what its output is said to hold."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("# "):
                found[-1][1].append(line.removeprefix("# "))
            else:
                found.append((line, []))
    return found


def run_examples(shell: Shell, kind: str) -> None:
    for line, shown in examples(kind):
        command, _, source = line.partition(" < ")
        program, *arguments = shlex.split(command)
        assert program == "scheduler"
        result = shell.run(commands, *arguments, stdin=Path(source).read_text() if source else None)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        for text in shown:
            assert text in result.stdout, f"{line}\n{result.output}"


def test_each_example_does_as_it_is_shown(shell: Shell, system: System, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    (tmp_path / "nightly.jsonl").write_text(f"{json.dumps(JOB)}\n\n{json.dumps(JOB)}\n")
    (tmp_path / "nightly.csv").write_text("task_type,scheduled_at\nnoop,2099-01-01T00:00:00Z\n")
    shell.setenv(SCHEDULER_URL=system.url, DATABASE_URL=system.environment["DATABASE_URL"])
    run_examples(shell, "sh")
    assert (tmp_path / "slow.csv").read_text().startswith("id,name,")
    assert json.loads((tmp_path / "completed.jsonl").read_text().splitlines()[0])["status"] == "completed"


def test_limits_that_say_nothing_are_wrong(shell: Shell) -> None:
    assert shell.run(commands, "queues", "limit", "mails", "--rate", "fast").exit_code == 2
    assert shell.run(commands, "queues", "limit", "mails").exit_code == 2


def test_a_log_in_is_kept_for_its_user_alone_and_renews_itself(shell: Shell, system: System) -> None:
    shell.setenv(SCHEDULER_URL=system.url)
    wrong = shell.run(commands, "login", "--email", EMAIL, "--password-stdin", stdin="wrong\n")
    assert wrong.exit_code == 4
    assert wrong.stderr.count("\n") == 1
    kept = KeptLogIn(system.url)
    assert kept.load() is None
    assert shell.run(commands, "login", "--email", EMAIL, "--password-stdin", stdin=PASSWORD).exit_code == 0
    first = kept.load()
    assert first is not None
    assert kept.file.stat().st_mode & 0o777 == 0o600
    assert kept.file.parent.stat().st_mode & 0o777 == 0o700
    kept.save(LogIn(access_token=access_token(exp=1), refresh_token=first.refresh_token))
    assert shell.run(commands, "whoami").exit_code == 0
    renewed = kept.load()
    assert renewed is not None
    assert renewed.refresh_token != first.refresh_token
    assert shell.run(commands, "logout").exit_code == 0
    assert not kept.file.exists()
    refused = shell.run(commands, "whoami")
    assert refused.exit_code == 4
    assert "scheduler login" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("jobs", "show", "999999"), 3),
        (("schedules", "delete", "999999"), 3),
        (("users", "role", "nobody@example.com", "user"), 3),
        (("jobs", "show", "none"), 2),
        (("templates", "use", "1", "-p", "nothing"), 2),
        (("schedules", "preview", "nonsense"), 1),
        (("jobs", "import", "missing.csv"), 2),
    ],
)
def test_what_a_script_can_tell_apart(shell: Shell, system: System, arguments: tuple[str, ...], exit_code: int) -> None:
    shell.setenv(SCHEDULER_URL=system.url, SCHEDULER_TOKEN=access_token())
    result = shell.run(commands, *arguments)
    assert result.exit_code == exit_code, result.output
    assert result.stderr
    assert "Traceback" not in result.output


def test_a_viewer_may_not_write(shell: Shell, system: System) -> None:
    shell.setenv(SCHEDULER_URL=system.url, SCHEDULER_TOKEN=access_token(Role.VIEWER))
    assert shell.run(commands, "jobs", "create", "noop").exit_code == 4


@contextmanager
def program(system: System, *arguments: str, **streams: Any) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "scheduler", *arguments]
    environment = {**system.environment, "SCHEDULER_URL": system.url}
    with subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_is_130_and_no_words(system: System, tmp_path: Path) -> None:
    """It waits for the writer of a pipe, which never comes to an end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with program(system, "jobs", "import", str(pipe)) as process, pipe.open("w"):  # opens once it is read
        process.send_signal(signal.SIGINT)
        assert eventually(lambda: process.poll() is not None)
        assert process.returncode == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_reader_that_has_seen_enough_is_no_error(system: System) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with program(system, "jobs", "export", stdout=writes) as process:
        os.close(writes)
        assert eventually(lambda: process.poll() is not None)
        assert process.stderr is not None
        assert process.stderr.read() == ""
