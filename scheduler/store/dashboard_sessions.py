"""What the cookies of the dashboard stand for."""

from typing import Final

from scheduler.domain.account import Account, Identity
from scheduler.store.accounts import ACCOUNT_COLUMNS, account_from_row
from scheduler.store.connection import Connection, fetch_one

_OPEN: Final = """
    WITH traded AS (
        DELETE FROM refresh_tokens WHERE hash = %(refresh)s AND spent_at IS NULL RETURNING session_id
    )
    INSERT INTO dashboard_sessions (hash, session_id) SELECT %(cookie)s, session_id FROM traded
    RETURNING session_id"""


def trade_for_cookie(conn: Connection, *, refresh_hash: bytes, cookie_hash: bytes) -> bool:
    """Turn a log-in by tokens into one by cookie: the token is good for nothing then. False if it was before."""
    return fetch_one(conn, _OPEN, {"refresh": refresh_hash, "cookie": cookie_hash}) is not None


_WHOSE: Final = f"""
    SELECT {ACCOUNT_COLUMNS}, session_id
    FROM (
        SELECT session_id, owner_id FROM dashboard_sessions JOIN sessions ON sessions.id = session_id
        WHERE hash = %(cookie)s AND revoked_at IS NULL AND expires_at > now()
    ) AS opened (session_id, account_id) JOIN accounts ON id = account_id
    WHERE active"""


def whose_cookie(conn: Connection, cookie_hash: bytes) -> tuple[Account, Identity] | None:
    """The account that a cookie speaks for; None when it is unknown, or its log-in is over."""
    if row := fetch_one(conn, _WHOSE, {"cookie": cookie_hash}):
        account = account_from_row(row)
        return account, Identity(account.id, account.role, session_id=row[8])
    return None


_CLOSE: Final = """
    UPDATE sessions SET revoked_at = coalesce(revoked_at, now())
    WHERE id = (SELECT session_id FROM dashboard_sessions WHERE hash = %(cookie)s)
    RETURNING owner_id"""


def close_dashboard(conn: Connection, cookie_hash: bytes) -> int | None:
    """Revoke the log-in that a cookie stands for; its account, None if there is no such."""
    row = fetch_one(conn, _CLOSE, {"cookie": cookie_hash})
    return row[0] if row else None
