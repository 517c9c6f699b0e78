"""The audit, for admins."""

from typing import Final

from flask import Blueprint, render_template, request

from scheduler.web.inside import ask, link

audit = Blueprint("audit", __name__)

_FILTERS: Final = ("action", "objectType", "objectId", "accountId")


@audit.get("/audit")
def show() -> str:
    """Who did what to what, newest first."""
    wanted = {name: request.args[name] for name in _FILTERS if request.args.get(name)}
    found = ask("GET", "/api/audit", query={**wanted, "limit": "100", "cursor": request.args.get("cursor", "")})
    following = link("/audit", {**wanted, "cursor": found["pagination"].get("next_cursor") or ""})
    return render_template(
        "audit.html", entries=found["entries"], pagination=found["pagination"], following=following, wanted=wanted
    )
