"""The Flask application: every room of the API, put together."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import IntegerConverter

from scheduler.api.access import Access
from scheduler.api.attempts import attempts
from scheduler.api.audit import audit
from scheduler.api.auth import auth
from scheduler.api.body import JsonRequest
from scheduler.api.bulk import bulk
from scheduler.api.cors import cors
from scheduler.api.dead_letter import dead_letter
from scheduler.api.docs import OPEN_PAGES, publish
from scheduler.api.exchange import exchange, with_caution
from scheduler.api.export import exporting
from scheduler.api.guard import guard
from scheduler.api.health import health
from scheduler.api.identity import authenticate
from scheduler.api.job_actions import job_actions
from scheduler.api.jobs import jobs
from scheduler.api.keys import keys
from scheduler.api.limits import limit
from scheduler.api.problem import Problem, problem_of_validation, register_problems
from scheduler.api.queues import queues
from scheduler.api.resource import BEARER
from scheduler.api.schedules import schedules
from scheduler.api.services import Services, install
from scheduler.api.stats import statistics
from scheduler.api.task_types import task_types
from scheduler.api.templates import templates
from scheduler.api.users import users
from scheduler.api.workers import workers

__all__ = ["Services", "create_app"]

_RESOURCES: Final = (
    exporting,
    jobs,
    job_actions,
    bulk,
    attempts,
    dead_letter,
    statistics,
    templates,
    schedules,
    task_types,
    queues,
    workers,
    auth,
    keys,
    users,
    audit,
    health,
)

_DESCRIPTION: Final = """
Run this task at this time, once, with a record of it, whatever crashes.

Every call but the few that say so wants a bearer token: the access token of a log-in, or an API key.
Times are RFC 3339 with an offset on input, UTC on output. Errors are RFC 9457 problems. Unknown fields are refused.
Every answer carries `X-Request-ID`, the caller's own if it sent one.
"""


class IdConverter(IntegerConverter):
    """An id in a path: what does not fit PostgreSQL's bigint is no id, and so not found."""

    regex = "[1-9][0-9]{0,17}"


class _App(OpenAPI):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: none of ours is a coroutine, and Flask would look at seven of them again with each request."""
        return func

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return super().wsgi_app(environ, with_caution(start_response))


def create_app(services: Services, pages: Callable[[Flask], str] | None = None) -> Flask:
    """The API over `services`, as a WSGI application.

    `pages` puts pages for people on it, and names the blueprint that guards them.
    """
    app = _App(
        __name__,
        info=Info(title="Scheduler", version=services.version, description=_DESCRIPTION.strip()),
        security_schemes={BEARER: {"type": "http", "scheme": "bearer"}},
        doc_ui=False,
        validation_error_model=Problem,
        validation_error_callback=problem_of_validation,
        static_folder=None,
    )
    app.request_class = JsonRequest
    app.config["MAX_CONTENT_LENGTH"] = services.max_body_bytes
    app.url_map.converters["id"] = IdConverter
    app.url_map.merge_slashes = False  # it would redirect, with a page of HTML
    install(app, services)
    exchange(app)
    cors(app, services.cors_origins)
    guard(app)
    access: dict[str, Access] = dict.fromkeys(OPEN_PAGES, Access.OPEN)
    for resource in _RESOURCES:
        access |= resource.access
    guarded = pages(app) if pages else None
    authenticate(app, access, guarded=guarded)
    limit(app, services, access)
    register_problems(app)
    for resource in _RESOURCES:
        app.register_api(resource.blueprint)
    publish(app)
    return app
