"""The API, behind its server."""

import threading
from ipaddress import ip_network
from multiprocessing.util import Finalize
from typing import Final

from flask import Flask
from granian.constants import Interfaces
from granian.server import Server

from scheduler import __version__
from scheduler.api.app import Services, create_app
from scheduler.api.limits import require_readable
from scheduler.api.tokens import Tokens
from scheduler.daemon import die_with_parent, keep_what_is_there
from scheduler.logs import get_log
from scheduler.queue import Signals
from scheduler.settings import Settings, find_settings
from scheduler.store.connection import Database
from scheduler.tracing import flush, trace_to
from scheduler.web.app import dashboard
from scheduler.wiring.accounts import create_when_possible, first_admin
from scheduler.wiring.common import database_url, redis_url, set_up, start
from scheduler.wiring.tasks import task_registry

log = get_log("wiring")

_API_THREADS: Final = 8


def run_api(settings: Settings) -> None:
    """Be the API until SIGTERM; requests in flight are finished."""
    start("api", settings)
    require_readable(settings.rate_limit)
    for check in (database_url, redis_url, task_registry, _tokens, first_admin):
        check(settings)  # a wrong setting ends this process with one line, not its worker again and again
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
    set_up("api", settings)
    trace_to(settings.otel_exporter_otlp_endpoint, "api")
    Finalize(None, flush, exitpriority=1)  # a worker process runs these at its end, and no others
    database = Database(database_url(settings), name="api", max_size=_API_THREADS + 2)
    app = create_app(
        Services(
            database=database,
            signals=Signals(redis_url(settings)),
            registry=task_registry(settings),
            max_body_bytes=settings.max_body_bytes,
            version=__version__,
            tokens=_tokens(settings),
            redis_url=redis_url(settings),
            metrics_token=settings.metrics_token.get_secret_value(),
            rate_limit=settings.rate_limit,
            allow_registration=settings.allow_registration,
            cors_origins=settings.cors_origins,
            trusted_proxies=tuple(ip_network(each) for each in settings.trusted_proxies),
        ),
        dashboard,
    )
    keep_what_is_there()
    if (admin := first_admin(settings)) is not None:
        threading.Thread(target=create_when_possible, args=(database, admin), name="first admin", daemon=True).start()
    log.info("api ready", address=f"http://{settings.api_host}:{settings.api_port}")
    return app


def _tokens(settings: Settings) -> Tokens:
    return Tokens(settings.jwt_secrets)
