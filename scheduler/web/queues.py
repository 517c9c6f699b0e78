"""Queues and workers; and for admins, what lies in Redis: the one page that no call of the API stands behind."""

from contextlib import closing
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response

from scheduler.api.audited import leave_entry
from scheduler.api.services import connection, services
from scheduler.domain.account import Role
from scheduler.queue.view import RedisView
from scheduler.web.changes import change
from scheduler.web.forms import as_number
from scheduler.web.inside import ask
from scheduler.web.notice import say
from scheduler.web.session import visitor

queues = Blueprint("queues", __name__)

_NAME: Final = "<string:name>"


@queues.get("/queues")
def show() -> str:
    """All of them."""
    return render_template("queues.html", queues=ask("GET", "/api/queue/stats")["queues"])


@queues.post(f"/queues/{_NAME}/<any(pause, resume):action>")
def act(name: str, action: str) -> Response:
    """Pause or resume one."""
    told = f"Queue {name} is {'paused' if action == 'pause' else 'resumed'}."
    return change("POST", f"/api/queues/{name}/{action}", {}, told=told, back=url_for(".show"))


@queues.post(f"/queues/{_NAME}/limits")
def limit(name: str) -> Response:
    """Limit one; what is left empty is no limit."""
    form = request.form
    body: dict[str, Any] = {"max_running": _number(form.get("max_running", "")), "rate_limit": None}
    if form.get("count") or form.get("per_seconds"):
        body["rate_limit"] = {
            "count": _number(form.get("count", "")),
            "per_seconds": _number(form.get("per_seconds", "")),
        }
    return change(
        "PATCH", f"/api/queues/{name}", body, told=f"The limits of queue {name} are set.", back=url_for(".show")
    )


def _number(text: str) -> int | float | str | None:
    return as_number(text) if text.strip() else None


@queues.get("/workers")
def workers() -> str:
    """Pickers and executors that live, and what each of these runs."""
    found = ask("GET", "/api/workers")["workers"]
    running = {
        each["id"]: each for each in ask("GET", "/api/jobs", query={"status": "running", "limit": "200"})["jobs"]
    }
    return render_template("workers.html", workers=found, running=running)


@queues.get("/admin/queues")
def redis() -> str:
    """RQ's own view: messages, registries, workers."""
    _admins_only()
    with closing(RedisView(services().redis_url)) as view:
        return render_template("redis.html", queues=view.queues(), workers=view.workers())


@queues.post(f"/admin/queues/{_NAME}/<any(empty, requeue):action>")
def put_right(name: str, action: str) -> Response:
    """Drop a queue's messages, or put those that failed back on it."""
    account_id = _admins_only()
    with closing(RedisView(services().redis_url)) as view:
        count = view.empty(name) if action == "empty" else view.requeue(name)
    with connection() as conn:
        after = {"name": name, "messages": count}
        leave_entry(conn, f"{action}_queue_in_redis", "queue", account_id=account_id, after=after)
    say(f"{count} messages dropped." if action == "empty" else f"{count} messages put back.")
    return redirect(url_for(".redis"), 303)


def _admins_only() -> int:
    who = visitor()
    if who is None or who.role is not Role.ADMIN:
        raise Forbidden("Only an admin may see this.")
    return who.id
