"""A cluster of real processes on a database and a Redis of its own, started, frozen and killed as a test likes."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, cast

import psycopg
from psycopg.rows import TupleRow

from scheduler.daemon import LIFELINE
from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import Execution, Job, JsonObject, NewJob
from scheduler.domain.listing import PageRequest
from scheduler.domain.states import JobStatus
from scheduler.store.connection import Database
from scheduler.store.intake import create_job, create_jobs
from scheduler.store.reads import get_job, list_executions
from tests.acceptance.ledger_tasks import CREATE_LEDGER, LEDGER_URL
from tests.credentials import SECRET, bearer
from tests.eventually import eventually
from tests.servers import Servers, fresh_database

_ROOT: Final = Path(__file__).parents[2]
_BYTECODE: Final = Path(tempfile.gettempdir()) / f"scheduler-acceptance-{os.geteuid()}"
"""Compiled modules of all processes of all runs: a start takes a third of the time."""

START_SECONDS: Final = 60.0
"""A start takes about a second on an idle machine."""


class Entry(NamedTuple):
    """A row that a task wrote."""

    job_id: int
    attempt: int
    event: str
    pid: int
    at: datetime


class Answer(NamedTuple):
    """What the API said."""

    status: int
    body: Any


@dataclass(frozen=True)
class Node:
    """A process of the product."""

    role: str
    process: "subprocess.Popen[bytes]"
    log_file: Path
    port: int | None = None
    """Where it listens, if it is an API."""

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait_ready(self) -> Self:
        def ready() -> bool:
            assert self.is_alive, self.log
            return f"{self.role} ready" in self.log and (self.port is None or is_listening(self.port))

        eventually(ready, START_SECONDS, what=f"a {self.role} that is ready")
        return self

    def terminate(self) -> None:
        self.process.terminate()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def exit_code(self, within: float) -> int:
        """What it ends with, within that many seconds."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the {self.role} still runs after {within:g} s:\n{self.log}") from None

    def exit_code_under(self, signum: signal.Signals, within: float, *, every: float = 0.001) -> int:
        """What it ends with, within that many seconds, when it is sent that signal all the while."""
        expires = time.monotonic() + within
        while time.monotonic() < expires:
            self.process.send_signal(signum)  # none to a process whose exit code is known
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(every)
        raise AssertionError(f"the {self.role} still runs after {within:g} s:\n{self.log}")


@dataclass
class Cluster:
    """Processes that share servers. `settings` are the environment of each, in lower case."""

    database_url: str
    redis_url: str
    ledger_url: str
    folder: Path
    settings: dict[str, object] = field(default_factory=dict[str, object])
    nodes: list[Node] = field(default_factory=list[Node])

    def __enter__(self) -> Self:
        self.database = Database(self.database_url, name="test")
        self._ledger = psycopg.connect(self.ledger_url, autocommit=True)
        self._ledger.execute(CREATE_LEDGER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.process.kill()  # a frozen one dies of it, too
        for node in self.nodes:
            node.process.wait()
        self.database.close()
        self._ledger.close()

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, *roles: str, **settings: object) -> list[Node]:
        """Start processes side by side, and wait until each is ready."""
        nodes = [self.launch(role, **settings) for role in roles]
        return [node.wait_ready() for node in nodes]

    def start_one(self, role: str, **settings: object) -> Node:
        """Start one process, and wait until it is ready."""
        return self.launch(role, **settings).wait_ready()

    def launch(self, role: str, **settings: object) -> Node:
        """Start a process."""
        log_file = self.folder / f"{len(self.nodes)}-{role}.log"
        options = self.settings | settings
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "PYTHONPATH": str(_ROOT),
            "PYTHONPYCACHEPREFIX": str(_BYTECODE),
            LIFELINE: str(os.getpid()),
            LEDGER_URL: self.ledger_url,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "JWT_SECRET": SECRET,
            "METRICS_PORT": "0",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "debug",
            "SCHEDULER_TASK_MODULES": "tests.acceptance.ledger_tasks",
            "SCHEDULER_DATA_DIR": str(self.folder),
            **{name.upper(): str(value) for name, value in options.items()},
        }
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "scheduler", role],
                env=environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        node = Node(role, process, log_file, cast("int", options["api_port"]) if role == "api" else None)
        self.nodes.append(node)
        return node

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, task_type: str, data: JsonObject | None = None, **options: Any) -> int:
        """Put a job into the database, where a poll finds it; its id."""
        with self.database.connection() as conn:
            return create_job(conn, OPERATOR, NewJob(task_type=task_type, task_data=data or {}, **options))[0].id

    def create_many(self, count: int, task_type: str, data: JsonObject | None = None, **options: Any) -> list[int]:
        """The same for many."""
        new = NewJob(task_type=task_type, task_data=data or {}, **options)
        with self.database.connection() as conn:
            return create_jobs(conn, OPERATOR, [new] * count)

    def job(self, job_id: int) -> Job:
        with self.database.connection() as conn:
            return get_job(conn, OPERATOR, job_id)

    def executions(self, job_id: int) -> list[Execution]:
        """The job's attempts that have ended, oldest first."""
        with self.database.connection() as conn:
            return list_executions(conn, OPERATOR, job_id, PageRequest(limit=200)).items[::-1]

    def outcomes(self, job_id: int) -> list[tuple[int, str]]:
        """Number and status of each attempt that has ended, oldest first."""
        return [(each.attempt, each.status.value) for each in self.executions(job_id)]

    def reach(self, job_id: int, status: str, within: float = 30.0) -> Job:
        """The job, once it stands there."""

        def there() -> Job:
            job = self.job(job_id)
            assert job.status == JobStatus(status), job
            return job

        return eventually(there, within, what=f"job {job_id} {status}")

    def statuses(self) -> Counter[str]:
        """How many jobs stand where."""
        return Counter(
            dict(cast("list[tuple[str, int]]", self.sql("SELECT status::text, count(*) FROM jobs GROUP BY 1")))
        )

    def all_reach(self, status: str, count: int, within: float) -> None:
        """Wait until every job, `count` in all, stands there."""

        def there() -> bool:
            assert self.statuses() == {status: count}, self.statuses()
            return True

        eventually(there, within, what=f"{count} jobs {status}")

    def sql(self, statement: str, *parameters: object) -> list[TupleRow]:
        """Rows of the scheduler's database."""
        with self.database.connection() as conn:
            return conn.execute(statement.encode(), parameters).fetchall()

    # ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────

    def entries(self, job_id: int | None = None) -> list[Entry]:
        """What tasks wrote, oldest first."""
        rows = self._ledger.execute(
            "SELECT job_id, attempt, event, pid, at FROM ledger"
            " WHERE %(id)s::bigint IS NULL OR job_id = %(id)s ORDER BY id",
            {"id": job_id},
        )
        return [Entry(*row) for row in rows]

    def entry(self, job_id: int, event: str, attempt: int = 1, within: float = 30.0) -> Entry:
        """That row, once it is there."""

        def found() -> Entry | None:
            return next((each for each in self.entries(job_id) if each[1:3] == (attempt, event)), None)

        return cast("Entry", eventually(found, within, what=f"{event} of attempt {attempt} of job {job_id}"))

    def count(self, event: str) -> Counter[int]:
        """How often each job wrote that."""
        return Counter(each.job_id for each in self.entries() if each.event == event)

    # ── the API ──────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Call the cluster's API, as an admin."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings['api_port']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **bearer(), **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(response.status, json.load(response))
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, json.load(refusal))

    def post_job(self, task_type: str, data: object = None, **options: object) -> int:
        """Create a job as a client does; its id."""
        answer = self.call("POST", "/api/job", {"task": {"type": task_type, "data": data or {}}, **options})
        assert answer.status == 201, answer
        return cast("int", answer.body["id"])


@contextmanager
def running_cluster(servers: Servers, redis_url: str, folder: Path, **settings: object) -> Generator[Cluster]:
    """A cluster without processes yet, on an empty database."""
    with (
        fresh_database(servers) as database_url,
        fresh_database(servers) as ledger_url,
        Cluster(database_url, redis_url, ledger_url, folder, settings) as cluster,
    ):
        yield cluster


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return cast("int", probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_gone(pid: int) -> bool:
    """Whether the process has ended, be it that nobody has asked for its exit code yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return False
