"""Logging in and out, and who one is."""

from typing import Annotated, Final, Literal, Self

from flask import Response
from pydantic import Field, SecretStr
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized

from scheduler.api.access import Access
from scheduler.api.account_fields import (
    PASSWORD_EXAMPLE,
    AccountOut,
    Email,
    NewPassword,
    RegistrationIn,
)
from scheduler.api.audited import Audit, leave_entry
from scheduler.api.client_address import client_address
from scheduler.api.fields import Input, Output, example
from scheduler.api.identity import current_caller, current_identity
from scheduler.api.passwords import hashed, place
from scheduler.api.resource import Resource, answer, nothing
from scheduler.api.services import connection, services
from scheduler.api.tokens import ACCESS_SECONDS, hash_of, new_refresh_token
from scheduler.domain.account import AccountChanges, NewAccount
from scheduler.domain.errors import FieldError, InvalidInput
from scheduler.domain.password import is_password
from scheduler.store.accounts import change_account, create_account, find_password, get_account
from scheduler.store.login_failures import begin_login, forgive
from scheduler.store.sessions import Grant, TokenReused, close_session, open_session, rotate

auth: Final = Resource("authentication", "Logging in and out, and who one is.", kind="user")

_LOCKED_SECONDS: Final = 60
_NOT_GOOD: Final = "E-mail and password do not match, or the account is not active."
_NEW_PASSWORD: Final = {"password": "changed"}
_TOKEN_EXAMPLE: Final = "Zm9yIGV4YW1wbGUgb25seSwgbm90IGEgdG9rZW4gb2YgYW55Ym9keQ"  # noqa: S105 - an example

RefreshToken = Annotated[SecretStr, Field(min_length=1, max_length=200)]


class LoginIn(Input):
    """Who one says to be, and the proof."""

    model_config = example({"email": "ada@example.com", "password": PASSWORD_EXAMPLE})

    email: Email
    password: Annotated[SecretStr, Field(min_length=1, max_length=1_000)]


class RefreshIn(Input):
    """The refresh token of the last answer."""

    model_config = example({"refresh_token": _TOKEN_EXAMPLE})

    refresh_token: RefreshToken


class PasswordIn(Input):
    """The password as it is, and as it shall be."""

    model_config = example({"current_password": PASSWORD_EXAMPLE, "new_password": "another long pass phrase"})

    current_password: Annotated[SecretStr, Field(min_length=1, max_length=1_000)]
    new_password: NewPassword


class TokensOut(Output):
    """A log-in: send `access_token` as bearer token; `refresh_token` brings the next pair, once."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - no password
    expires_in: Annotated[int, Field(description="Seconds that the access token is good for.")] = ACCESS_SECONDS
    user: AccountOut

    @classmethod
    def of(cls, grant: Grant, refresh: str) -> Self:
        access = services().tokens.access(grant, refresh)
        return cls(access_token=access, refresh_token=refresh, user=AccountOut.of(grant.account))


@auth.post("/api/auth/register", Access.OPEN, {201: AccountOut}, problems=(403, 409, 429, 503), audit=Audit.NOT)
def register(body: RegistrationIn) -> Response:
    """Create an account for oneself, with the role user.

    A 403 unless the setting ALLOW_REGISTRATION is true.
    """
    if not services().allow_registration:
        raise Forbidden("Nobody can register here: ask an admin for an account.")
    new = NewAccount(
        email=body.email,
        password_hash=hashed(body.password, email=body.email),
        first_name=body.first_name,
        last_name=body.last_name,
    )
    with connection() as conn, conn.transaction():
        account = create_account(conn, new)
        leave_entry(conn, "register", "user", account.id, account_id=account.id)
    return answer(AccountOut.of(account), 201)


@auth.post("/api/auth/login", Access.OPEN, {200: TokensOut}, problems=(401, 429, 503), audit=Audit.NOT)
def log_in(body: LoginIn) -> Response:
    """Log in.

    The same answer, after the same time, for a wrong password and an unknown address. After five failures from one
    address with one account, a 429 for up to 15 minutes; that does not concern other addresses.
    """
    account_id = _proved(body.email, body.password)
    refresh = new_refresh_token()
    with connection() as conn, conn.transaction():
        grant = account_id and open_session(conn, account_id, token_hash=hash_of(refresh), address=client_address())
        if grant:
            leave_entry(conn, "log_in", "user", account_id, account_id=account_id)
        else:
            leave_entry(conn, "log_in_refused", "user", actor=body.email)
    if not grant:
        raise Unauthorized(_NOT_GOOD)
    return answer(TokensOut.of(grant, refresh))


@auth.post("/api/auth/refresh", Access.OPEN, {200: TokensOut}, problems=(401, 429, 503), audit=Audit.NOT)
def refresh(body: RefreshIn) -> Response:
    """Get the next pair of tokens.

    Each refresh token works once. The same one again within 10 seconds, from another tab, gets the same pair; later it
    ends the log-in, and with it all its tokens: one of the two who had it has stolen it.
    """
    old = body.refresh_token.get_secret_value()
    new = services().tokens.successor(old)
    with connection() as conn, conn.transaction():
        try:
            grant = rotate(conn, old_hash=hash_of(old), new_hash=hash_of(new))
        except TokenReused as reuse:
            leave_entry(conn, "refresh_token_reused", "user", reuse.account.id, account_id=reuse.account.id)
            grant = None
    if grant is None:
        raise Unauthorized("This refresh token is not good any more: log in again.")
    return answer(TokensOut.of(grant, new))


@auth.post("/api/auth/logout", Access.OPEN, {204: None}, problems=(401, 429, 503), audit=Audit.NOT)
def log_out(body: RefreshIn) -> Response:
    """Log out.

    The refresh token is good for nothing then, and within seconds its access tokens neither.
    """
    with connection() as conn, conn.transaction():
        account_id = close_session(conn, token_hash=hash_of(body.refresh_token.get_secret_value()))
        if account_id is None:
            raise Unauthorized("There is no log-in with this refresh token.")
        leave_entry(conn, "log_out", "user", account_id, account_id=account_id)
    return nothing()


@auth.get("/api/auth/me", Access.READ, {200: AccountOut}, problems=(404, 503))
def me() -> Response:
    """Show one's own account."""
    with connection() as conn:
        account = get_account(conn, current_caller(), current_identity().account_id)
    return answer(AccountOut.of(account))


@auth.post("/api/auth/password", Access.LOGIN, {204: None}, problems=(404, 503), audit=Audit.NOT)
def change_password(body: PasswordIn) -> Response:
    """Change one's own password.

    It ends all log-ins of the account, this one, too. API keys stay.
    """
    caller = current_caller()
    with connection() as conn:
        email = get_account(conn, caller, caller.owner_id).email
    if _proved(email, body.current_password) is None:
        raise InvalidInput([FieldError(("current_password",), "This is not your password.", "password_wrong")])
    password_hash = hashed(body.new_password, email=email, field="new_password")
    with connection() as conn, conn.transaction():
        change_account(conn, caller, caller.owner_id, AccountChanges(password_hash=password_hash))
        leave_entry(conn, "change_password", "user", caller.owner_id, account_id=caller.owner_id, after=_NEW_PASSWORD)
    return nothing()


def _proved(email: str, password: SecretStr) -> int | None:
    """The active account that these two prove to be one's own; None when they do not match.

    Raises TooManyRequests when that has failed too often, Busy when too many passwords are hashed: that is no failure.
    """
    address = client_address()
    with place():
        with connection() as conn:
            if not begin_login(conn, email=email, address=address):
                leave_entry(conn, "log_in_locked", "user", actor=email)
                raise TooManyRequests("This has failed too often: try again later.", retry_after=_LOCKED_SECONDS)
            account_id, password_hash = find_password(conn, email) or (None, None)
        if not is_password(password.get_secret_value(), password_hash):  # no connection is held meanwhile
            return None
    with connection() as conn:
        forgive(conn, email=email, address=address)
    return account_id
