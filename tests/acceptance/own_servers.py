"""Servers for one module's tests alone: unlike those that all tests share, they may be stopped, frozen and filled."""

import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from scheduler.embedded import EmbeddedServers, Server
from scheduler.store.migrate import migrate
from tests.acceptance.cluster import Cluster
from tests.servers import Servers, fresh_database, reachable_folder

LEASE: Final = 4.0
GRACE: Final = 3.0
_PROTOCOL: Final = 196608


@dataclass(frozen=True)
class OwnServers:
    """Real servers that are ours to break."""

    embedded: EmbeddedServers
    template: str

    @property
    def postgres(self) -> Server:
        return self.embedded.postgres

    @property
    def redis(self) -> Server:
        return self.embedded.valkey

    @property
    def servers(self) -> Servers:
        return Servers(self.embedded.database_url, self.embedded.redis_url, self.template)


@contextmanager
def running_own_servers() -> Generator[OwnServers]:
    """To be entered in the main thread, which the servers end with."""
    with reachable_folder() as folder, EmbeddedServers(folder) as embedded:  # durable: commits outlive it
        plain = Servers(embedded.database_url, embedded.redis_url, "template0")
        with fresh_database(plain) as url:
            migrate(url)
            yield OwnServers(embedded, template=urlsplit(url).path.removeprefix("/"))


@contextmanager
def cluster_on(own: OwnServers, others: Servers, folder: Path, **settings: object) -> Generator[Cluster]:
    """A cluster on servers of our own, and its ledger with `others`, so that tasks can write whatever is away."""
    known = {"lease_seconds": LEASE, "picker_poll_seconds": 0.5, "shutdown_grace_seconds": GRACE}
    with (
        fresh_database(own.servers) as database_url,
        fresh_database(others) as ledger_url,
        Cluster(database_url, own.embedded.redis_url, ledger_url, folder, known | settings) as cluster,
    ):
        yield cluster


@contextmanager
def stopped(server: Server) -> Generator[None]:
    """The server is gone, as after a power cut, and comes back at the end."""
    server.stop(immediate=True)
    try:
        yield
    finally:
        server.start()


@contextmanager
def paused(server: Server) -> Generator[None]:
    """The server is frozen: its kernel still takes connections and bytes for it, and nothing ever answers."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


class Crowd:
    """Clients that take every connection of a PostgreSQL, and never say who they are."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        self._address = (there.hostname or "", there.port or 5432)
        words = f"user\0{there.username}\0database\0postgres\0\0".encode()
        self._greeting = struct.pack("!II", len(words) + 8, _PROTOCOL) + words
        self._sockets: list[socket.socket] = []

    def grow(self, count: int) -> None:
        for _ in range(count):
            client = socket.create_connection(self._address, timeout=5)
            client.sendall(self._greeting)
            self._sockets.append(client)

    def leave(self) -> None:
        for client in self._sockets:
            with suppress(OSError):
                client.close()
        self._sockets.clear()
