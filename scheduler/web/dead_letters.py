"""Dead letters: jobs that have failed for good, grouped by what went wrong."""

import re
from typing import Any, Final

from flask import Blueprint, render_template, request, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from scheduler.web.changes import change
from scheduler.web.inside import ask
from scheduler.web.jobs import ids_of, told

dead_letters = Blueprint("dead_letters", __name__)

_LOOKED_AT: Final = 200
_ACTIONS: Final = {
    "retry": ("POST", "/api/dead-letter/retry", "retried", "sent round again"),
    "delete": ("DELETE", "/api/dead-letter", "deleted", "removed"),
}
_PARTICULAR: Final = re.compile(r"0x[0-9a-fA-F]+|\d+")


@dead_letters.get("/dead-letters")
def show() -> str:
    """The newest of them by task type and error, the numbers in its message left out."""
    found = ask("GET", "/api/dead-letter", query={"limit": str(_LOOKED_AT), "cursor": request.args.get("cursor", "")})
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for job in found["jobs"]:
        groups.setdefault(_alike(job), []).append(job)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    following = url_for(".show", cursor=found["pagination"].get("next_cursor"))
    return render_template(
        "dead_letters.html", groups=ordered, pagination=found["pagination"], following=following, looked_at=_LOOKED_AT
    )


def _alike(job: dict[str, Any]) -> tuple[str, str, str]:
    error: dict[str, Any] = job["error"] or {}
    message = str(error.get("message", "")).partition("\n")[0][:200]
    return job["task"]["type"], str(error.get("type", "")), _PARTICULAR.sub("…", message)


@dead_letters.post("/dead-letters")
def act() -> Response:
    """Retry or remove a group."""
    ids, action = ids_of(request.form.get("ids", "").split(",")), request.form.get("action", "")
    if action not in _ACTIONS:
        raise BadRequest("Say what to do with the jobs: retry or delete.")
    method, path, done, words = _ACTIONS[action]
    return change(
        method,
        path,
        {"ids": ids},
        told=lambda outcome: told(len(outcome[done]), words, outcome),
        back=url_for(".show"),
    )
