"""The API, behind its server."""

import ipaddress
from typing import Final

from flask import Flask
from granian.constants import Interfaces
from granian.server import Server

from scheduler import __version__
from scheduler.api.app import Services, create_app
from scheduler.api.services import LOOPBACK_HOSTS
from scheduler.daemon import die_with_parent, keep_what_is_there
from scheduler.domain.errors import ConfigurationError
from scheduler.logs import get_log
from scheduler.queue import Signals
from scheduler.settings import Settings, find_settings
from scheduler.store.connection import Database
from scheduler.wiring.common import database_url, redis_url, set_up_logs, start
from scheduler.wiring.tasks import task_registry

log = get_log("wiring")

_API_THREADS: Final = 8


def run_api(settings: Settings) -> None:
    """Be the API until SIGTERM; requests in flight are finished."""
    start("api", settings)
    for check in (database_url, redis_url, task_registry):
        check(settings)  # a wrong setting ends this process with one line, not its worker again and again
    if not _is_loopback(settings.api_host):
        raise ConfigurationError(
            f"API_HOST {settings.api_host} is not a loopback address: there are no accounts yet, so the API "
            "listens on 127.0.0.1 only."
        )
    Server(
        f"{__name__}:api_application",
        factory=True,
        address=settings.api_host,
        port=settings.api_port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=_API_THREADS,
        workers_kill_timeout=max(1, int(settings.shutdown_grace_seconds)),
        log_enabled=False,
    ).serve()


def api_application() -> Flask:
    """The API as the server's worker process builds it."""
    die_with_parent()
    settings = find_settings()
    set_up_logs("api", settings)
    app = create_app(
        Services(
            database=Database(database_url(settings), name="api", max_size=_API_THREADS + 2),
            signals=Signals(redis_url(settings)),
            registry=task_registry(settings),
            max_body_bytes=settings.max_body_bytes,
            version=__version__,
            trusted_hosts=(*LOOPBACK_HOSTS, settings.api_host),
        )
    )
    keep_what_is_there()
    log.info("api ready", address=f"http://{settings.api_host}:{settings.api_port}", accounts="none yet: loopback only")
    return app


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
