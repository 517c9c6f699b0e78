"""Creating a job, by a form that is made of its task type's JSON Schema."""

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from scheduler.domain.errors import InvalidInput
from scheduler.web.changes import why
from scheduler.web.filled import Filled
from scheduler.web.forms import as_utc
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say

new_job = Blueprint("new_job", __name__)


@new_job.get("/jobs/new")
def show() -> str:
    """The form, for the type that is chosen."""
    return Filled(request.args).page("new_job.html")


@new_job.post("/jobs/new")
def create() -> Response | tuple[str, int]:
    """Create the job; or the form again, with what was wrong."""
    filled = Filled(request.form)
    try:
        body = {"task": filled.task(), **filled.options()}
        body |= {name: filled.form[name] for name in ("name", "description") if filled.form.get(name)}
        if filled.form.get("scheduled_at"):
            body["scheduled_at"] = as_utc(filled.form["scheduled_at"])
        created = ask("POST", "/api/job", body=body)
    except (Refused, InvalidInput) as no:
        return filled.page("new_job.html", problem=why(no)), 422
    say(f"Job {created['id']} is created.")
    return redirect(url_for("web.job.show", job_id=created["id"]), 303)
