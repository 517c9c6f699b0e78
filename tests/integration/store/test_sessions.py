"""What is over is forgotten, and nothing else is."""

from collections.abc import Generator

import pytest

from scheduler.domain.account import NewAccount
from scheduler.picker.forget import Forget
from scheduler.store.accounts import create_account
from scheduler.store.connection import Connection, Database
from scheduler.store.login_failures import begin_login
from scheduler.store.sessions import open_session, recently_revoked


@pytest.fixture
def session(db: Database) -> Generator[tuple[Connection, int]]:
    """A log-in of an account."""
    with db.connection() as conn:
        conn.execute("TRUNCATE accounts, sessions, revocations, login_failures CASCADE")
        account = create_account(conn, NewAccount(email="ada@example.com", password_hash="-"))
        grant = open_session(conn, account.id, token_hash=b"x", address="192.0.2.1")
        assert grant is not None
        yield conn, grant.session_id


def counts(conn: Connection) -> list[int]:
    tables = ("sessions", "refresh_tokens", "revocations", "login_failures")
    return [conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()[0][0] for table in tables]


def test_what_is_over_is_forgotten(db: Database, session: tuple[Connection, int]) -> None:
    conn, session_id = session
    assert begin_login(conn, email="ada@example.com", address="192.0.2.1")
    conn.execute("UPDATE sessions SET revoked_at = now()")
    assert recently_revoked(conn, seconds=60) == {session_id}
    Forget(db).step()
    assert counts(conn) == [1, 1, 1, 1]
    conn.execute("UPDATE sessions SET expires_at = now()")
    conn.execute("UPDATE revocations SET revoked_at = now() - interval '2 days'")
    conn.execute("UPDATE login_failures SET at = now() - interval '2 days'")
    Forget(db).step()
    assert counts(conn) == [0, 0, 0, 0]


def test_an_account_takes_its_log_ins_along_and_their_tokens_end(session: tuple[Connection, int]) -> None:
    conn, session_id = session
    conn.execute("DELETE FROM accounts")
    assert counts(conn)[:2] == [0, 0]
    assert recently_revoked(conn, seconds=60) == {session_id}
