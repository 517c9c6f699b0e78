"""What all processes begin with: their logs, their servers, the schema."""

import atexit
import os
import secrets
import signal
import socket
from collections.abc import Sequence
from typing import Final

from scheduler import __version__
from scheduler.daemon import Backoff, Stop, follow_lifeline
from scheduler.domain.errors import ConfigurationError, StoreUnavailable
from scheduler.domain.queue import NewWorker
from scheduler.logs import configure_logs, get_log
from scheduler.metrics import introduce
from scheduler.metrics_server import serve_metrics
from scheduler.probes import Pulse
from scheduler.queue import Signals
from scheduler.readiness import look_at
from scheduler.settings import Settings
from scheduler.store import migrate as migrations
from scheduler.store.connection import Database

log = get_log("wiring")

_PROBE_SECONDS: Final = 2.0
"""How long a probe waits for a connection."""


def migrate(settings: Settings) -> list[str]:
    """Bring the schema up to date; the names of the migrations applied."""
    return migrations.migrate(database_url(settings))


def start(process: str, settings: Settings) -> Stop:
    """Set up this process; what it returns tells when to stop."""
    set_up(process, settings)
    follow_lifeline()
    # An interpreter that ends gives every signal its deadly default back, but for those that are ignored.
    for signum in (signal.SIGTERM, signal.SIGINT):
        atexit.register(signal.signal, signum, signal.SIG_IGN)
    return Stop()


def set_up(process: str, settings: Settings) -> None:
    """Let this process log as the settings say, and its metrics say what it is."""
    introduce(process)
    configure_logs(process=process, log_format=settings.log_format, level=settings.log_level)


def worker(kind: str, *, queues: Sequence[str] = (), capacity: int | None = None) -> NewWorker:
    """This process, as it announces itself, under a name that no other has."""
    host, pid = socket.gethostname(), os.getpid()
    return NewWorker(
        name=f"{host}.{pid}.{secrets.token_hex(3)}",
        kind=kind,
        host=host,
        pid=pid,
        version=__version__,
        queues=tuple(queues),
        capacity=capacity,
    )


def serve(settings: Settings) -> Pulse:
    """Answer Prometheus and probes for as long as this process lives; its loop is to beat what this returns.

    Raises ConfigurationError when it cannot listen.
    """
    pulse = Pulse()
    database = Database(database_url(settings), name="probes", max_size=1, timeout=_PROBE_SECONDS)
    signals = Signals(redis_url(settings))
    serve_metrics(settings.metrics_host, settings.metrics_port, pulse, lambda: look_at(database, signals))
    return pulse


def schema_is_there(database: Database, stop: Stop) -> bool:
    """Wait for PostgreSQL and for the migrations; False when the stop came first."""
    backoff = Backoff(limit=2.0)
    while not stop.requested.is_set():
        try:
            with database.connection() as conn:
                state = migrations.schema_state(conn)
            if state.applied >= state.expected:
                return True
            reason = (
                f"the schema is at {state.applied} and this program needs {state.expected}: run `scheduler migrate`"
            )
        except StoreUnavailable as away:
            reason = str(away)
        log.warning("waiting to start", reason=reason)
        stop.requested.wait(backoff.next())
    return False


def database_url(settings: Settings) -> str:
    """Where PostgreSQL is; raises ConfigurationError when nothing says."""
    return _required("DATABASE_URL", settings.database_url.get_secret_value())


def redis_url(settings: Settings) -> str:
    """Where Redis is; raises ConfigurationError when nothing says."""
    return _required("REDIS_URL", settings.redis_url.get_secret_value())


def _required(name: str, value: str) -> str:
    if not value:
        raise ConfigurationError(f"{name} is not set: set it, or use `scheduler up`, which brings its own servers.")
    return value
