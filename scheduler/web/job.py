"""One job: its life, its attempts, and what can be done to it."""

from datetime import UTC, datetime
from typing import Any, Final

import orjson
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.web.changes import change, why
from scheduler.web.forms import as_number, as_utc
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say
from scheduler.web.session import changers_only
from scheduler.web.show import pretty
from scheduler.web.stars import masked, unmasked

job = Blueprint("job", __name__)

_ENDED: Final = {"completed", "failed", "cancelled"}


@job.get("/jobs/<id:job_id>")
def show(job_id: int) -> str:
    """Everything that is known of it."""
    found = ask("GET", f"/api/jobs/{job_id}")
    attempts = ask("GET", f"/api/jobs/{job_id}/executions", query={"limit": "100"})["executions"]
    longest = max((each["duration_ms"] for each in attempts), default=0.0)
    return render_template("job.html", job=found, attempts=attempts, longest=longest, steps=_steps(found))


def _steps(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Its life so far, and what it waits for."""
    ended = found["status"] in _ENDED
    return [
        {"name": "created", "at": found["created_at"], "reached": True},
        {
            "name": "due",
            "at": found["next_run_at"],
            "reached": datetime.fromisoformat(found["next_run_at"]) <= datetime.now(UTC),
        },
        {"name": "picked", "at": found["picked_at"], "reached": found["picked_at"] is not None},
        {"name": "started", "at": found["started_at"], "reached": found["started_at"] is not None},
        {"name": found["status"] if ended else "ended", "at": found["completed_at"], "reached": ended},
    ]


_TOLD: Final = {
    "cancel": "Job {id} is cancelled.",
    "retry": "Job {id} goes round again.",
    "duplicate": "Job {id} is a copy.",
}


@job.post("/jobs/<id:job_id>/<any(cancel, retry, duplicate):action>")
def act(job_id: int, action: str) -> Response:
    """Cancel, retry or duplicate it."""
    return change(
        "POST",
        f"/api/{action}/{job_id}",
        {},
        told=lambda changed: _TOLD[action].format(id=changed["id"]),
        back=_page(job_id),
        to=lambda changed: _page(changed["id"]),
    )


@job.post("/jobs/<id:job_id>/run-now")
def run_now(job_id: int) -> Response:
    """Let a pending job be due at once."""
    return change("PATCH", f"/api/jobs/{job_id}", {"scheduled_at": None}, told="It is due now.", back=_page(job_id))


@job.post("/jobs/<id:job_id>/delete")
def delete(job_id: int) -> Response:
    """Remove it, with its history."""
    return change(
        "DELETE",
        f"/api/jobs/{job_id}",
        told=f"Job {job_id} is removed.",
        back=_page(job_id),
        to=lambda _: url_for("web.jobs.show"),
    )


def _page(job_id: int) -> str:
    return url_for(".show", job_id=job_id)


@job.get("/jobs/<id:job_id>/edit")
def edit(job_id: int) -> str:
    """A form for what may be changed while it is pending."""
    changers_only()
    return render_template("job_edit.html", job=ask("GET", f"/api/jobs/{job_id}"))


@job.post("/jobs/<id:job_id>/edit")
def save(job_id: int) -> Response | tuple[str, int]:
    """Change it. Data that was left as it is shown stays as it is, and so does a secret whose stars were left."""
    form, found = request.form, ask("GET", f"/api/jobs/{job_id}")
    body: dict[str, Any] = {name: form[name] or None for name in ("name", "description", "queue") if name in form}
    body |= {name: as_number(form[name]) for name in ("priority", "max_attempts", "timeout_seconds") if form.get(name)}
    if form.get("scheduled_at"):
        body["scheduled_at"] = as_utc(form["scheduled_at"])
    text = form.get("data", "").replace("\r\n", "\n").strip()
    try:
        if text and text != pretty(masked(found["task"]["data"])):
            body["task"] = {"type": found["task"]["type"], "data": unmasked(_data_of(text), found["task"]["data"])}
        ask("PATCH", f"/api/jobs/{job_id}", body=body)
    except (Refused, InvalidInput) as no:
        status = no.status if isinstance(no, Refused) else 422
        return render_template("job_edit.html", job=found, problem=why(no)), status
    say("The job is changed.")
    return redirect(_page(job_id), 303)


def _data_of(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput([FieldError(("task", "data"), f"This is no JSON: {error}.", "unreadable")]) from None
