"""Dead letters: jobs that have failed for good, grouped by what went wrong."""

import re
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from scheduler.web.inside import Refused, ask
from scheduler.web.jobs import ids_of, told
from scheduler.web.notice import say

dead_letters = Blueprint("dead_letters", __name__)

_LOOKED_AT: Final = 200
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
    ids, action = ids_of(request.form.get("ids", "").split(",")), request.form.get("action")
    if action not in {"retry", "delete"}:
        raise BadRequest("Say what to do with the jobs: retry or delete.")
    try:
        if action == "delete":
            outcome = ask("DELETE", "/api/dead-letter", body={"ids": ids})
            say(told(len(outcome["deleted"]), "removed", outcome))
        else:
            outcome = ask("POST", "/api/dead-letter/retry", body={"ids": ids})
            say(told(len(outcome["retried"]), "sent round again", outcome))
    except Refused as no:
        say(no.detail, is_bad=True)
    return redirect(url_for(".show"), 303)
