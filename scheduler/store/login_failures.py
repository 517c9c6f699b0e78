"""Log-ins that came to nothing, counted so that nobody guesses for long, and nobody locks out somebody else for long.

After FEW failures with one account from one address, that address waits; others are not concerned. After MANY within a
minute, from wherever, all addresses wait but those from which the account has logged in before.
"""

from typing import Final

from scheduler.store.connection import Connection, fetch_all, fetch_one

FEW: Final = 5
WINDOW_SECONDS: Final = 900.0
MANY: Final = 20
_KEPT_SECONDS: Final = 86_400.0

_BEGIN: Final = """
    WITH earlier AS (
        SELECT count(*) FILTER (WHERE address = %(address)s) AS from_here,
               count(*) FILTER (WHERE at > now() - interval '1 minute') AS lately
        FROM login_failures
        WHERE email = %(email)s AND at > now() - make_interval(secs => %(window)s)
    ), verdict AS (
        SELECT from_here >= %(few)s OR (lately >= %(many)s AND NOT EXISTS (
            SELECT FROM sessions JOIN accounts ON accounts.id = owner_id
            WHERE email = %(email)s AND address = %(address)s)) AS locked
        FROM earlier
    ), noted AS (
        INSERT INTO login_failures (email, address) SELECT %(email)s, %(address)s FROM verdict WHERE NOT locked
    )
    SELECT locked FROM verdict"""


def begin_login(conn: Connection, *, email: str, address: str) -> bool:
    """Note that somebody tries; False when that has failed too often of late. `forgive` is to follow a success."""
    parameters = {"email": email, "address": address, "window": WINDOW_SECONDS, "few": FEW, "many": MANY}
    (row,) = fetch_all(conn, _BEGIN, parameters)
    return not row[0]


_FORGIVE: Final = "DELETE FROM login_failures WHERE email = %(email)s AND address = %(address)s"


def forgive(conn: Connection, *, email: str, address: str) -> None:
    """Forget the failures from there: the password was right."""
    conn.execute(_FORGIVE, {"email": email, "address": address})


_FORGET: Final = """
    WITH forgotten AS (
        DELETE FROM login_failures WHERE id IN (
            SELECT id FROM login_failures WHERE at < now() - make_interval(secs => %(kept)s)
            ORDER BY at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*) FROM forgotten"""


def forget_failures(conn: Connection, *, limit: int) -> int:
    """Forget at most `limit` old failures; how many there were."""
    row = fetch_one(conn, _FORGET, {"kept": _KEPT_SECONDS, "limit": limit})
    return row[0] if row else 0
