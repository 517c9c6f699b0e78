"""Statements asked in one call: the answers and the errors are a cursor's."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from scheduler.domain.errors import StoreUnavailable
from scheduler.store.connection import Connection, Database, fetch_one
from tests.eventually import eventually

ECHO = "SELECT %(text)s::text, %(number)s::bigint, %(data)s::jsonb, %(moment)s::timestamptz, %(number)s::bigint + 1"
MOMENT = datetime(2026, 2, 19, 10, 0, 0, 123456, UTC)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url, name="test")) as opened:
        yield opened


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.connection() as lent:
        yield lent


@pytest.mark.parametrize(
    "parameters",
    [
        {"text": "100 % of 'it' \u20ac", "number": 1, "data": '{"a": [1.5, null, "x"]}', "moment": MOMENT},
        {"text": "", "number": 2**40, "data": "[]", "moment": MOMENT},
        {"text": None, "number": None, "data": None, "moment": None},
    ],
)
def test_an_answer_is_a_cursors(conn: Connection, parameters: dict[str, object]) -> None:
    for _ in range(2):
        assert fetch_one(conn, ECHO, parameters, prepare=True) == conn.execute(ECHO, parameters).fetchone()


def test_no_row_is_none(conn: Connection) -> None:
    assert fetch_one(conn, "SELECT 1 WHERE %(wanted)s", {"wanted": False}, prepare=True) is None


def test_a_statement_is_prepared_once_for_each_kind_of_parameters(conn: Connection) -> None:
    for number in (1, 2, 2**40, 3, 2**41):
        fetch_one(conn, "SELECT %(number)s + 1", {"number": number}, prepare=True)
    assert conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (2,)


def test_a_refusal_is_a_cursors_and_the_connection_goes_on(conn: Connection) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            fetch_one(conn, "SELECT 1 / %(number)s", {"number": 0}, prepare=True)
    with pytest.raises(psycopg.errors.UndefinedTable):
        fetch_one(conn, "SELECT FROM nowhere WHERE id = %(number)s", {"number": 0}, prepare=True)
    assert fetch_one(conn, "SELECT 1 / %(number)s", {"number": 1}, prepare=True) == (1,)


def test_it_is_part_of_a_transaction(conn: Connection) -> None:
    with conn.transaction(force_rollback=True):
        fetch_one(conn, "SELECT set_config('a.b', %(value)s, false)", {"value": "inside"}, prepare=True)
        assert conn.execute("SELECT current_setting('a.b')").fetchone() == ("inside",)
    assert conn.execute("SELECT current_setting('a.b', true)").fetchone() != ("inside",)


def test_a_server_that_ends_it_is_away(database: Database, database_url: str) -> None:
    def end(backend: int) -> None:
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
        # In autocommit: all looks of a transaction at pg_stat_activity see what the first one saw.
        with psycopg.connect(database_url, autocommit=True) as other:
            eventually(lambda: other.execute(terminate, (backend,)).fetchall())

    with ThreadPoolExecutor(1) as thread, database.connection() as first:
        ending = thread.submit(end, first.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            fetch_one(first, "SELECT pg_sleep(%(seconds)s)", {"seconds": 30}, prepare=True)
        ending.result()
    with database.connection() as conn:
        assert fetch_one(conn, "SELECT %(number)s", {"number": 1}, prepare=True) == (1,)


def test_one_that_does_not_answer_in_time_is_given_up(database: Database) -> None:
    with pytest.raises(StoreUnavailable), database.connection(seconds=0.1) as conn:
        fetch_one(conn, "SELECT pg_sleep(%(seconds)s)", {"seconds": 30}, prepare=True)
