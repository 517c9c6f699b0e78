"""Puts the dashboard together, on the application of the API."""

from http import HTTPStatus
from typing import Final, cast

from flask import Blueprint, Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from scheduler.api.exchange import request_id
from scheduler.domain.errors import NotFound as Missing
from scheduler.domain.errors import SchedulerError, Unavailable
from scheduler.logs import get_log
from scheduler.web.accounts import accounts
from scheduler.web.assets import asset_url, assets
from scheduler.web.audit import audit
from scheduler.web.dead_letters import dead_letters
from scheduler.web.inside import Refused
from scheduler.web.job import job
from scheduler.web.jobs import jobs
from scheduler.web.new_job import new_job
from scheduler.web.notice import said
from scheduler.web.overview import overview
from scheduler.web.queues import queues
from scheduler.web.schedules import schedules
from scheduler.web.session import csrf_token, gate, may_change, session, visitor
from scheduler.web.show import FILTERS
from scheduler.web.templates import templates

log = get_log("web")

_GLOBALS: Final = {
    "asset": asset_url,
    "csrf": csrf_token,
    "visitor": visitor,
    "may_change": may_change,
    "said": said,
}

_PARTS: Final = (
    session,
    assets,
    overview,
    jobs,
    job,
    new_job,
    schedules,
    templates,
    queues,
    dead_letters,
    accounts,
    audit,
)

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class PageConverter(BaseConverter):
    """An address that is none of the API's: what is not there either gets a page that says so."""

    regex = r"(?!(?:api|docs|openapi\.json|healthz|readyz|metrics)(?:/|$)).+"
    part_isolating = False


def dashboard(app: Flask) -> str:
    """Put the pages on the application, each behind the log-in; the name of the blueprint that guards them."""
    app.url_map.converters["page"] = PageConverter
    web = Blueprint("web", __name__, template_folder="pages")
    web.before_request(gate)
    web.after_request(_finish)
    web.register_error_handler(Exception, _error_page)
    web.add_url_rule("/<page:address>", "nowhere", _nowhere)
    for part in _PARTS:
        web.register_blueprint(part)
    app.jinja_env.filters.update(FILTERS)
    cast("dict[str, object]", app.jinja_env.globals).update(_GLOBALS)
    Flask.register_blueprint(app, web)
    return web.name


def _nowhere(address: str) -> str:
    raise Missing(f"There is no page /{address}.")


def _finish(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["Referrer-Policy"] = "same-origin"  # under no-referrer a form's Origin is null, even to ourselves
    if request.endpoint != "web.assets.asset":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _error_page(error: Exception) -> ResponseReturnValue:
    """Any error as a page that says what happened and what to do."""
    headers: dict[str, str] = {}
    match error:
        case Refused():
            status, detail, headers = error.status, error.detail, error.retry_after
        case HTTPException():
            if error.response is not None:
                return error.response
            status, detail = error.code or 500, error.description or ""
        case Missing():
            status, detail = 404, str(error)
        case Unavailable():
            status, detail, headers = 503, str(error), {"Retry-After": "2"}
        case SchedulerError() | Exception():
            log.error("page failed", exc_info=error, path=request.path)
            status, detail = 500, f"Something went wrong here. The log has the reason beside request id {request_id()}."
    page = render_template("error.html", status=status, title=HTTPStatus(status).phrase, detail=detail)
    return page, status, headers
