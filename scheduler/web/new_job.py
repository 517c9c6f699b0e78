"""Creating a job, by a form that is made of its task type's JSON Schema."""

from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.domain.errors import InvalidInput
from scheduler.web.forms import PREFIX, data_of, fields_of, flags_of
from scheduler.web.inside import Refused, ask
from scheduler.web.job import as_number, as_utc, why
from scheduler.web.notice import say
from scheduler.web.session import CSRF_FIELD

new_job = Blueprint("new_job", __name__)

_NUMBERS: Final = ("priority", "max_attempts", "timeout_seconds")


class Filled:
    """What was filled in of a job, or of anything that has a task: for its form, and for the API."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self.form: Final = form
        self.types: Final[list[dict[str, Any]]] = ask("GET", "/api/task-types")["task_types"]
        known = {each["type"]: each for each in self.types}
        self.type: Final = known.get(form.get("type", ""), self.types[0])

    def task(self) -> dict[str, Any]:
        """Raises InvalidInput."""
        return {"type": self.type["type"], "data": data_of(self.type["data"], self.form)}

    def options(self) -> dict[str, Any]:
        """The options that are set, numbers as numbers where they are some: what they are not, the API says."""
        numbers = {name: as_number(self.form[name]) for name in _NUMBERS if self.form.get(name)}
        return numbers | ({"queue": self.form["queue"]} if self.form.get("queue") else {})

    def page(self, template: str, **more: Any) -> str:
        """The form, filled in as it was."""
        values = {key.removeprefix(PREFIX): value for key, value in self.form.items() if key.startswith(PREFIX)}
        if CSRF_FIELD in self.form:  # it was sent: a box that is not ticked was not sent with it
            values = {**dict.fromkeys(flags_of(self.type["data"]), "false"), **values}
        fields = fields_of(self.type["data"], values)
        return render_template(template, types=self.types, type=self.type, fields=fields, form=self.form, **more)


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
