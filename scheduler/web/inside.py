"""Questions to the API from inside its own process, as whoever is logged in to the dashboard.

So pages hold no rules of their own: who may do what, what is valid, what goes into the audit is said once, in the API.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from flask import current_app, request
from werkzeug.test import EnvironBuilder, run_wsgi_app

from scheduler.api.exchange import REQUEST_ID, request_id
from scheduler.api.identity import VOUCHED_FOR

_PASSED_ON: Final = ("REMOTE_ADDR", "REMOTE_PORT", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "wsgi.url_scheme")

Query = Mapping[str, str | Sequence[str]] | None


class Refused(Exception):
    """The API said no; `problem` is what it said."""

    def __init__(self, problem: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(problem.get("detail"))
        self.status: Final[int] = problem["status"]
        self.detail: Final[str] = problem["detail"]
        self.faults: Final[list[dict[str, Any]]] = problem.get("errors") or []
        self.retry_after: Final = {name: value for name, value in headers.items() if name == "Retry-After"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `chunks` are the body, which may come bit by bit."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterable[bytes]

    def json(self) -> Any:
        """The body; None when there is none."""
        text = b"".join(self.chunks)
        return orjson.loads(text) if text else None


def ask(method: str, path: str, *, query: Query = None, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON that the API answers to whoever is logged in; raises Refused."""
    return send(method, path, query=query, body=body).json()


def send(
    method: str,
    path: str,
    *,
    query: Query = None,
    body: Mapping[str, Any] | None = None,
) -> Reply:
    """The API's reply itself; raises Refused."""
    builder = EnvironBuilder(path, method=method, query_string=urlencode(_flat(query)), json=body)
    environ = builder.get_environ()
    builder.close()
    environ |= {name: request.environ[name] for name in _PASSED_ON if name in request.environ}
    environ[f"HTTP_{REQUEST_ID.upper().replace('-', '_')}"] = request_id()
    environ[VOUCHED_FOR] = request.environ.get(VOUCHED_FOR)
    # A context of its own: what it binds to its log lines, and forgets at its end, is not ours.
    chunks, status, headers = copy_context().run(run_wsgi_app, current_app.wsgi_app, environ)
    reply = Reply(int(status.split()[0]), dict(headers), chunks)
    if reply.status >= 400:
        raise Refused(reply.json(), reply.headers)
    return reply


def link(path: str, query: Query = None) -> str:
    """An address of ours, with these parameters."""
    pairs = urlencode(_flat(query))
    return f"{path}?{pairs}" if pairs else path


def _flat(query: Query) -> list[tuple[str, str]]:
    """Without what is empty: a form's field that was left empty is a filter that was not set."""
    pairs = (query or {}).items()
    return [(name, each) for name, value in pairs for each in ([value] if isinstance(value, str) else value) if each]
