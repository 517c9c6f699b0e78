"""The list of jobs, and what is done to many of them at once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as AnyResponse

from scheduler.web.inside import Refused, ask, link, send
from scheduler.web.notice import say
from scheduler.web.show import number

jobs = Blueprint("jobs", __name__)

STATUSES: Final = ("pending", "picked", "running", "completed", "failed", "cancelled")
FILTERS: Final = ("status", "taskType", "queue", "priority", "startDate", "endDate", "search", "scheduleId")
SORTS: Final = {
    "-id": "newest first",
    "id": "oldest first",
    "-scheduled_at": "latest time first",
    "scheduled_at": "earliest time first",
    "priority": "most urgent first",
    "-priority": "least urgent first",
}
_NUMBERS: Final = {"priority", "scheduleId"}
_ID: Final = re.compile(r"[0-9]{1,18}")
_DONE: Final = {"cancel": "cancelled", "retry": "retried", "duplicate": "duplicated"}


def chosen(args: MultiDict[str, str]) -> dict[str, list[str]]:
    """The filters that are set."""
    return {name: values for name in FILTERS if (values := [each for each in args.getlist(name) if each])}


@jobs.get("/jobs")
def show() -> str:
    """A page of the list. The filters stand in the address."""
    wanted = chosen(request.args)
    place = {name: request.args[name] for name in ("cursor", "sort") if name in request.args}
    found = ask("GET", "/api/jobs", query={**wanted, **place, "limit": "50"})
    types = [each["type"] for each in ask("GET", "/api/task-types")["task_types"]]
    return render_template(
        "jobs.html",
        jobs=found["jobs"],
        pagination=found["pagination"],
        wanted=wanted,
        statuses=STATUSES,
        sorts=SORTS,
        types=types,
        following=link("/jobs", {**wanted, **place, "cursor": found["pagination"].get("next_cursor") or ""}),
        first=link("/jobs", {**wanted, **place, "cursor": ""}),
        csv=link("/jobs.csv", wanted),
    )


@jobs.post("/jobs")
def act() -> AnyResponse:
    """Cancel, retry or duplicate the jobs that were ticked, or all that match."""
    action, back = request.form.get("action", ""), link("/jobs", chosen(request.args))
    if action not in _DONE:
        raise BadRequest("Say what to do with the jobs: cancel, retry or duplicate.")
    ids, is_all = ids_of(request.form.getlist("id")), request.form.get("scope") == "all"
    if not (ids or is_all):
        say("Tick a job first.", is_bad=True)
        return redirect(back, 303)
    try:
        choice = {"filter": as_json(chosen(request.args))} if is_all else {"ids": ids}
        outcome = ask("POST", f"/api/bulk/{action}", body=choice)
        say(told(len(outcome[_DONE[action]]), _DONE[action], outcome))
    except Refused as no:
        say(no.detail, is_bad=True)
    return redirect(back, 303)


def told(count: int, done: str, outcome: Mapping[str, Any]) -> str:
    """How a change of many went."""
    skipped: list[dict[str, Any]] = outcome["skipped"]
    text = f"{number(count)} {'job' if count == 1 else 'jobs'} {done}."
    if skipped:
        text += f" {number(len(skipped))} skipped: {skipped[0]['reason']}"
    return text + (" There are more that match: do it again." if outcome.get("has_more") else "")


def ids_of(texts: Iterable[str]) -> list[int]:
    """Those of them that can be ids."""
    return [int(each) for each in texts if _ID.fullmatch(each)]


def as_json(wanted: Mapping[str, list[str]]) -> dict[str, Any]:
    """The filters as the body of a call has them."""
    return {
        name: values
        if name == "status"
        else int(values[0])
        if name in _NUMBERS and _ID.fullmatch(values[0])
        else values[0]
        for name, values in wanted.items()
    }


@jobs.get("/jobs.csv")
def export() -> Response:
    """The jobs that match, as a file, streamed as the API streams it."""
    reply = send("GET", "/api/jobs/export", query=chosen(request.args))
    kept = {name: reply.headers[name] for name in ("Content-Type", "Content-Disposition") if name in reply.headers}
    return Response(reply.chunks, headers=kept)
