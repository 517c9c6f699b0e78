"""Whether the process lives, whether what it stands on is right, and what Prometheus asks of it."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from scheduler.api.access import Access
from scheduler.api.fields import Output, example
from scheduler.api.resource import Resource, answer
from scheduler.api.services import Services, services
from scheduler.domain.errors import ConfigurationError, Unavailable
from scheduler.store.connection import OLDEST_POSTGRESQL, server_version
from scheduler.store.migrate import schema_state

health: Final = Resource("health", "For load balancers, supervisors and Prometheus.")

_METRICS: Final[dict[str, Any]] = {
    "description": "The metrics of this process.",
    "content": {
        "text/plain": {
            "schema": {"type": "string"},
            "example": '# TYPE scheduler_jobs_created_total counter\nscheduler_jobs_created_total{source="api"} 12.0\n',
        }
    },
}


class CheckOut(Output):
    """Whether one of the things that the API stands on is right."""

    status: Annotated[str, Field(pattern="^(ok|failed)$")]
    detail: str


class ReadyOut(Output):
    """Whether the API can do its work."""

    model_config = example(
        {
            "status": "ready",
            "checks": {
                "postgresql": {"status": "ok", "detail": "PostgreSQL 18"},
                "redis": {"status": "ok", "detail": "Redis 8.2.1"},
                "schema": {"status": "ok", "detail": "version 1"},
            },
        }
    )

    status: Annotated[str, Field(pattern="^(ready|unready)$")]
    checks: dict[str, CheckOut]


class HealthOut(Output):
    """The process lives."""

    model_config = example({"status": "ok", "version": "0.1.0"})

    status: str
    version: str


_UNKNOWN_SCHEMA: Final = CheckOut(status="failed", detail="Not known as long as PostgreSQL is not right.")


@health.get("/healthz", Access.OPEN, {200: HealthOut})
def healthz() -> Response:
    """Whether the process lives."""
    return answer(HealthOut(status="ok", version=services().version))


@health.get("/readyz", Access.OPEN, {200: ReadyOut, 503: ReadyOut})
def readyz() -> Response:
    """Whether PostgreSQL, Redis and the schema are right, each named."""
    postgresql = _check(_postgresql)
    schema = _check(_schema) if postgresql.status == "ok" else _UNKNOWN_SCHEMA  # not to wait for it a second time
    checks = {"postgresql": postgresql, "redis": _check(_redis), "schema": schema}
    is_ready = all(check.status == "ok" for check in checks.values())
    return answer(ReadyOut(status="ready" if is_ready else "unready", checks=checks), 200 if is_ready else 503)


@health.get("/metrics", Access.METRICS, {200: _METRICS})
def metrics() -> Response:
    """What this process has counted, for Prometheus.

    For admins, and for who bears the METRICS_TOKEN of the settings.
    """
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _check(look: Callable[[Services], str]) -> CheckOut:
    try:
        return CheckOut(status="ok", detail=look(services()))
    except (Unavailable, ConfigurationError) as error:
        return CheckOut(status="failed", detail=str(error))


def _postgresql(services: Services) -> str:
    with services.database.connection() as connection:
        version = server_version(connection)
    if version < OLDEST_POSTGRESQL:
        raise ConfigurationError(f"PostgreSQL {version} is too old: {OLDEST_POSTGRESQL} or newer is needed.")
    return f"PostgreSQL {version}"


def _redis(services: Services) -> str:
    version = services.signals.ping()
    if not version.is_supported:
        found = f"{version.kind} {version.text}"
        raise ConfigurationError(f"{found} is too old: {version.oldest_supported} or newer is needed.")
    return f"{version.kind} {version.text}"


def _schema(services: Services) -> str:
    with services.database.connection() as connection:
        state = schema_state(connection)
    if state.applied < state.expected:  # a newer one is right too: else a rolling update would take the API away
        needed = f"version {state.applied}, but this program needs {state.expected}"
        raise ConfigurationError(f"The schema is at {needed}: run `scheduler migrate`.")
    return f"version {state.applied}"
