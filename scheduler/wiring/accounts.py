"""Accounts that nobody has to log in to create: the first admin, and those made at the command line."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.api.tokens import hash_of, new_api_key, prefix_of
from scheduler.daemon import Stop
from scheduler.domain.account import Account, NewAccount, NewApiKey, Role, Scope
from scheduler.domain.audit import Deed
from scheduler.domain.caller import Caller
from scheduler.domain.errors import ConfigurationError, InvalidInput
from scheduler.domain.password import hash_password, require_good
from scheduler.logs import get_log
from scheduler.settings import Settings, api_key_file, keep_secret, read_secret
from scheduler.store.accounts import any_admin, create_account, create_first_admin
from scheduler.store.api_keys import create_key, identify
from scheduler.store.audit import record
from scheduler.store.connection import Connection, Database, connected
from scheduler.wiring.common import database_url, schema_is_there

log = get_log("wiring")

DEFAULT_ADMIN: Final = "admin@example.com"
COMMAND_LINE: Final = "the command line"
"""Who it was, for the audit: whoever may read the settings."""


def first_admin(settings: Settings) -> NewAccount | None:
    """The admin that ADMIN_EMAIL and ADMIN_PASSWORD describe, if both are set; raises ConfigurationError."""
    if not settings.admin_email or not settings.admin_password.get_secret_value():
        return None
    return new_account(settings.admin_email, settings.admin_password.get_secret_value(), Role.ADMIN)


def create_when_possible(database: Database, admin: NewAccount) -> None:
    """Create the first admin, unless there is one, once PostgreSQL and its schema are there."""
    if schema_is_there(database, Stop()):
        with database.connection() as conn:
            create_admin(conn, admin)


def create_admin(conn: Connection, admin: NewAccount) -> Account | None:
    """Create the first admin; None when there is one."""
    with conn.transaction():
        account = create_first_admin(conn, admin)
        if account is not None:
            _record(conn, account)
    if account is not None:
        log.info("first admin created", email=account.email)
    return account


def create_user(settings: Settings, new: NewAccount) -> Account:
    """Create an account from the command line; raises Conflict when its e-mail is taken."""
    with connected(database_url(settings), name="users") as conn, conn.transaction():
        account = create_account(conn, new)
        _record(conn, account)
        return account


def new_account(email: str, password: str, role: Role) -> NewAccount:
    """An account to create; raises ConfigurationError when e-mail or password will not do."""
    email = email.strip().lower()
    if not email.isascii() or not email.isprintable() or " " in email or email.count("@") != 1 or len(email) > 254:
        raise ConfigurationError(f"{email!r} is not an e-mail address.")
    try:
        require_good(password, email=email)
    except InvalidInput as invalid:
        raise ConfigurationError(f"The password of {email} will not do: {invalid.errors[0].msg}") from None
    return NewAccount(email=email, password_hash=hash_password(password), role=role)


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin for `scheduler up`: its password if that was made up just now, and where there is a key for commands."""

    email: str
    new_password: str | None
    key_file: Path


def ensure_admin(settings: Settings) -> Admin:
    """Create the first admin, and a key for this user's commands, where there are none."""
    with connected(database_url(settings), name="up") as conn:  # honcho forks this process: it must have no threads
        new_password = None
        if any_admin(conn) is None:
            email = settings.admin_email or DEFAULT_ADMIN
            given = settings.admin_password.get_secret_value()
            new_password = None if given else secrets.token_urlsafe(15)
            create_admin(conn, new_account(email, given or new_password or "", Role.ADMIN))
        admin = any_admin(conn)
        assert admin is not None
        return Admin(admin.email, new_password, _ensure_key(conn, admin, settings))


def _ensure_key(conn: Connection, admin: Account, settings: Settings) -> Path:
    """The file with an API key of the admin's; a key that is good for nothing any more is replaced."""
    file = api_key_file(settings)
    kept = read_secret(file)
    if kept and identify(conn, prefix=prefix_of(kept), key_hash=hash_of(kept)):
        return file
    key = new_api_key()
    new = NewApiKey(name="scheduler up", prefix=prefix_of(key), hash=hash_of(key), scope=Scope.WRITE)
    create_key(conn, Caller(owner_id=admin.id), new)
    return keep_secret(file, key)


def _record(conn: Connection, account: Account) -> None:
    deed = Deed(
        action="create_user",
        object_type="user",
        object_id=account.id,
        actor=COMMAND_LINE,
        after={"email": account.email, "role": account.role.value},
    )
    record(conn, deed)
