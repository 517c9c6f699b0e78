"""The real application over real servers, called through Flask's client."""

import socket
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager

import pytest

from scheduler.api.app import Services, create_app
from scheduler.api.tokens import Tokens
from scheduler.domain.states import JobStatus
from scheduler.queue import Listener, Signals
from scheduler.store.connection import Database
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.registry import Registry
from scheduler.tasks.smtp_pool import SmtpConfig
from tests.credentials import SECRET
from tests.eventually import eventually
from tests.integration.api.calls import Api

MAX_BODY_BYTES = 20_000

Heard = list[str]
Listen = Callable[[str], Heard]
Move = Callable[[int, JobStatus], None]

_MOVES = {
    JobStatus.PICKED: "SET status = 'picked', picked_at = now(), lease_until = now() + interval '1 minute'",
    JobStatus.RUNNING: "SET status = 'running', picked_at = now(), lease_until = now() + interval '1 minute',"
    " started_at = now(), worker = 'w', attempt = 1, run = 1",
    JobStatus.COMPLETED: "SET status = 'completed', picked_at = now(), completed_at = now(), started_at = now(),"
    " worker = 'w', attempt = 1, run = 1",
    JobStatus.FAILED: "SET status = 'failed', completed_at = now(), attempt = 3, run = 3, error = '{\"type\": \"x\"}'",
}


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    root = tmp_path_factory.mktemp("workspace")
    smtp = SmtpConfig(host="127.0.0.1", port=25)
    return Registry(builtin_tasks(BuiltinConfig(workspace_roots=(root,), api_allow=(), smtp=smtp)))


@pytest.fixture(scope="session")
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def services(db: Database, redis_url: str, registry: Registry) -> Generator[Services]:
    with closing(Signals(redis_url)) as signals:
        yield Services(
            database=db,
            signals=signals,
            registry=registry,
            max_body_bytes=MAX_BODY_BYTES,
            version="1.2.3",
            tokens=Tokens([SECRET]),
            redis_url=redis_url,
        )


@pytest.fixture
def api(services: Services) -> Api:
    return Api(create_app(services))


@contextmanager
def no_services(registry: Registry, closed_port: int, *, max_body_bytes: int = MAX_BODY_BYTES) -> Generator[Services]:
    """Services of which both servers are away."""
    database = Database(f"postgresql://nobody@127.0.0.1:{closed_port}/none", name="test", timeout=0.2)
    with closing(database), closing(Signals(f"redis://127.0.0.1:{closed_port}/0")) as signals:
        yield Services(
            database=database,
            signals=signals,
            registry=registry,
            max_body_bytes=max_body_bytes,
            version="1.2.3",
            tokens=Tokens([SECRET]),
            redis_url=f"redis://127.0.0.1:{closed_port}/0",
        )


@pytest.fixture(scope="session")
def storeless(registry: Registry, closed_port: int) -> Generator[Api]:
    """An API whose servers are both away."""
    with no_services(registry, closed_port) as services:
        yield Api(create_app(services))


@pytest.fixture
def move(db: Database) -> Move:
    """Puts a job into a state as if others had worked on it."""

    def put(job_id: int, status: JobStatus) -> None:
        with db.connection() as connection:
            connection.execute(f"UPDATE jobs {_MOVES[status]} WHERE id = {job_id}".encode())

    return put


@pytest.fixture
def listen(redis_url: str) -> Generator[Listen]:
    """Hears a channel from now on."""
    listeners: list[Listener] = []

    def start(channel: str) -> Heard:
        heard: Heard = []
        listeners.append(Listener(redis_url, channel, heard.append))
        listeners[-1].start()
        eventually(lambda: heard == [""], what="the listener's first call")
        return heard

    yield start
    for listener in listeners:
        listener.stop()
