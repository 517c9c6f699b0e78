"""One job: its life, its attempts, and what can be done to it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say
from scheduler.web.show import STARS

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


_CHANGES: Final[dict[str, tuple[Callable[[int], str], str]]] = {
    "cancel": (lambda job_id: f"/api/cancel/{job_id}", "Job {id} is cancelled."),
    "retry": (lambda job_id: f"/api/retry/{job_id}", "Job {id} goes round again."),
    "duplicate": (lambda job_id: f"/api/duplicate/{job_id}", "Job {id} is a copy."),
}


@job.post("/jobs/<id:job_id>/<any(cancel, retry, duplicate):action>")
def act(job_id: int, action: str) -> Response:
    """Cancel, retry or duplicate it."""
    path, told = _CHANGES[action]
    try:
        changed = ask("POST", path(job_id), body={})
    except Refused as no:
        say(no.detail, is_bad=True)
        return redirect(url_for(".show", job_id=job_id), 303)
    say(told.format(id=changed["id"]))
    return redirect(url_for(".show", job_id=changed["id"]), 303)


@job.post("/jobs/<id:job_id>/run-now")
def run_now(job_id: int) -> Response:
    """Let a pending job be due at once."""
    return _changed(job_id, {"scheduled_at": None}, "It is due now.")


@job.post("/jobs/<id:job_id>/delete")
def delete(job_id: int) -> Response:
    """Remove it, with its history."""
    try:
        ask("DELETE", f"/api/jobs/{job_id}")
    except Refused as no:
        say(no.detail, is_bad=True)
        return redirect(url_for(".show", job_id=job_id), 303)
    say(f"Job {job_id} is removed.")
    return redirect(url_for("web.jobs.show"), 303)


@job.get("/jobs/<id:job_id>/edit")
def edit(job_id: int) -> str:
    """A form for what may be changed while it is pending."""
    return render_template("job_edit.html", job=ask("GET", f"/api/jobs/{job_id}"))


@job.post("/jobs/<id:job_id>/edit")
def change(job_id: int) -> Response | tuple[str, int]:
    """Change it. Data of the task is changed as JSON; where it still shows stars, it stays as it is."""
    form, found = request.form, ask("GET", f"/api/jobs/{job_id}")
    body: dict[str, Any] = {name: form[name] or None for name in ("name", "description", "queue") if name in form}
    try:
        body |= {
            name: orjson.loads(form[name]) for name in ("priority", "max_attempts", "timeout_seconds") if form.get(name)
        }
        if form.get("scheduled_at"):
            body["scheduled_at"] = as_utc(form["scheduled_at"])
        if STARS not in form.get("data", "") and form.get("data", "").strip():
            body["task"] = {"type": found["task"]["type"], "data": orjson.loads(form["data"])}
        ask("PATCH", f"/api/jobs/{job_id}", body=body)
    except orjson.JSONDecodeError as fault:
        return render_template("job_edit.html", job=found, problem=f"The data is not JSON: {fault}."), 422
    except Refused as no:
        return render_template("job_edit.html", job=found, problem=no.detail), no.status
    return _back(job_id, "The job is changed.")


def as_utc(text: str) -> str:
    """What a form's field for a time holds: UTC, as its label says, unless it names an offset."""
    return (
        text
        if text.endswith("Z") or "+" in text
        else f"{text}Z"
        if len(text) > len("2026-01-01T10:00")
        else f"{text}:00Z"
    )


def _changed(job_id: int, body: dict[str, Any], told: str) -> Response:
    try:
        ask("PATCH", f"/api/jobs/{job_id}", body=body)
    except Refused as no:
        say(no.detail, is_bad=True)
        return redirect(url_for(".show", job_id=job_id), 303)
    return _back(job_id, told)


def _back(job_id: int, told: str) -> Response:
    say(told)
    return redirect(url_for(".show", job_id=job_id), 303)
