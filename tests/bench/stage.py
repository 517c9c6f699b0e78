"""What all contestants run on: durable servers of their own, emptied for each."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from scheduler.embedded import EmbeddedServers
from tests.servers import Servers, fresh_database


@dataclass(frozen=True, slots=True)
class Place:
    """An empty database, an empty Redis and an empty folder."""

    database_url: str
    redis_url: str
    folder: Path


@dataclass
class Stage:
    """The servers, and the folder for all that contestants leave."""

    servers: EmbeddedServers
    folder: Path
    _places: int = 0

    @contextmanager
    def place(self) -> Generator[Place]:
        """An empty place, for one contestant in one round; nothing of those before it is left to be written."""
        self._places += 1
        folder = self.folder / str(self._places)
        folder.mkdir()
        with redis.Redis.from_url(self.servers.redis_url) as client:
            client.flushall()
        urls = Servers(self.servers.database_url, self.servers.redis_url, template="template0")
        with fresh_database(urls) as database_url:
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
            yield Place(database_url, self.servers.redis_url, folder)
