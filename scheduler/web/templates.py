"""Templates: tasks to make jobs of again and again."""

from typing import Any

import orjson
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.domain.errors import InvalidInput
from scheduler.domain.template import placeholders
from scheduler.web.changes import change, why
from scheduler.web.filled import Filled
from scheduler.web.forms import as_utc
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say

templates = Blueprint("templates", __name__)


@templates.get("/templates")
def show() -> str:
    """All of them, each with the placeholders that it has."""
    found = ask("GET", "/api/templates", query={"limit": "100", "cursor": request.args.get("cursor", "")})
    rows = [(each, sorted(set(placeholders(each["task"]["data"])))) for each in found["templates"]]
    following = url_for(".show", cursor=found["pagination"].get("next_cursor"))
    return render_template("templates.html", rows=rows, pagination=found["pagination"], following=following)


@templates.get("/templates/new")
def new() -> str:
    """The form, for the type that is chosen."""
    return Filled(request.args).page("template_form.html")


@templates.post("/templates/new")
def create() -> Response | tuple[str, int]:
    """Keep the template; or the form again, with what was wrong."""
    filled = Filled(request.form)
    try:
        body: dict[str, Any] = {
            "name": filled.form.get("name", ""),
            "task": filled.task(),
            "defaults": filled.options(),
        }
        if filled.form.get("description"):
            body["description"] = filled.form["description"]
        ask("POST", "/api/templates", body=body)
    except (Refused, InvalidInput) as no:
        return filled.page("template_form.html", problem=why(no)), 422
    say("The template is kept.")
    return redirect(url_for(".show"), 303)


@templates.post("/templates/<id:template_id>/use")
def use(template_id: int) -> Response:
    """Make a job of it, with what stands for its placeholders: JSON where it is some, else text."""
    filled = {key.removeprefix("p."): value for key, value in request.form.items() if key.startswith("p.")}
    body: dict[str, Any] = {"parameters": {name: _value(text) for name, text in filled.items()}}
    if request.form.get("scheduled_at"):
        body["scheduled_at"] = as_utc(request.form["scheduled_at"])
    return change(
        "POST",
        f"/api/templates/{template_id}/use",
        body,
        told=lambda created: f"Job {created['id']} is created.",
        back=url_for(".show"),
        to=lambda created: url_for("web.job.show", job_id=created["id"]),
    )


@templates.post("/templates/<id:template_id>/delete")
def delete(template_id: int) -> Response:
    """Remove it."""
    return change("DELETE", f"/api/templates/{template_id}", told="The template is removed.", back=url_for(".show"))


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
