"""The command line at work: in processes of its own, or in this one."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import click
import pytest
from click.testing import CliRunner, Result

from tests.credentials import SECRET, access_token
from tests.eventually import eventually

_CHECKOUT = Path(__file__).parents[3]


def free_port() -> int:
    """A port of this machine where nobody listens at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def start(arguments: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start `scheduler ...` in its data folder, with its output piped here."""
    return subprocess.Popen(
        [sys.executable, "-m", "scheduler", *arguments],
        env=environment,
        cwd=environment["SCHEDULER_DATA_DIR"],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@dataclass(frozen=True)
class System:
    """An API, a picker and an executor at work; `environment` is what they were started with."""

    url: str
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `scheduler ...` beside them."""
        return start(arguments, self.environment)


@contextmanager
def running_system(
    database_url: str, redis_url: str, data_dir: Path, processes: Sequence[str] = ("api", "picker", "executor")
) -> Generator[System]:
    """A system on these servers, ready; stopped in the end as a supervisor would."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "API_PORT": str(port),
        "JWT_SECRET": SECRET,
        "SCHEDULER_TOKEN": access_token(),
        "SCHEDULER_DATA_DIR": str(data_dir),
        "PYTHONPATH": str(_CHECKOUT),
    }
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        for command in processes:
            stack.enter_context(_running(command, environment))
        eventually(lambda: _is_ready(url), 30, what="the API is ready")
        yield System(url, environment)


@contextmanager
def _running(command: str, environment: dict[str, str]) -> Generator[None]:
    folder = environment["SCHEDULER_DATA_DIR"]
    with (Path(folder) / f"{command}.log").open("wb") as log:
        program = [sys.executable, "-m", "scheduler", command]
        process = subprocess.Popen(program, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
            return response.status == 200
    except (URLError, ConnectionError):
        return False


@dataclass(frozen=True)
class Shell:
    """Runs commands in this process, with settings of its own."""

    monkeypatch: pytest.MonkeyPatch

    def setenv(self, **settings: str) -> None:
        for name, value in settings.items():
            self.monkeypatch.setenv(name, value)

    def run(self, command: click.Command, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(command, arguments, input=stdin)
