"""Whether the servers and the schema are right, each named."""

from collections.abc import Callable, Mapping

from scheduler.domain.errors import ConfigurationError, Unavailable
from scheduler.probes import Check
from scheduler.queue import Signals
from scheduler.store.connection import OLDEST_POSTGRESQL, Database, server_version
from scheduler.store.migrate import schema_state


def look_at(database: Database, signals: Signals) -> Mapping[str, Check]:
    """A check each for `postgresql`, `redis` and `schema`; blocks for as long as those two may."""
    postgresql = _check(lambda: _postgresql(database))
    unknown = Check(is_right=False, detail="Not known as long as PostgreSQL is not right.")
    schema = _check(lambda: _schema(database)) if postgresql.is_right else unknown  # not to wait a second time
    return {"postgresql": postgresql, "redis": _check(lambda: _redis(signals)), "schema": schema}


def _check(look: Callable[[], str]) -> Check:
    try:
        return Check(is_right=True, detail=look())
    except (Unavailable, ConfigurationError) as error:
        return Check(is_right=False, detail=str(error))


def _postgresql(database: Database) -> str:
    with database.connection() as connection:
        version = server_version(connection)
    if version < OLDEST_POSTGRESQL:
        raise ConfigurationError(f"PostgreSQL {version} is too old: {OLDEST_POSTGRESQL} or newer is needed.")
    return f"PostgreSQL {version}"


def _redis(signals: Signals) -> str:
    version = signals.ping()
    if not version.is_supported:
        found = f"{version.kind} {version.text}"
        raise ConfigurationError(f"{found} is too old: {version.oldest_supported} or newer is needed.")
    return f"{version.kind} {version.text}"


def _schema(database: Database) -> str:
    with database.connection() as connection:
        state = schema_state(connection)
    if state.applied < state.expected:
        needed = f"version {state.applied}, but this program needs {state.expected}"
        raise ConfigurationError(f"The schema is at {needed}: run `scheduler migrate`.")
    # A newer one is right too: else a rolling update would take all that is old away.
    newer = "" if state.is_current else f", newer than this program's {state.expected}"
    return f"version {state.applied}{newer}"
