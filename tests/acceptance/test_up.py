"""`scheduler up` as its user sees it: one command starts everything, and whatever ends it leaves nothing running."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from scheduler.embedded.process import find_free_port, find_processes
from tests.eventually import eventually
from tests.processes import living_in

START_SECONDS = 90.0
NOBODY = "65534"
AS_NOBODY = (
    *("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"),
    *("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"),  # our Python may lie in root's folder
)


@dataclass(frozen=True)
class Up:
    """A `scheduler up` that runs, and what it has printed so far."""

    process: subprocess.Popen[bytes]
    output_file: Path
    data_dir: Path

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    def wait_for(self, text: str) -> None:
        def said_or_ended() -> bool:
            return text in self.output or self.process.poll() is not None

        eventually(said_or_ended, START_SECONDS, what=f"{text!r} in the output")
        assert text in self.output, self.output

    def end(self, signum: signal.Signals) -> int:
        """Send it `signum`; returns its exit code once nothing of it is left."""
        self.process.send_signal(signum)
        try:
            exit_code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # on which Python says where each thread is
            self.process.wait()
            pytest.fail(f"it does not end; beside it live {self._left()}; it said:\n{self.output}")

        def nothing_is_left() -> bool:
            assert not (left := self._left()), left
            return True

        eventually(nothing_is_left, 5.0, what="the end of every process")
        return exit_code

    def _left(self) -> dict[int, str]:
        """What of it lives: command lines by process."""
        left: dict[int, str] = {}
        for pid in living_in(self.data_dir):
            with suppress(OSError):  # it ended meanwhile
                left[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        return left


@contextmanager
def running_up(
    data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None, become: tuple[str, ...] = ()
) -> Generator[Up, None, None]:
    """Start it; at the end of the block nothing of it may be left."""
    unset = {"DATABASE_URL", "REDIS_URL", "WORKSPACE_ROOTS", "LOG_FORMAT", "LOG_LEVEL", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {
        "SCHEDULER_DATA_DIR": str(data_dir),
        "API_PORT": str(port or find_free_port()),
        "METRICS_PORT": "0",
        "PYTHONFAULTHANDLER": "1",
        **(settings or {}),
    }
    output_file = data_dir.parent / "output"
    with output_file.open("wb") as output:
        process = subprocess.Popen(
            [*become, sys.executable, "-m", "scheduler", "up"],
            stdout=output,
            stderr=output,
            env=environment,
            cwd=data_dir.parent,
        )
    try:
        yield Up(process, output_file, data_dir)
    finally:
        process.kill()
        process.wait()
        eventually(lambda: living_in(data_dir) == [], 30.0, what="the end of every process")


def kill_server(data_dir: Path, program: str) -> None:
    """Kill the process that the others of it come from."""
    os.kill(find_processes(program, data_dir / program.removesuffix("-server") / "data")[0], signal.SIGKILL)


def fetch(*curl: str) -> dict[str, object]:
    done = subprocess.run(["curl", "-sS", *curl], capture_output=True, timeout=30, check=True)
    return orjson.loads(done.stdout)


def try_the_line_it_prints(up: Up) -> str:
    """Do what the banner says; returns the URL of the job, which has completed."""
    line = re.search(r"^  (curl .*?)$", up.output.replace("\\\n", " "), re.MULTILINE)
    assert line is not None
    done = subprocess.run(["sh", "-c", line[1]], capture_output=True, timeout=30, check=True)
    address = re.search(r"Ready after .*?: (http://\S+)", up.output)
    assert address is not None
    job = f"{address[1]}/api/jobs/{orjson.loads(done.stdout)['id']}"
    eventually(lambda: look(up, job)["status"] == "completed", 30.0, what="a completed job")
    return job


def look(up: Up, job: str) -> dict[str, object]:
    """The job at that URL, with the key that is kept for commands."""
    return fetch(job, "-H", f"Authorization: Bearer {(up.data_dir / 'api_key').read_text()}")


def log_in(up: Up, password: str) -> dict[str, object]:
    """What the API answers to the admin that it made."""
    address = re.search(r"Ready after .*?: (http://\S+)", up.output)
    assert address is not None
    body = orjson.dumps({"email": "admin@example.com", "password": password}).decode()
    return fetch(f"{address[1]}/api/auth/login", "-H", "Content-Type: application/json", "-d", body)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_works_stops_and_starts_again(data_dir: Path, signum: signal.Signals) -> None:
    port = find_free_port()
    with running_up(data_dir, port=port) as up:
        up.wait_for("Ready after")
        job = try_the_line_it_prints(up)
        assert (data_dir / "workspace" / "hello").is_dir()
        for server in ("postgres", "valkey"):
            password_file = data_dir / server / "password"
            assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
            assert password_file.read_text() not in up.output
        password = re.search(r"with the password (\S+) \(shown this once\)", up.output)
        assert password is not None
        assert log_in(up, password[1])["token_type"] == "Bearer"
        for name in ("api_key", "jwt_secret"):
            assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600
            assert (data_dir / name).read_text() not in up.output
        key = (data_dir / "api_key").read_text()
        assert up.end(signum) == 0

    with running_up(data_dir, port=port) as up:
        up.wait_for("Ready after")
        assert look(up, job)["status"] == "completed"
        assert "password" not in up.output
        assert log_in(up, password[1])["token_type"] == "Bearer"
        assert (data_dir / "api_key").read_text() == key
        assert up.end(signum) == 0


def test_killed_it_leaves_nothing_and_starts_again(data_dir: Path) -> None:
    port = find_free_port()
    for _ in range(2):
        with running_up(data_dir, port=port) as up:
            up.wait_for("Ready after")
            assert len(living_in(data_dir)) > 6
            assert up.end(signal.SIGKILL) == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["lock", "api started"])
def test_it_can_be_stopped_while_it_starts(data_dir: Path, moment: str) -> None:
    with running_up(data_dir) as up:
        if moment == "lock":
            eventually((data_dir / "lock").exists, START_SECONDS)
        else:
            up.wait_for(moment)
        assert up.end(signal.SIGTERM) == 0
        assert "Traceback" not in up.output


def test_a_process_that_dies_ends_all(data_dir: Path) -> None:
    with running_up(data_dir) as up:
        up.wait_for("Ready after")
        picker = re.search(r"picker started \(pid=(\d+)\)", up.output)
        assert picker is not None
        os.kill(int(picker[1]), signal.SIGKILL)
        assert up.process.wait(timeout=60) == 1
        eventually(lambda: living_in(data_dir) == [], 5.0, what="the end of every process")


@pytest.mark.parametrize(("program", "name"), [("postgres", "PostgreSQL"), ("valkey-server", "Valkey")])
def test_a_server_that_dies_is_started_again(data_dir: Path, program: str, name: str) -> None:
    with running_up(data_dir) as up:
        up.wait_for("Ready after")
        job = try_the_line_it_prints(up)
        kill_server(data_dir, program)
        up.wait_for(f"{name} had died, and is started again")
        eventually(lambda: look(up, job).get("status") == "completed", 30.0, what="the job of before")
        try_the_line_it_prints(up)
        assert up.end(signal.SIGTERM) == 0


def test_a_server_that_cannot_start_again_ends_all(data_dir: Path) -> None:
    with running_up(data_dir) as up:
        up.wait_for("Ready after")
        (data_dir / "postgres" / "data" / "PG_VERSION").write_text("1\n")
        kill_server(data_dir, "postgres")
        up.wait_for("PostgreSQL did not start: ")
        assert up.process.wait(timeout=60) == 1
        eventually(lambda: living_in(data_dir) == [], 5.0, what="the end of every process")


def test_servers_that_are_named_are_used(data_dir: Path, database_url: str, redis_url: str) -> None:
    with running_up(data_dir, settings={"DATABASE_URL": database_url, "REDIS_URL": redis_url}) as up:
        up.wait_for("Ready after")
        try_the_line_it_prints(up)
        assert sorted(path.name for path in data_dir.iterdir()) == ["api_key", "jwt_secret", "workspace"]
        assert up.end(signal.SIGTERM) == 0


def test_a_taken_port_is_named_before_anything_starts(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running_up(data_dir, port=port) as up:
            assert up.process.wait(timeout=START_SECONDS) == 1
    assert up.output.splitlines() == [
        f"scheduler: API_PORT {port} on 127.0.0.1 is taken: stop what listens there, or set API_PORT to a free one."
    ]
    assert not data_dir.exists()


def test_a_second_one_on_the_same_folder_is_refused(data_dir: Path) -> None:
    with running_up(data_dir) as up:
        up.wait_for("Ready after")
        second = subprocess.run(
            [sys.executable, "-m", "scheduler", "up"],
            env={**os.environ, "SCHEDULER_DATA_DIR": str(data_dir), "API_PORT": str(find_free_port())},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert second.returncode == 1
        assert re.fullmatch(rf"scheduler: .*{data_dir} is in use by process {up.process.pid}:.*\n", second.stderr)
        assert up.end(signal.SIGTERM) == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_an_ordinary_user_can_run_it(data_dir: Path) -> None:
    if subprocess.run([*AS_NOBODY, sys.executable, "-c", ""], check=False).returncode != 0:
        pytest.skip("this machine does not let us become another user")
    data_dir.mkdir()
    os.chown(data_dir, int(NOBODY), int(NOBODY))
    with running_up(data_dir, become=AS_NOBODY) as up:
        up.wait_for("Ready after")
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in living_in(data_dir)} == {int(NOBODY)}
        try_the_line_it_prints(up)
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
        assert up.end(signal.SIGTERM) == 0
