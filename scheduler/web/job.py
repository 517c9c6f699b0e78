"""One job: its life, its attempts, and what can be done to it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say
from scheduler.web.show import STARS, masked, pretty

job = Blueprint("job", __name__)

_HAS_OFFSET: Final = re.compile(r"(Z|[+-][0-9]{2}:[0-9]{2})$", re.IGNORECASE)
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
    """Change it. Data that was left as it is shown, with stars for secrets, stays as it is."""
    form, found = request.form, ask("GET", f"/api/jobs/{job_id}")
    body: dict[str, Any] = {name: form[name] or None for name in ("name", "description", "queue") if name in form}
    body |= {name: as_number(form[name]) for name in ("priority", "max_attempts", "timeout_seconds") if form.get(name)}
    if form.get("scheduled_at"):
        body["scheduled_at"] = as_utc(form["scheduled_at"])
    text = form.get("data", "").replace("\r\n", "\n").strip()
    try:
        if text and text != pretty(masked(found["task"]["data"])):
            body["task"] = {"type": found["task"]["type"], "data": _data_of(text)}
        ask("PATCH", f"/api/jobs/{job_id}", body=body)
    except (Refused, InvalidInput) as no:
        status = no.status if isinstance(no, Refused) else 422
        return render_template("job_edit.html", job=found, problem=why(no)), status
    return _back(job_id, "The job is changed.")


def _data_of(text: str) -> Any:
    if STARS in text:
        fault = "Write out what the stars stand for: data that is changed is changed as a whole."
        raise InvalidInput([FieldError(("task", "data"), fault, "secret_hidden")])
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput([FieldError(("task", "data"), f"This is no JSON: {error}.", "unreadable")]) from None


def why(no: Refused | InvalidInput) -> str:
    """What was wrong."""
    return no.detail if isinstance(no, Refused) else str(no)


def as_number(text: str) -> int | float | str:
    """A number where it is one: what it is not, the API says."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def as_utc(text: str) -> str:
    """What a form's field for a time holds: UTC, as its label says, unless it names an offset."""
    if _HAS_OFFSET.search(text):
        return text
    return f"{text}Z" if text.count(":") > 1 else f"{text}:00Z"


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
