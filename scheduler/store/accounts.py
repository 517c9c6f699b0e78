"""Accounts: created, changed and removed. The last active admin can be neither removed nor demoted."""

from datetime import UTC
from typing import Final

from psycopg import errors
from psycopg.rows import TupleRow

from scheduler.domain.account import Account, AccountChanges, NewAccount, Role
from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, NotFound
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.filters import OWN_ACCOUNT, ownership

ACCOUNT_COLUMNS: Final = "id, email, role::text, active, first_name, last_name, created_at, updated_at"

_INSERT: Final = f"""
    INSERT INTO accounts (email, password_hash, role, first_name, last_name)
    VALUES (%(email)s, %(password_hash)s, %(role)s, %(first_name)s, %(last_name)s)
    RETURNING {ACCOUNT_COLUMNS}"""


def create_account(conn: Connection, new: NewAccount) -> Account:
    """Create an account; raises Conflict when there is one with that e-mail."""
    parameters = {
        "email": new.email,
        "password_hash": new.password_hash,
        "role": new.role.value,
        "first_name": new.first_name,
        "last_name": new.last_name,
    }
    try:
        with conn.transaction():
            (row,) = fetch_all(conn, _INSERT, parameters)
    except errors.UniqueViolation:
        raise Conflict(f"There is an account with the e-mail {new.email}: take another one.") from None
    return account_from_row(row)


_LOCK_FIRST_ADMIN: Final = "SELECT pg_advisory_xact_lock(hashtext('scheduler first admin'))"
_ANY_ADMIN: Final = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE role = 'admin' AND active ORDER BY id LIMIT 1"


def create_first_admin(conn: Connection, new: NewAccount) -> Account | None:
    """Create this admin if there is none; None when there is one. Of several at once, one does it. Raises Conflict."""
    with conn.transaction():
        conn.execute(_LOCK_FIRST_ADMIN)
        return None if any_admin(conn) else create_account(conn, new)


def any_admin(conn: Connection) -> Account | None:
    """The oldest admin that is active; None as long as there is none."""
    row = fetch_one(conn, _ANY_ADMIN, {})
    return account_from_row(row) if row else None


_GET: Final = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE id = %(id)s AND {OWN_ACCOUNT}"


def get_account(conn: Connection, caller: Caller, account_id: int) -> Account:
    """The account; raises NotFound when there is none, or it is not the caller's to see."""
    if row := fetch_one(conn, _GET, {"id": account_id, **ownership(caller)}):
        return account_from_row(row)
    raise _not_found(account_id)


_CREDENTIALS: Final = "SELECT id, password_hash FROM accounts WHERE email = %(email)s AND active"


def find_password(conn: Connection, email: str) -> tuple[int, str] | None:
    """Id and password hash of the active account with that e-mail: all that may be known of it before it logs in."""
    row = fetch_one(conn, _CREDENTIALS, {"email": email})
    return (row[0], row[1]) if row else None


_LOCK_ADMINS: Final = "SELECT id FROM accounts WHERE role = 'admin' AND active ORDER BY id FOR UPDATE"
_LOCK: Final = f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE id = %(id)s AND {OWN_ACCOUNT} FOR UPDATE"

_CHANGE: Final = f"""
    WITH changed AS (
        UPDATE accounts
        SET role = coalesce(%(role)s::account_role, role), active = coalesce(%(active)s, active),
            password_hash = coalesce(%(password_hash)s, password_hash), updated_at = now()
        WHERE id = %(id)s AND {OWN_ACCOUNT}
        RETURNING {ACCOUNT_COLUMNS}
    ), logged_out AS (
        UPDATE sessions SET revoked_at = now() WHERE owner_id = (SELECT id FROM changed) AND revoked_at IS NULL
    )
    SELECT * FROM changed"""


def change_account(
    conn: Connection, caller: Caller, account_id: int, changes: AccountChanges
) -> tuple[Account, Account]:
    """Change the account, and log it out everywhere; as it was, and as it is.

    Raises NotFound as get_account, Conflict when no admin would be left.
    """
    parameters = {
        "role": changes.role and changes.role.value,
        "active": changes.active,
        "password_hash": changes.password_hash,
    }
    with conn.transaction():
        admins = [row[0] for row in fetch_all(conn, _LOCK_ADMINS, {})]
        locked = fetch_one(conn, _LOCK, {"id": account_id, **ownership(caller)})
        if locked is None:
            raise _not_found(account_id)
        if admins == [account_id] and (changes.role not in {None, Role.ADMIN} or changes.active is False):
            raise Conflict("This is the last active admin: make another account one before.")
        (row,) = fetch_all(conn, _CHANGE, {"id": account_id, **parameters, **ownership(caller)})
    return account_from_row(locked), account_from_row(row)


_DELETE: Final = f"DELETE FROM accounts WHERE id = %(id)s AND {OWN_ACCOUNT} RETURNING {ACCOUNT_COLUMNS}"


def delete_account(conn: Connection, caller: Caller, account_id: int) -> Account:
    """Remove the account, its log-ins and its keys; what it owned stays, for admins. The account as it was.

    Raises NotFound as get_account, Conflict when no admin would be left.
    """
    with conn.transaction():
        if [row[0] for row in fetch_all(conn, _LOCK_ADMINS, {})] == [account_id]:
            raise Conflict("This is the last active admin: make another account one before.")
        row = fetch_one(conn, _DELETE, {"id": account_id, **ownership(caller)})
    if row is None:
        raise _not_found(account_id)
    return account_from_row(row)


def account_from_row(row: TupleRow) -> Account:
    """An account from a row of ACCOUNT_COLUMNS."""
    return Account(
        id=row[0],
        email=row[1],
        role=Role(row[2]),
        active=row[3],
        first_name=row[4],
        last_name=row[5],
        created_at=row[6].astimezone(UTC),
        updated_at=row[7].astimezone(UTC),
    )


def _not_found(account_id: int) -> NotFound:
    return NotFound(f"There is no account {account_id}.")
