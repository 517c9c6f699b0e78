"""Fixtures: one PostgreSQL and one Redis for a whole run, a database of its own for each test."""

# redis-py and docker leave some of their arguments untyped.
# pyright: reportUnknownMemberType=false

import dataclasses
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
import redis
from hypothesis import settings
from xdist.workermanage import WorkerController

from scheduler.domain.errors import ConfigurationError
from scheduler.store.connection import Database
from tests.servers import Servers, fresh_database, numbered_redis, reachable_folder, running_servers

settings.register_profile("untimed", deadline=None)  # a timing is never an assertion
settings.load_profile("untimed")

_SERVERS = pytest.StashKey[Servers]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """With xdist its controller starts the servers, since it outlives the workers."""
    node.workerinput["servers"] = dataclasses.asdict(_servers_of(node.config))


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Where the servers of this run are."""
    from_controller = cast("dict[str, dict[str, str]]", getattr(pytestconfig, "workerinput", {}))
    return Servers(**from_controller["servers"]) if from_controller else _servers_of(pytestconfig)


@pytest.fixture
def database_url(servers: Servers) -> Generator[str, None, None]:
    """A migrated, empty database."""
    with fresh_database(servers) as url:
        yield url


@pytest.fixture
def db(database_url: str) -> Generator[Database, None, None]:
    """A pool on `database_url`."""
    database = Database(database_url, name="test")
    yield database
    database.close()


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """An empty logical database, this test worker's own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    url = numbered_redis(servers, 1 + int(worker.removeprefix("gw")))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def data_dir() -> Generator[Path, None, None]:
    """A data folder, not made yet, that every user of the machine can reach."""
    with reachable_folder() as folder:
        yield folder


def _servers_of(config: pytest.Config) -> Servers:
    if _SERVERS not in config.stash:
        running = ExitStack()
        try:
            config.stash[_SERVERS] = running.enter_context(running_servers())
        except ConfigurationError as fault:
            raise pytest.UsageError(str(fault)) from fault
        config.add_cleanup(running.close)
    return config.stash[_SERVERS]
