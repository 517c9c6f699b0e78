"""Log-ins: opened, kept alive by refresh tokens that are each good for once, and revoked."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from psycopg.rows import TupleRow

from scheduler.domain.account import Account
from scheduler.store.accounts import ACCOUNT_COLUMNS, account_from_row
from scheduler.store.connection import Connection, fetch_all, fetch_one

SESSION_SECONDS: Final = 30 * 86_400.0
"""How long refreshing can go on without another log-in."""
GRACE_SECONDS: Final = 10.0
"""So long after it was spent a refresh token may come again: from another tab, which did not know."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to act for an account: what an access token says."""

    account: Account
    session_id: int
    at: datetime


class TokenReused(Exception):
    """A refresh token came again long after it was spent; its log-in is revoked now."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account


_OPEN: Final = f"""
    WITH opened (session_id, account_id) AS (
        INSERT INTO sessions (owner_id, address, expires_at)
        SELECT id, %(address)s, now() + make_interval(secs => %(seconds)s)
        FROM accounts WHERE id = %(account_id)s AND active
        RETURNING id, owner_id
    ), issued AS (
        INSERT INTO refresh_tokens (hash, session_id) SELECT %(token)s, session_id FROM opened
    )
    SELECT {ACCOUNT_COLUMNS}, session_id, now() FROM opened JOIN accounts ON id = account_id"""


def open_session(conn: Connection, account_id: int, *, token_hash: bytes, address: str) -> Grant | None:
    """Log the account in; None when it is not active any more."""
    parameters = {"account_id": account_id, "token": token_hash, "address": address, "seconds": SESSION_SECONDS}
    row = fetch_one(conn, _OPEN, parameters)
    return _grant_from_row(row) if row else None


_ROTATE: Final = f"""
    WITH spent (session_id, account_id) AS (
        UPDATE refresh_tokens SET spent_at = now()
        FROM sessions JOIN accounts ON accounts.id = owner_id
        WHERE hash = %(old)s AND spent_at IS NULL
          AND sessions.id = session_id AND revoked_at IS NULL AND expires_at > now() AND active
        RETURNING session_id, owner_id
    ), issued AS (
        INSERT INTO refresh_tokens (hash, session_id) SELECT %(new)s, session_id FROM spent
    )
    SELECT {ACCOUNT_COLUMNS}, session_id, now() FROM spent JOIN accounts ON id = account_id"""

_SPENT: Final = f"""
    SELECT {ACCOUNT_COLUMNS}, session_id, spent_at, spent_at > now() - make_interval(secs => %(grace)s)
    FROM (
        SELECT session_id, owner_id, spent_at FROM refresh_tokens JOIN sessions ON sessions.id = session_id
        WHERE hash = %(old)s AND spent_at IS NOT NULL AND revoked_at IS NULL AND expires_at > now()
    ) AS spent (session_id, account_id, spent_at) JOIN accounts ON id = account_id
    WHERE active"""


def rotate(conn: Connection, *, old_hash: bytes, new_hash: bytes) -> Grant | None:
    """Spend a refresh token and issue its successor; None when it is good for nothing.

    Within GRACE_SECONDS the same successor is granted again. Later it is a theft, of this one or of that: raises
    TokenReused.
    """
    if row := fetch_one(conn, _ROTATE, {"old": old_hash, "new": new_hash}):
        return _grant_from_row(row)
    row = fetch_one(conn, _SPENT, {"old": old_hash, "grace": GRACE_SECONDS})
    if row is None:
        return None
    if row[-1]:
        return _grant_from_row(row)
    conn.execute(_REVOKE, {"session_id": row[8]})
    raise TokenReused(account_from_row(row))


_REVOKE: Final = "UPDATE sessions SET revoked_at = now() WHERE id = %(session_id)s AND revoked_at IS NULL"

_CLOSE: Final = """
    UPDATE sessions SET revoked_at = coalesce(revoked_at, now())
    WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = %(token)s)
    RETURNING owner_id"""


def close_session(conn: Connection, *, token_hash: bytes) -> int | None:
    """Revoke the session that this refresh token, spent or not, belongs to; its account, None if there is no such."""
    row = fetch_one(conn, _CLOSE, {"token": token_hash})
    return row[0] if row else None


_REVOKED: Final = "SELECT session_id FROM revocations WHERE revoked_at > now() - make_interval(secs => %(seconds)s)"


def recently_revoked(conn: Connection, *, seconds: float) -> frozenset[int]:
    """The sessions that were revoked in the last `seconds`."""
    return frozenset(row[0] for row in fetch_all(conn, _REVOKED, {"seconds": seconds}))


_FORGET: Final = """
    WITH old_sessions AS (
        DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions WHERE expires_at < now() ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ), old_revocations AS (
        DELETE FROM revocations WHERE session_id IN (
            SELECT session_id FROM revocations WHERE revoked_at < now() - interval '1 day'
            ORDER BY revoked_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM old_sessions), (SELECT count(*) FROM old_revocations)"""


def forget_sessions(conn: Connection, *, limit: int) -> int:
    """Forget at most `limit` sessions that are over, with their tokens, and old revocations; the larger number."""
    (row,) = fetch_all(conn, _FORGET, {"limit": limit})
    return max(row)


def _grant_from_row(row: TupleRow) -> Grant:
    return Grant(account_from_row(row), session_id=row[8], at=row[9].astimezone(UTC))
