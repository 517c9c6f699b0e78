"""Who looks at the dashboard: a cookie, what it stands for on the server, and the token that every change carries."""

import hmac
import re
import secrets
from typing import Final

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from scheduler.api.audited import leave_entry
from scheduler.api.client_address import is_encrypted
from scheduler.api.identity import VOUCHED_FOR
from scheduler.api.services import connection
from scheduler.api.tokens import hash_of
from scheduler.domain.account import Account, Role
from scheduler.store.dashboard_sessions import close_dashboard, trade_for_cookie, whose_cookie
from scheduler.store.sessions import SESSION_SECONDS
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say

COOKIE: Final = "scheduler_dashboard"
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "X-CSRF-Token"
_PAGE: Final = re.compile(r"/(?![/\\])[^\\]*")
"""A path of this site: browsers take two slashes, backward ones too, for the beginning of another."""
_SAFE: Final = {"GET", "HEAD"}
_OPEN: Final = {"web.session.log_in", "web.session.prove", "web.assets.asset"}

session = Blueprint("session", __name__)


def visitor() -> Account | None:
    """Who is logged in."""
    return g.get("visitor")


def may_change() -> bool:
    """Whether controls that change something are shown; the API refuses them to others in any case."""
    who = visitor()
    return who is not None and who.role is not Role.VIEWER


def changers_only() -> None:
    """Raises Forbidden for who would fill in a form in vain."""
    if not may_change():
        raise Forbidden("A viewer may not change anything: ask an admin for the role user.")


def csrf_token() -> str:
    """What a form has to bring back: nobody can tell it who does not know the cookie, which no script can read."""
    return hmac.new(_cookie().encode(), b"csrf", "sha256").hexdigest()


def gate() -> AnyResponse | None:
    """Let nobody in but those who are logged in, and no change that our own pages did not ask for."""
    if request.endpoint in _OPEN:
        return None
    with connection() as conn:
        known = whose_cookie(conn, hash_of(_cookie())) if _cookie() else None
    if known is None:
        return _to_log_in()
    g.visitor, request.environ[VOUCHED_FOR] = known
    if request.method not in _SAFE and not _is_ours():
        raise Forbidden("This page is out of date, or the request came from another site: reload it, and try again.")
    return None


@session.get("/login")
def log_in() -> str:
    """The way in."""
    return render_template("login.html", next=request.args.get("next", ""))


@session.post("/login")
def prove() -> AnyResponse:
    """Log in as the API does, with all its limits, and trade the tokens for a cookie."""
    email, wanted = request.form.get("email", ""), request.form.get("next", "")
    try:
        tokens = ask("POST", "/api/auth/login", body={"email": email, "password": request.form.get("password", "")})
    except Refused as no:
        why = "Give your e-mail address and your password." if no.status == 422 else no.detail
        page = render_template("login.html", next=wanted, email=email, problem=why)
        return Response(page, status=no.status, headers=no.retry_after)
    cookie = secrets.token_urlsafe(32)
    with connection() as conn:
        trade_for_cookie(conn, refresh_hash=hash_of(tokens["refresh_token"]), cookie_hash=hash_of(cookie))
    response = redirect(_within(wanted), 303)
    response.set_cookie(
        COOKIE, cookie, max_age=int(SESSION_SECONDS), httponly=True, samesite="Lax", secure=is_encrypted()
    )
    return response


@session.post("/logout")
def log_out() -> AnyResponse:
    """End the log-in, here and on the server."""
    with connection() as conn, conn.transaction():
        account_id = close_dashboard(conn, hash_of(_cookie()))
        leave_entry(conn, "log_out", "user", account_id, account_id=account_id)
    response = redirect(url_for("web.session.log_in"), 303)
    response.delete_cookie(COOKIE)
    return response


def _cookie() -> str:
    return request.cookies.get(COOKIE, "")


def _is_ours() -> bool:
    sent = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    return hmac.compare_digest(sent.encode(), csrf_token().encode())


def _to_log_in() -> AnyResponse:
    wanted = request.full_path.rstrip("?") if request.method in _SAFE else "/"
    where = url_for("web.session.log_in", next=None if wanted == "/" else wanted)
    if "HX-Request" in request.headers:  # a page that refreshes a part of itself must not get the form there
        return Response(status=401, headers={"HX-Redirect": where})
    if request.method not in _SAFE:
        say("You were logged out. Log in, and try again.", is_bad=True)
    return redirect(where, 303)


def _within(wanted: str) -> str:
    """Where the visitor wanted to go, if that is a page of ours."""
    return wanted if _PAGE.fullmatch(wanted) and wanted.isprintable() else url_for("web.overview.show")
