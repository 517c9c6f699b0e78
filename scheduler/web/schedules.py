"""Schedules: jobs that recur."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.domain.errors import InvalidInput
from scheduler.web.changes import change, why
from scheduler.web.filled import Filled
from scheduler.web.forms import as_utc
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say
from scheduler.web.show import plain
from scheduler.web.stars import masked

schedules = Blueprint("schedules", __name__)

_TIMING: Final = ("name", "cron", "timezone", "misfire", "overlap")
_LAST: Final = 20
_TOLD: Final = {
    "pause": "The schedule is paused.",
    "resume": "The schedule is resumed.",
    "trigger": "Job {id} is created.",
}


@schedules.get("/schedules")
def show() -> str:
    """All of them, each with its last runs."""
    found = ask("GET", "/api/schedules", query={"limit": "25", "cursor": request.args.get("cursor", "")})
    rows = [(each, _outcomes(each["id"])) for each in found["schedules"]]
    following = url_for(".show", cursor=found["pagination"].get("next_cursor"))
    return render_template("schedules.html", rows=rows, pagination=found["pagination"], following=following)


def _outcomes(schedule_id: int, limit: int = 10) -> list[dict[str, Any]]:
    """Its last jobs, oldest first."""
    query = {
        "scheduleId": str(schedule_id),
        "limit": str(limit),
        "status": ["completed", "failed", "cancelled", "running"],
    }
    return ask("GET", "/api/jobs", query=query)["jobs"][::-1]


@schedules.get("/schedules/<id:schedule_id>")
def one(schedule_id: int) -> str:
    """One of them: when it runs next, and how it went."""
    found = ask("GET", f"/api/schedules/{schedule_id}")
    runs = ask("GET", f"/api/schedules/{schedule_id}/next", query={"count": "5"})
    return render_template("schedule.html", schedule=found, runs=runs, jobs=_outcomes(schedule_id, _LAST)[::-1])


@schedules.post("/schedules/<id:schedule_id>/<any(pause, resume, trigger):action>")
def act(schedule_id: int, action: str) -> Response:
    """Pause, resume or trigger it."""
    return change(
        "POST",
        f"/api/schedules/{schedule_id}/{action}",
        {},
        told=lambda made: _TOLD[action].format(**made),
        back=url_for(".one", schedule_id=schedule_id),
    )


@schedules.post("/schedules/<id:schedule_id>/delete")
def delete(schedule_id: int) -> Response:
    """Remove it, and its jobs that have not started."""
    return change("DELETE", f"/api/schedules/{schedule_id}", told="The schedule is removed.", back=url_for(".show"))


@schedules.post("/schedules/preview")
def preview() -> str:
    """The expression in words and its next times, as it is typed."""
    body = {"cron": request.form.get("cron", ""), "timezone": request.form.get("timezone") or "UTC", "count": 5}
    try:
        return render_template("preview.html", runs=ask("POST", "/api/schedules/preview", body=body))
    except Refused as no:
        return render_template("preview.html", problem=no.detail)


@schedules.get("/schedules/new")
def new() -> str:
    """The form, for the type that is chosen."""
    return Filled(request.args).page("schedule_form.html", schedule=None)


@schedules.post("/schedules/new")
def create() -> Response | tuple[str, int]:
    """Create the schedule; or the form again, with what was wrong."""
    filled = Filled(request.form)
    try:
        created = ask("POST", "/api/schedules", body=_body(filled))
    except (Refused, InvalidInput) as no:
        return filled.page("schedule_form.html", schedule=None, problem=why(no)), 422
    say("The schedule is created.")
    return redirect(url_for(".one", schedule_id=created["id"]), 303)


@schedules.get("/schedules/<id:schedule_id>/edit")
def edit(schedule_id: int) -> str:
    """The form, filled in with what the schedule is."""
    found = ask("GET", f"/api/schedules/{schedule_id}")
    return Filled({**_as_form(found), **request.args}).page("schedule_form.html", schedule=found)


@schedules.post("/schedules/<id:schedule_id>/edit")
def save(schedule_id: int) -> Response | tuple[str, int]:
    """Change it; or the form again, with what was wrong."""
    found = ask("GET", f"/api/schedules/{schedule_id}")
    filled = Filled(request.form, stored=found["task"])
    try:
        ask("PATCH", f"/api/schedules/{schedule_id}", body=_body(filled))
    except (Refused, InvalidInput) as no:
        return filled.page("schedule_form.html", schedule=found, problem=why(no)), 422
    say("The schedule is changed.")
    return redirect(url_for(".one", schedule_id=schedule_id), 303)


def _body(filled: Filled) -> dict[str, Any]:
    body = {name: filled.form[name] for name in _TIMING if filled.form.get(name)}
    body |= {name: as_utc(filled.form[name]) for name in ("starts_at", "ends_at") if filled.form.get(name)}
    return {**body, "task": filled.task(), **filled.options()}


def _as_form(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the form would hold that this schedule came from."""
    texts = {name: found[name] for name in (*_TIMING, "queue")}
    numbers = {name: plain(found[name]) for name in ("priority", "max_attempts", "timeout_seconds")}
    times = {name: found[name] for name in ("starts_at", "ends_at") if found[name]}
    data = {f"data.{name}": value for name, value in masked(found["task"]["data"]).items()}
    return {**texts, **numbers, **times, "type": found["task"]["type"], **data}
