"""A whole system of real processes, and a shell beside it."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import os
from collections.abc import Generator
from pathlib import Path

import pytest
import redis

from tests.integration.cli.running import Shell, System, running_system
from tests.servers import Servers, fresh_database, numbered_redis


@pytest.fixture(scope="module")
def system(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Generator[System]:
    """A system at work, for all tests of a module: it takes seconds to start."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    redis_url = numbered_redis(servers, 1 + int(worker.removeprefix("gw")))
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    data_dir = tmp_path_factory.mktemp("data")
    with fresh_database(servers) as database_url, running_system(database_url, redis_url, data_dir) as system:
        yield system


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """In an empty folder, with no settings."""
    for name in ("DATABASE_URL", "REDIS_URL", "API_PORT", "SCHEDULER_URL", "SCHEDULER_TOKEN", "SCHEDULER_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch)
