"""The real PostgreSQL and Redis of the tests: named by the environment, in containers, or embedded."""

# redis-py and docker leave some of their arguments untyped.
# pyright: reportUnknownMemberType=false

import os
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from scheduler.embedded import EmbeddedServers
from scheduler.store.migrate import migrate


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are, and the name of the database that is copied for each test."""

    database_url: str
    redis_url: str
    template: str = ""


@contextmanager
def running_servers() -> Generator[Servers, None, None]:
    """Servers for one run of the tests, with a migrated template."""
    template = f"scheduler_template_{uuid.uuid4().hex[:12]}"
    with _some_servers() as servers, _database(servers.database_url, template) as url:
        migrate(url)
        yield Servers(servers.database_url, servers.redis_url, template)


@contextmanager
def fresh_database(servers: Servers) -> Generator[str, None, None]:
    """The URL of a new, migrated, empty database."""
    with _database(servers.database_url, f"test_{uuid.uuid4().hex[:12]}", template=servers.template) as url:
        yield url


def numbered_redis(servers: Servers, number: int) -> str:
    """The URL of one of the server's logical databases."""
    return urlsplit(servers.redis_url)._replace(path=f"/{number}").geturl()


@contextmanager
def reachable_folder() -> Generator[Path, None, None]:
    """A data folder that every user can reach: pytest's own `tmp_path` lies behind a closed one."""
    with tempfile.TemporaryDirectory(prefix="scheduler-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder) / "data"


@contextmanager
def _some_servers() -> Generator[Servers, None, None]:
    database_url, redis_url = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
    if database_url and redis_url:
        yield Servers(database_url, redis_url)
    elif _docker_answers():
        with _containers() as servers:
            yield servers
    else:
        with reachable_folder() as folder, EmbeddedServers(folder, durable=False) as embedded:
            yield Servers(embedded.database_url, embedded.redis_url)


def _docker_answers() -> bool:
    import docker
    from docker.errors import DockerException

    with suppress(DockerException):
        return bool(docker.from_env(timeout=3).ping())
    return False


@contextmanager
def _containers() -> Generator[Servers, None, None]:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.community.redis import RedisContainer

    with (
        PostgresContainer("postgres:18", driver=None) as postgres,
        RedisContainer("valkey/valkey:9").with_command("valkey-server --databases 64") as redis,
    ):
        address = f"{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}"
        yield Servers(postgres.get_connection_url(), f"redis://{address}/0")


@contextmanager
def _database(url: str, name: str, template: str = "template0") -> Generator[str, None, None]:
    with psycopg.connect(url, autocommit=True) as admin:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
