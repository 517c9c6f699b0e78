"""Fixtures: a cluster for the test alone, and one that the gentle tests of a worker share."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from tests.acceptance.cluster import Cluster, free_port, running_cluster
from tests.acceptance.neighbours import Mailbox, Website
from tests.servers import Servers, numbered_redis


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the processes said."""
    report = yield
    if report.failed:
        clusters = [each for each in item.funcargs.values() if isinstance(each, Cluster)]
        for node in [node for each in clusters for node in each.nodes]:
            report.sections.append((f"{node.role} {node.process.pid}", node.log[-4000:]))
    return report


@pytest.fixture
def cluster(servers: Servers, redis_url: str, tmp_path: Path) -> Generator[Cluster]:
    """No process runs yet. Leases and polls are short, so that what must be rescued is rescued soon."""
    with running_cluster(
        servers, redis_url, tmp_path, lease_seconds=2, picker_poll_seconds=0.5, shutdown_grace_seconds=5
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def mailbox() -> Generator[Mailbox]:
    """A mail server."""
    with Mailbox.serving() as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def website() -> Generator[Website]:
    """A web server."""
    with Website.serving() as website:
        yield website


@pytest.fixture(scope="session")
def town(
    servers: Servers, mailbox: Mailbox, website: Website, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Cluster]:
    """An API, a picker and an executor with the default lease and poll, for tests that break nothing."""
    folder = tmp_path_factory.mktemp("town")
    with running_cluster(
        servers,
        _last_redis(servers),
        folder,
        api_port=free_port(),
        workspace_roots=folder / "workspace",
        api_task_allow=f"127.0.0.1:{website.port}",
        smtp_port=mailbox.port,
    ) as cluster:
        (folder / "workspace").mkdir()
        cluster.start("api", "picker", "executor")
        yield cluster


def _last_redis(servers: Servers) -> str:
    """An empty logical database, counted from the end: `redis_url` counts from the beginning."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with redis.Redis.from_url(servers.redis_url) as client:
        databases = int(cast("dict[str, Any]", client.config_get("databases"))["databases"])
    url = numbered_redis(servers, databases - 1 - worker)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
