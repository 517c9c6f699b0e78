"""The real application over real servers, called through Flask's client."""

import socket
from collections.abc import Generator
from contextlib import closing

import pytest

from scheduler.api.app import Services, create_app
from scheduler.queue import Signals
from scheduler.store.connection import Database
from scheduler.tasks.builtin import BuiltinConfig, builtin_tasks
from scheduler.tasks.registry import Registry
from scheduler.tasks.send_email import SmtpConfig
from tests.integration.api.calls import Api

MAX_BODY_BYTES = 20_000


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
        yield Services(database=db, signals=signals, registry=registry, max_body_bytes=MAX_BODY_BYTES, version="1.2.3")


@pytest.fixture
def api(services: Services) -> Api:
    return Api(create_app(services))


@pytest.fixture(scope="session")
def storeless(registry: Registry, closed_port: int) -> Generator[Api]:
    """An API whose servers are both away."""
    database = Database(f"postgresql://nobody@127.0.0.1:{closed_port}/none", name="test", timeout=0.2)
    with closing(database), closing(Signals(f"redis://127.0.0.1:{closed_port}/0")) as signals:
        yield Api(
            create_app(
                Services(
                    database=database,
                    signals=signals,
                    registry=registry,
                    max_body_bytes=MAX_BODY_BYTES,
                    version="1.2.3",
                )
            )
        )
