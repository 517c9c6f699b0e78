"""Accounts: one's own and its log-in, those of others, and keys for programs."""

from datetime import datetime
from typing import TypedDict, Unpack

from scheduler.client.calls import Call, Page, Plan, given, nothing
from scheduler.client.errors import Unauthenticated
from scheduler.client.exchange import Keeper
from scheduler.client.jobs import LONGEST_PAGE, fresh_key
from scheduler.client.models import ApiKey, LogIn, NewApiKey, User, one, page
from scheduler.client.noun import Noun, S_co, endpoint, walk
from scheduler.domain.job import JsonObject


class UserChanges(TypedDict, total=False):
    """What to change of an account."""

    role: str
    active: bool
    password: str


class Users(Noun[S_co]):
    """Accounts, for admins."""

    @endpoint
    @staticmethod
    def create(
        email: str,
        password: str,
        *,
        role: str = "user",
        first_name: str | None = None,
        last_name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[User]:
        """Create an account."""
        names = given(first_name=first_name, last_name=last_name)
        body: JsonObject = {"email": email, "password": password, "role": role, **names}
        return Call("POST", "/api/users", one(User), body=body, key=fresh_key(idempotency_key))

    @walk
    @staticmethod
    def list() -> Call[Page[User]]:
        """Every account, newest first."""
        return Call("GET", "/api/users", page(User, "users"), query={"limit": LONGEST_PAGE})

    @endpoint
    @staticmethod
    def edit(user_id: int, **changes: Unpack[UserChanges]) -> Call[User]:
        """Change an account's role, whether it is active, or its password; it is logged out everywhere."""
        return Call("PATCH", f"/api/users/{user_id}", one(User), body=given(**changes))

    @endpoint
    @staticmethod
    def delete(user_id: int) -> Call[None]:
        """Remove an account, its log-ins and its keys."""
        return Call("DELETE", f"/api/users/{user_id}", nothing)


class Keys(Noun[S_co]):
    """API keys: only a log-in may manage them, no other key."""

    @endpoint
    @staticmethod
    def create(name: str, scope: str, *, expires_at: datetime | str | None = None) -> Call[NewApiKey]:
        """Create a key, `read` or `write`. An answer that gets lost is not asked for again: it holds a secret."""
        body: JsonObject = {"name": name, "scope": scope, **given(expires_at=expires_at)}
        return Call("POST", "/api/auth/keys", one(NewApiKey), body=body)

    @walk
    @staticmethod
    def list() -> Call[Page[ApiKey]]:
        """One's own keys; an admin sees all."""
        return Call("GET", "/api/auth/keys", page(ApiKey, "keys"), query={"limit": LONGEST_PAGE})

    @endpoint
    @staticmethod
    def delete(key_id: int) -> Call[None]:
        """Remove a key: within seconds it is good for nothing."""
        return Call("DELETE", f"/api/auth/keys/{key_id}", nothing)


class Account(Noun[S_co]):
    """One's own account."""

    @endpoint
    @staticmethod
    def me() -> Call[User]:
        """Whose credentials these are."""
        return Call("GET", "/api/auth/me", one(User))


def logging_in(keeper: Keeper, email: str, password: str) -> Plan[LogIn]:
    """Log in, and keep what came of it."""
    body: JsonObject = {"email": email, "password": password}
    log_in: LogIn = yield Call("POST", "/api/auth/login", one(LogIn), body=body, again=True, anonymous=True)
    keeper.save(log_in)
    return log_in


def logging_out(keeper: Keeper) -> Plan[None]:
    """Log out, and forget the log-in whether or not it was still good."""
    kept = keeper.load()
    if kept is None:
        raise Unauthenticated(401, "There is no log-in to end.")
    keeper.save(None)
    body: JsonObject = {"refresh_token": kept.refresh_token}
    yield Call("POST", "/api/auth/logout", nothing, body=body, again=True, anonymous=True)
