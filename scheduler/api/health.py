"""Whether the process lives, whether what it stands on is right, and what Prometheus asks of it."""

from typing import Annotated, Any, Final

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from scheduler.api.access import Access
from scheduler.api.fields import Output, example
from scheduler.api.problem import RETRY_AFTER_SECONDS
from scheduler.api.resource import Resource, answer
from scheduler.api.services import services
from scheduler.readiness import look_at

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


@health.get("/healthz", Access.OPEN, {200: HealthOut})
def healthz() -> Response:
    """Whether the process lives."""
    return answer(HealthOut(status="ok", version=services().version))


@health.get("/readyz", Access.OPEN, {200: ReadyOut, 503: ReadyOut})
def readyz() -> Response:
    """Whether PostgreSQL, Redis and the schema are right, each named."""
    looked = look_at(services().database, services().signals)
    checks = {
        name: CheckOut(status="ok" if check.is_right else "failed", detail=check.detail)
        for name, check in looked.items()
    }
    is_ready = all(check.is_right for check in looked.values())
    if is_ready:
        return answer(ReadyOut(status="ready", checks=checks))
    return answer(ReadyOut(status="unready", checks=checks), 503, Retry_After=RETRY_AFTER_SECONDS)


@health.get("/metrics", Access.METRICS, {200: _METRICS})
def metrics() -> Response:
    """What this process has counted, for Prometheus.

    For admins, and for who bears the METRICS_TOKEN of the settings.
    """
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
