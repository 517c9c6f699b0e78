"""Connections to PostgreSQL: a pool that hands out live ones, and one error when there are none."""

import os
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cached_property
from math import inf
from typing import Any, Final, LiteralString, TypeAlias

import orjson
import psycopg
from psycopg import conninfo
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from scheduler.domain.errors import ConfigurationError, StoreUnavailable
from scheduler.store.prepared import Prepared

set_json_loads(orjson.loads)

Connection: TypeAlias = "psycopg.Connection[TupleRow]"
"""In autocommit: each statement is its own transaction unless `transaction()` says otherwise."""

OLDEST_POSTGRESQL: Final = 15

CHECK_SECONDS: Final = 1.5
"""How long a connection may take to show that it lives."""
FRESH_SECONDS: Final = 0.5
"""How long an answer counts as a sign of life: a round trip saved for whoever is busy."""
ANSWER_SECONDS: Final = 60.0
"""How long one may be lent: longer than any of our statements, however many rows there are."""

PLANS_FOR_ANY_SIZE: Final = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off"
"""Plans are the ones for many rows, though there be few yet. (JIT compiles where a small table without an index has to
be read after all: before PostgreSQL 18 that looks dear.)"""

_LOOK_SECONDS: Final = 0.5

_REFUSAL: Final = re.compile(r"FATAL:\s+([^\n]+)")
_AWAY: Final = "PostgreSQL does not answer: check that it runs and that DATABASE_URL is right."
_READ_ONLY: Final = (
    "PostgreSQL takes no writes: it is a standby, or its disk is full. Point DATABASE_URL at the primary."
)


class Database:
    """A pool of autocommit connections to one database, at most `max_size`; waits `timeout` seconds for one.

    `keeps_plans`: plans are those for a table of any size, by its indexes, so that they may be kept (docs/adr/0020).
    """

    def __init__(
        self, url: str, *, name: str, max_size: int = 8, timeout: float = 1.5, keeps_plans: bool = False
    ) -> None:
        _require_url(url)
        self._keeps_plans = keeps_plans
        self._patience = _Patience()
        self._pool: ConnectionPool[_Pooled] = ConnectionPool(
            url,
            connection_class=_Pooled,
            configure=self._begin,
            kwargs={
                "autocommit": True,
                "application_name": f"scheduler {name}",
                "connect_timeout": 5,
                # A prepared statement keeps the plan that fitted the table when it was small: a claim made ready on
                # an empty table scans a large one from end to end. So only those are prepared whose plan is always the
                # same, and that ask for it.
                "prepare_threshold": sys.maxsize,
                # A peer that vanished without a word is noticed in seconds, not in TCP's quarter of an hour.
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
            num_workers=1,
            min_size=0,
            max_size=max_size,
            timeout=timeout,
            max_idle=300,
            reconnect_timeout=10,
            name=name,
            open=True,
        )

    @contextmanager
    def connection(self, *, seconds: float = ANSWER_SECONDS) -> Generator[Connection]:
        """Lend a connection, for so many seconds at most.

        Raises StoreUnavailable when there is none, or when it breaks or takes no writes during the block.
        """
        try:
            connection = self._live_connection()
            try:
                with self._patience.ends_in(seconds, connection):
                    yield connection
                connection.answered = time.monotonic()
            finally:
                self._pool.putconn(connection)
        except (psycopg.OperationalError, PoolTimeout, PoolClosed) as error:
            raise StoreUnavailable(_AWAY) from error
        except psycopg.errors.ReadOnlySqlTransaction as error:
            self._pool.drain()  # a new connection may lead to the server that has taken its place
            raise StoreUnavailable(_READ_ONLY) from error

    def _live_connection(self) -> "_Pooled":
        """One that answers. When one does not, none of its age will: the server was restarted, and all are replaced.

        The pool's own check would meet them one by one, with a second between them.
        """
        while True:
            connection = self._pool.getconn()
            if connection.is_fresh:
                return connection
            try:
                with self._patience.ends_in(CHECK_SECONDS, connection):
                    self._pool.check_connection(connection)
            except psycopg.OperationalError:
                self._pool.putconn(connection)
                self._pool.drain()
            else:
                return connection

    def _begin(self, connection: "_Pooled") -> None:
        """A pooler, as PgBouncer is, lends each transaction another server connection: what one has prepared, the next
        has not. It shows by its own number in the place of the backend's (docs/adr/0019)."""
        with self._patience.ends_in(CHECK_SECONDS, connection):
            if connection.execute("SELECT pg_backend_pid()").fetchone() != (connection.info.backend_pid,):
                connection.prepare_threshold = None  # whoever asks for it
            elif self._keeps_plans:
                connection.execute(PLANS_FOR_ANY_SIZE)

    def close(self) -> None:
        """Close every connection; the pool cannot be used again."""
        self._pool.close(timeout=2)
        self._patience.end()


@contextmanager
def connected(url: str, *, name: str) -> Generator[Connection]:
    """One plain connection for an errand: it can say why it is refused, and needs no threads, as a pool does.

    Raises ConfigurationError when `url` is none, StoreUnavailable with the server's own reason when it gives one.
    Nothing else of the driver's message is shown: where a URL is mistyped, that may quote a part of the password.
    """
    _require_url(url)
    who = f"scheduler {name}"
    try:
        with psycopg.connect(
            url, autocommit=True, prepare_threshold=None, application_name=who, connect_timeout=5
        ) as conn:
            yield conn
    except psycopg.OperationalError as error:
        words = _REFUSAL.search(str(error))
        reason = f"PostgreSQL refuses: {words[1]}" if words else "PostgreSQL does not answer"
        raise StoreUnavailable(f"{reason}. Check that it runs and that DATABASE_URL is right.") from error
    except psycopg.errors.InsufficientPrivilege as error:
        refusal = f"PostgreSQL refuses: {error.diag.message_primary}."
        raise StoreUnavailable(f"{refusal} Grant it to the user that DATABASE_URL names.") from error


def _require_url(url: str) -> None:
    try:
        conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ConfigurationError("DATABASE_URL is not a PostgreSQL connection URL.") from None


class _Pooled(psycopg.Connection[TupleRow]):
    """One that remembers when it last gave every answer that it was asked for, by the monotonic clock."""

    answered: float = -inf

    @cached_property
    def prepared(self) -> Prepared | None:
        """What is prepared on it; None behind a pooler."""
        return None if self.prepare_threshold is None else Prepared(self)

    @property
    def is_fresh(self) -> bool:
        """Whether it has just answered and said nothing since, as it would when the server restarts or drops it."""
        return time.monotonic() - self.answered < FRESH_SECONDS and not _has_something_to_read(self.fileno())


class _Patience:
    """A thread that breaks connections on which nobody answered in time: a frozen server's kernel still takes what
    is sent, and libpq would wait for ever."""

    def __init__(self) -> None:
        self._until: dict[Connection, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_over = False

    @contextmanager
    def ends_in(self, seconds: float, connection: Connection) -> Generator[None]:
        """Break `connection` if the block lasts longer."""
        with self._changed:
            self._until[connection] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="patience", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._until.pop(connection, None)

    def end(self) -> None:
        """Watch those that are still lent, and then no more."""
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def _watch(self) -> None:
        while self._until or not self._is_over:
            with self._changed:
                self._changed.wait(_LOOK_SECONDS)
                now = time.monotonic()
                for connection in [each for each, until in self._until.items() if until <= now]:
                    del self._until[connection]
                    _break(connection)


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _break(connection: Connection) -> None:
    """Let whoever waits on `connection` read its end."""
    with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def server_version(conn: Connection) -> int:
    """The server's major version."""
    return conn.info.server_version // 10_000


def fetch_all(
    conn: Connection, statement: LiteralString, parameters: dict[str, Any], *, prepare: bool = False
) -> list[TupleRow]:
    """Every row of one statement. `prepare` it only where its plan cannot depend on the table's size.

    What is worth preparing is worth an answer in binary, too, which both sides read faster.
    """
    return conn.execute(statement, parameters, prepare=prepare or None, binary=prepare).fetchall()


def fetch_one(
    conn: Connection, statement: LiteralString, parameters: dict[str, Any], *, prepare: bool = False
) -> TupleRow | None:
    """The first row of one statement, or None. `prepare` as in `fetch_all`, and where no signal need interrupt it."""
    if prepare and isinstance(conn, _Pooled) and conn.prepared is not None:
        return conn.prepared.ask(statement, parameters)
    return conn.execute(statement, parameters).fetchone()
