"""What the API stands on, handed to it when the application is built."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final, cast

from flask import Flask, current_app, g

from scheduler.api.nudge import Nudge
from scheduler.queue import Signals
from scheduler.store.connection import Connection, Database
from scheduler.tasks.registry import Registry

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "[::1]")
EXPORTS_AT_ONCE: Final = 2
"""Each holds a thread and a connection for as long as its client reads: most of both are left to other requests."""
_KEY: Final = "scheduler"
_TRANSACTION: Final = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The store, the signals to pickers and executors, the task types, and the API's own limits.

    `trusted_hosts` are the names under which it may be called: a page elsewhere cannot reach it through a
    name of its own that resolves to this machine (DNS rebinding).
    """

    database: Database
    signals: Signals
    registry: Registry
    max_body_bytes: int
    version: str
    trusted_hosts: tuple[str, ...] = LOOPBACK_HOSTS


@dataclass(frozen=True, slots=True)
class _Installed:
    services: Services
    nudge: Nudge
    exports: BoundedSemaphore


def install(app: Flask, services: Services) -> None:
    """Make `services` those of the requests that `app` answers."""
    app.extensions[_KEY] = _Installed(services, Nudge(services.signals), BoundedSemaphore(EXPORTS_AT_ONCE))


def services() -> Services:
    """Those of the application that answers the present request."""
    return _installed().services


@contextmanager
def connection() -> Generator[Connection]:
    """Lend a connection to the store: the one that holds the request's transaction, where there is one."""
    if (lent := g.get(_TRANSACTION)) is not None:
        yield lent
    else:
        with services().database.connection() as fresh:
            yield fresh


@contextmanager
def transaction() -> Generator[Connection]:
    """Let all that the request does in the store, in this block, happen in whole or not at all."""
    with services().database.connection() as fresh, fresh.transaction():
        setattr(g, _TRANSACTION, fresh)
        try:
            yield fresh
        finally:
            g.pop(_TRANSACTION)


def nudge() -> Nudge:
    """The same, for its signals."""
    return _installed().nudge


def exports() -> BoundedSemaphore:
    """The same, for its places for exports."""
    return _installed().exports


def _installed() -> _Installed:
    return cast("_Installed", current_app.extensions[_KEY])
