"""The first page: how things stand, and how they went."""

from typing import Final

from flask import Blueprint, render_template, request

from scheduler.web.inside import ask

overview = Blueprint("overview", __name__)

WINDOWS: Final = {"1": "1 h", "24": "24 h", "168": "7 d"}
_RECENT: Final = "5"


@overview.get("/")
def show() -> str:
    """Counts, rates, what failed of late, and what comes next."""
    hours = request.args.get("hours", "")
    hours = hours if hours in WINDOWS else "24"
    stats = ask("GET", "/api/stats", query={"hours": hours, "detailed": "true"})
    queues = sorted(ask("GET", "/api/queue/stats")["queues"], key=lambda each: -(each["oldest_due_seconds"] or 0))
    workers = ask("GET", "/api/workers")["workers"]
    failed = ask("GET", "/api/dead-letter", query={"limit": _RECENT})["jobs"]
    running = ask("GET", "/api/jobs", query={"status": "running", "limit": _RECENT})["jobs"]
    coming = ask("GET", "/api/schedules", query={"limit": "100"})["schedules"]
    soon = sorted((each for each in coming if each["next_run_at"]), key=lambda each: each["next_run_at"])
    return render_template(
        "overview.html",
        stats=stats,
        hours=hours,
        windows=WINDOWS,
        queues=queues[: int(_RECENT)],
        workers=workers,
        failed=failed,
        running=running,
        soon=soon[: int(_RECENT)],
    )
