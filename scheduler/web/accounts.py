"""Accounts, for admins, and API keys, for everybody."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scheduler.web.changes import change
from scheduler.web.forms import as_utc
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say

accounts = Blueprint("accounts", __name__)


@accounts.get("/users")
def users() -> str:
    """All accounts."""
    found = ask("GET", "/api/users", query={"limit": "100", "cursor": request.args.get("cursor", "")})
    following = url_for(".users", cursor=found["pagination"].get("next_cursor"))
    return render_template("users.html", users=found["users"], pagination=found["pagination"], following=following)


@accounts.post("/users")
def create_user() -> Response:
    """Create one."""
    names = ("email", "password", "role", "first_name", "last_name")
    body = {name: request.form[name] for name in names if request.form.get(name)}
    return change("POST", "/api/users", body, told="The account is created.", back=url_for(".users"))


@accounts.post("/users/<id:user_id>")
def change_user(user_id: int) -> Response:
    """Change its role, or shut it out, or let it in."""
    body: dict[str, Any] = {name: request.form[name] for name in ("role", "password") if request.form.get(name)}
    if "active" in request.form:
        body["active"] = request.form["active"] == "true"
    return change(
        "PATCH",
        f"/api/users/{user_id}",
        body,
        told="The account is changed, and logged out everywhere.",
        back=url_for(".users"),
    )


@accounts.post("/users/<id:user_id>/delete")
def delete_user(user_id: int) -> Response:
    """Remove it."""
    return change("DELETE", f"/api/users/{user_id}", told="The account is removed.", back=url_for(".users"))


@accounts.get("/keys")
def keys() -> str:
    """One's own keys; an admin sees all."""
    found = ask("GET", "/api/auth/keys", query={"limit": "100", "cursor": request.args.get("cursor", "")})
    following = url_for(".keys", cursor=found["pagination"].get("next_cursor"))
    return render_template("keys.html", keys=found["keys"], pagination=found["pagination"], following=following)


@accounts.post("/keys")
def create_key() -> str | Response:
    """Create one, and show it this once."""
    body = {name: request.form[name] for name in ("name", "scope") if request.form.get(name)}
    if request.form.get("expires_at"):
        body["expires_at"] = as_utc(request.form["expires_at"])
    try:
        created = ask("POST", "/api/auth/keys", body=body)
    except Refused as no:
        say(no.detail, is_bad=True)
        return redirect(url_for(".keys"), 303)
    found = ask("GET", "/api/auth/keys", query={"limit": "100"})
    return render_template("keys.html", keys=found["keys"], pagination=found["pagination"], following=None, new=created)


@accounts.post("/keys/<id:key_id>/delete")
def delete_key(key_id: int) -> Response:
    """Remove it."""
    return change("DELETE", f"/api/auth/keys/{key_id}", told="The key is removed.", back=url_for(".keys"))
