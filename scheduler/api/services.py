"""What the API stands on, handed to it when the application is built."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from threading import BoundedSemaphore
from typing import Final, cast

from flask import Flask, current_app, g

from scheduler.api.nudge import Nudge
from scheduler.api.recent import Recent
from scheduler.api.tokens import Tokens
from scheduler.queue import Signals
from scheduler.store.connection import Connection, Database
from scheduler.tasks.registry import Registry

EXPORTS_AT_ONCE: Final = 2
"""Each holds a thread and a connection for as long as its client reads: most of both are left to other requests."""
LOGINS_AT_ONCE: Final = 3
"""Each holds a thread and a core while it hashes a password: most threads are left to other requests."""
_KEY: Final = "scheduler"
_TRANSACTION: Final = "transaction"
_BEGIN: Final = "begin_transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The store, the signals to pickers and executors, the task types, and the API's own limits.

    `redis_url` is where requests are counted, `rate_limit` how many an account may send (Flask-Limiter's notation,
    empty for any number), `metrics_token` what opens /metrics beside an admin's log-in (empty: nothing),
    `cors_origins` whose pages may call, `trusted_proxies` who is believed about its client.
    """

    database: Database
    signals: Signals
    registry: Registry
    max_body_bytes: int
    version: str
    tokens: Tokens
    redis_url: str
    metrics_token: str = ""
    rate_limit: str = ""
    allow_registration: bool = False
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class _Installed:
    services: Services
    nudge: Nudge
    exports: BoundedSemaphore
    logins: BoundedSemaphore
    recent: Recent


def install(app: Flask, services: Services) -> None:
    """Make `services` those of the requests that `app` answers."""
    app.extensions[_KEY] = _Installed(
        services,
        Nudge(services.signals),
        BoundedSemaphore(EXPORTS_AT_ONCE),
        BoundedSemaphore(LOGINS_AT_ONCE),
        Recent(),
    )


def services() -> Services:
    """Those of the application that answers the present request."""
    return _installed().services


@contextmanager
def connection() -> Generator[Connection]:
    """Lend a connection to the store: the one that holds the request's transaction, where there is one."""
    if (begin := g.pop(_BEGIN, None)) is not None:
        begin()
    if (lent := g.get(_TRANSACTION)) is not None:
        yield lent
    else:
        with services().database.connection() as fresh:
            yield fresh


@contextmanager
def transaction() -> Generator[Connection]:
    """Let all that the request does in the store, in this block, happen in whole or not at all."""
    if (lent := g.get(_TRANSACTION)) is not None:
        yield lent
        return
    with services().database.connection() as fresh, fresh.transaction():
        setattr(g, _TRANSACTION, fresh)
        try:
            yield fresh
        finally:
            g.pop(_TRANSACTION)


@contextmanager
def whole(first: Callable[[], None]) -> Generator[None]:
    """The same, but it begins with the first connection() in the block: what is refused before costs no connection.

    `first` is done then, before all else in it.
    """
    with ExitStack() as stack:

        def begin() -> None:
            stack.enter_context(transaction())
            first()

        setattr(g, _BEGIN, begin)
        try:
            yield
        finally:
            g.pop(_BEGIN, None)


def nudge() -> Nudge:
    """The same, for its signals."""
    return _installed().nudge


def exports() -> BoundedSemaphore:
    """The same, for its places for exports."""
    return _installed().exports


def logins() -> BoundedSemaphore:
    """The same, for its places for hashing passwords."""
    return _installed().logins


def recent() -> Recent:
    """The same, for its answers of a moment ago."""
    return _installed().recent


def _installed() -> _Installed:
    return cast("_Installed", current_app.extensions[_KEY])
