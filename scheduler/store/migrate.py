"""Bring the schema up to date: the files of `sql/`, in order, each once, under a lock, with checksums."""

import hashlib
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString, cast

import psycopg
from psycopg import IsolationLevel

from scheduler.domain.errors import ConfigurationError, StoreUnavailable
from scheduler.store.connection import OLDEST_POSTGRESQL, Connection, connected, server_version

_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(1548668958)"
"""Without parameters, so that no portal stays open, and a snapshot with it."""
_LOCK_PATIENCE_SECONDS: Final = 300
LOCK_WAIT_SECONDS: Final = 2
"""How long a statement may wait for a lock on a table: everybody else waits behind it. Then they get a turn."""
_NO_TRANSACTION: Final = "-- migrate: no-transaction"
_ONLY_WITH: Final = re.compile(r"^-- migrate: only with (\w+)$", re.MULTILINE)
"""An extension that the database may do without, and then without what the file makes of it."""

_LEDGER: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version    integer PRIMARY KEY,
        name       text NOT NULL,
        sha256     text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `sql/`: `0001_jobs.sql` is version 1."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The newest version that is applied, and the newest that this program knows."""

    applied: int
    expected: int

    @property
    def is_current(self) -> bool:
        return self.applied == self.expected


def migrations() -> list[Migration]:
    """Every migration this program knows, oldest first; raises ConfigurationError when the files are missing."""
    here = Path(__file__).resolve().parent.parent
    for folder in (here / "sql", here.parent / "sql"):  # in a wheel, in a checkout
        if files := sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
            return [Migration(int(file.name[:4]), file.name, file.read_text("utf-8")) for file in files]
    raise ConfigurationError("The folder sql/ with the migrations is missing: reinstall the package.")


def migrate(url: str) -> list[str]:
    """Apply what is missing, and return the names applied. Two at once are safe: the second waits.

    Raises ConfigurationError when an applied file was edited since, or the server is too old.
    """
    with connected(url, name="migrate") as conn, connected(url, name="migrate lock") as holder:
        if (version := server_version(conn)) < OLDEST_POSTGRESQL:
            raise ConfigurationError(f"PostgreSQL {version} is too old: {OLDEST_POSTGRESQL} or newer is needed.")
        with _sole_migration(holder):
            return _apply_missing(conn)


def schema_state(conn: Connection) -> SchemaState:
    """How far the schema is, and how far this program needs it."""
    expected = migrations()[-1].version
    if conn.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
        return SchemaState(0, expected)
    row = conn.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()
    return SchemaState(row[0] if row else 0, expected)


@contextmanager
def _sole_migration(holder: Connection) -> Generator[None]:
    """The lock, held by an open transaction: a session is not ours alone behind a pooler, a transaction is.

    Polled for, each time in a transaction of its own: CREATE INDEX CONCURRENTLY waits for the end of whoever holds a
    snapshot when it looks, and a transaction that waited for the lock would end after it. Once it has the lock, it
    holds no snapshot.
    """
    holder.isolation_level = IsolationLevel.READ_COMMITTED
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while True:
        with holder.transaction():
            holder.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            if holder.execute(_TRY_LOCK).fetchone() == (True,):
                yield
                return
        if time.monotonic() > deadline:
            raise StoreUnavailable("Another migration has held the lock for minutes: look at pg_stat_activity.")
        time.sleep(0.1)


def _apply_missing(conn: Connection) -> list[str]:
    conn.execute(_LEDGER)
    applied = dict(conn.execute("SELECT version, sha256 FROM schema_migrations").fetchall())
    done: list[str] = []
    for migration in migrations():
        if (checksum := applied.get(migration.version)) is None:
            _apply(conn, migration)
            done.append(migration.name)
        elif checksum != migration.sha256:
            raise ConfigurationError(
                f"{migration.name} was edited after it had been applied: restore it, and put changes in a new file."
            )
    return done


def _apply(conn: Connection, migration: Migration) -> None:
    # Not user input: a file of this very package. psycopg asks for a literal, which a file cannot be.
    statement = cast("LiteralString", migration.sql)
    record = "INSERT INTO schema_migrations (version, name, sha256) VALUES (%s, %s, %s)"
    entry = (migration.version, migration.name, migration.sha256)
    if _lacks_extension(conn, migration):
        conn.execute(record, entry)
        return
    if migration.sql.startswith(_NO_TRANSACTION):
        conn.execute(statement)
        conn.execute(record, entry)
        return
    deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
    while True:
        try:
            with conn.transaction():
                conn.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_WAIT_SECONDS}s",))
                conn.execute(statement)
                conn.execute(record, entry)
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"{migration.name} waits for a lock that somebody has held for minutes: look at pg_stat_activity."
                ) from None
            time.sleep(LOCK_WAIT_SECONDS)
        else:
            return


def _lacks_extension(conn: Connection, migration: Migration) -> bool:
    needed = _ONLY_WITH.search(migration.sql)
    return (
        needed is not None and not conn.execute("SELECT FROM pg_extension WHERE extname = %s", (needed[1],)).fetchall()
    )
