"""Migrations: each once, whoever else migrates, under any role that may create in its schema."""

import dataclasses
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from scheduler.domain.caller import OPERATOR
from scheduler.domain.errors import ConfigurationError, StoreUnavailable
from scheduler.domain.job import NewJob
from scheduler.store import migrate as module
from scheduler.store import transitions
from scheduler.store.connection import Database
from scheduler.store.intake import create_job
from scheduler.store.migrate import Migration, SchemaState, migrate, migrations, schema_state
from tests.eventually import eventually
from tests.servers import Servers, fresh_database

KNOWN = migrations()
NAMES = [migration.name for migration in KNOWN]
NEXT = KNOWN[-1].version + 1


@pytest.fixture
def empty_url(servers: Servers) -> Generator[str]:
    """A database that was never migrated."""
    with fresh_database(dataclasses.replace(servers, template="template0")) as url:
        yield url


def knows(monkeypatch: pytest.MonkeyPatch, *more: Migration) -> None:
    """Let the program know of more migrations than it has files."""
    monkeypatch.setattr(module, "migrations", lambda: sorted([*KNOWN, *more], key=lambda each: each.version))


def state_of(url: str) -> SchemaState:
    with psycopg.connect(url, autocommit=True) as conn:
        return schema_state(conn)


def ledger(url: str) -> list[tuple[int, str]]:
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute("SELECT version, name FROM schema_migrations ORDER BY version").fetchall()


def test_the_files_are_numbered_from_one_without_a_gap() -> None:
    assert [migration.version for migration in KNOWN] == list(range(1, len(KNOWN) + 1))


def test_an_empty_database_becomes_current(empty_url: str) -> None:
    assert state_of(empty_url) == SchemaState(applied=0, expected=KNOWN[-1].version)
    assert migrate(empty_url) == NAMES
    assert state_of(empty_url).is_current
    assert [name for _, name in ledger(empty_url)] == NAMES


def test_a_current_database_is_left_as_it_is(database_url: str) -> None:
    before = ledger(database_url)
    assert migrate(database_url) == []
    assert ledger(database_url) == before


def test_of_many_at_once_one_migrates_and_the_others_wait(empty_url: str) -> None:
    together = threading.Barrier(6)

    def one() -> list[str]:
        together.wait()
        return migrate(empty_url)

    with ThreadPoolExecutor(6) as threads:
        answers = [each.result() for each in [threads.submit(one) for _ in range(6)]]
    assert sorted(answers) == [[]] * 5 + [NAMES]


def test_who_waits_for_another_migration_holds_no_transaction_open(empty_url: str) -> None:
    """CREATE INDEX CONCURRENTLY, in the other one, may wait for its end."""
    with psycopg.connect(empty_url) as other, psycopg.connect(empty_url, autocommit=True) as onlooker:
        other.execute(module._TRY_LOCK)  # pyright: ignore[reportPrivateUsage] - as the other one does
        thread = threading.Thread(target=migrate, args=(empty_url,))
        thread.start()
        its_last_words = """SELECT query FROM pg_stat_activity WHERE application_name = 'scheduler migrate lock'
            AND datname = current_database() AND state = 'idle'"""
        try:
            eventually(lambda: onlooker.execute(its_last_words).fetchall() == [("COMMIT",)])
        finally:
            other.rollback()
            thread.join()
    with psycopg.connect(empty_url, autocommit=True) as conn:
        assert schema_state(conn).is_current


def test_what_is_missing_is_applied_and_nothing_else(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    knows(monkeypatch, Migration(NEXT, "next.sql", "CREATE TABLE extra (id int)"))
    assert not state_of(database_url).is_current
    assert migrate(database_url) == ["next.sql"]
    assert state_of(database_url).is_current


def test_a_gap_is_filled(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two branches landed in the other order than they were numbered."""
    later = Migration(NEXT + 1, "later.sql", "CREATE TABLE later (id int)")
    knows(monkeypatch, later)
    migrate(database_url)
    knows(monkeypatch, Migration(NEXT, "earlier.sql", "CREATE TABLE earlier (id int)"), later)
    assert migrate(database_url) == ["earlier.sql"]


def test_an_edited_file_is_refused_by_name(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(database_url)
    edited = dataclasses.replace(KNOWN[0], sql=KNOWN[0].sql + " ")
    monkeypatch.setattr(module, "migrations", lambda: [edited, *KNOWN[1:]])
    with pytest.raises(ConfigurationError, match=KNOWN[0].name):
        migrate(database_url)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("SELECT 1 / 0", psycopg.errors.DivisionByZero),
        (f"INSERT INTO schema_migrations VALUES ({NEXT}, 'itself', '')", psycopg.errors.UniqueViolation),
    ],
    ids=["in the file", "when it is entered in the ledger"],
)
def test_a_file_that_fails_leaves_nothing_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch, fault: str, error: type[psycopg.Error]
) -> None:
    broken = Migration(NEXT, "broken.sql", f"CREATE TABLE half (id int); {fault}")
    knows(monkeypatch, broken)
    for _ in range(2):  # the lock is gone, too
        with pytest.raises(error):
            migrate(database_url)
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT to_regclass('half')").fetchone() == (None,)
    assert len(ledger(database_url)) == len(KNOWN)
    knows(monkeypatch, dataclasses.replace(broken, sql="CREATE TABLE half (id int)"))
    assert migrate(database_url) == ["broken.sql"]


def test_a_statement_that_cannot_run_in_a_transaction(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statement = "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY extra ON jobs (name)"
    knows(monkeypatch, Migration(NEXT, "index.sql", statement))
    assert migrate(database_url) == ["index.sql"]
    assert state_of(database_url).is_current


def test_what_an_extension_is_for_is_left_out_without_it(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Migration(NEXT, "there.sql", "-- migrate: only with plpgsql\nCREATE TABLE made (id int)")
    missing = Migration(NEXT + 1, "missing.sql", "-- migrate: only with no_such_thing\nCREATE TABLE left_out (id int)")
    knows(monkeypatch, there, missing)
    assert migrate(database_url) == ["there.sql", "missing.sql"]
    assert migrate(database_url) == []
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT to_regclass('made')::text, to_regclass('left_out')").fetchone() == ("made", None)


def test_others_get_a_turn_while_a_file_waits_for_its_lock(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a table lock keeps all that come later from the table, too."""
    knows(monkeypatch, Migration(NEXT, "column.sql", "ALTER TABLE jobs ADD COLUMN extra integer"))
    with psycopg.connect(database_url) as reader, ThreadPoolExecutor(1) as thread:
        reader.execute("SELECT count(*) FROM jobs")  # holds its lock until the transaction ends
        migration = thread.submit(migrate, database_url)
        waiting = "SELECT FROM pg_locks WHERE relation = 'jobs'::regclass AND NOT granted"
        with psycopg.connect(database_url, autocommit=True) as other:
            eventually(lambda: other.execute(waiting).fetchall())
            other.execute("SET statement_timeout = '20s'")
            other.execute("SELECT count(*) FROM jobs")
        assert not migration.done()
        reader.rollback()
        assert migration.result(60) == ["column.sql"]


def test_a_server_that_is_too_old_is_told_so(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLDEST_POSTGRESQL", 99)
    with pytest.raises(ConfigurationError, match=r"PostgreSQL \d+ is too old: 99 or newer is needed"):
        migrate(empty_url)
    assert state_of(empty_url).applied == 0


def test_a_server_that_is_away_or_refuses_us_keeps_our_password_out_of_the_error(empty_url: str) -> None:
    parts = urlsplit(empty_url)
    wrong = parts._replace(netloc=f"{parts.username}:hunter2hunter2@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(StoreUnavailable) as refused:
        migrate(wrong)
    assert "hunter2" not in str(refused.value)


# ── no superuser ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def modest_url(empty_url: str) -> Generator[str]:
    """As a role that owns nothing and may only create in one schema."""
    database, parts = urlsplit(empty_url).path[1:], urlsplit(empty_url)
    role = f"modest_{database}"
    name, base = sql.Identifier(role), sql.Identifier(database)
    with psycopg.connect(empty_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'modest' NOSUPERUSER").format(name))
        admin.execute("REVOKE ALL ON SCHEMA public FROM public")
        admin.execute("CREATE SCHEMA app")
        admin.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA app TO {}").format(name))
        admin.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = app").format(name, base))
        yield parts._replace(netloc=f"{role}:modest@{parts.hostname}:{parts.port}").geturl()
        admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
        admin.execute(sql.SQL("DROP ROLE {}").format(name))


def test_the_right_to_create_in_its_schema_is_all_that_it_takes(modest_url: str) -> None:
    assert migrate(modest_url) == NAMES
    with closing(Database(modest_url, name="test")) as database, database.connection() as conn:
        assert schema_state(conn).is_current
        job, _ = create_job(conn, OPERATOR, NewJob(task_type="note", task_data={}))
        (claimed,) = transitions.claim(conn, queue="default", limit=1, lease_seconds=1, ageing_seconds=60)
        assert claimed.id == job.id
        assert transitions.rescue(conn, limit=1, lease_seconds=0).lost == []


def test_a_right_that_is_missing_is_named(modest_url: str, empty_url: str) -> None:
    role = sql.Identifier(urlsplit(modest_url).username or "")
    with psycopg.connect(empty_url, autocommit=True) as admin:
        admin.execute(sql.SQL("REVOKE CREATE ON SCHEMA app FROM {}").format(role))
    with pytest.raises(StoreUnavailable, match=r"permission denied for schema app.*DATABASE_URL"):
        migrate(modest_url)
