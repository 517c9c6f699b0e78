"""`query_database` on a real PostgreSQL: rows come as JSON, and nothing can be written."""

import asyncio
from collections.abc import Generator
from typing import cast
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from scheduler.domain.errors import ConfigurationError, InvalidInput, PermanentError, TaskError
from scheduler.domain.job import JsonObject, JsonValue
from scheduler.executor.result import encode_result
from scheduler.settings import Settings
from scheduler.store.connection import Database
from scheduler.tasks.query_database import MAX_ROWS
from scheduler.wiring.tasks import task_registry
from tests.eventually import eventually
from tests.integration.tasks.running import Bench


@pytest.fixture
def bench(database_url: str) -> Bench:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int PRIMARY KEY, total numeric)")
        connection.execute("INSERT INTO orders SELECT n, n * 1.5 FROM generate_series(1, 5) AS n")
    return Bench(datasources={"shop": database_url})


def query(bench: Bench, sql: str, **more: JsonValue) -> JsonObject:
    return bench.run_alone("query_database", {"datasource": "shop", "sql": sql, **more})


def failed(bench: Bench, sql: str, **more: JsonValue) -> TaskError:
    with pytest.raises(TaskError) as caught:
        query(bench, sql, **more)
    return caught.value


def one(bench: Bench, expression: str) -> JsonValue:
    rows = query(bench, f"SELECT {expression}")["rows"]
    return cast("list[list[JsonValue]]", rows)[0][0]


def test_rows_and_the_names_of_their_columns(bench: Bench) -> None:
    assert query(bench, "SELECT id, total, id FROM orders WHERE id < 3 ORDER BY id") == {
        "columns": ["id", "total", "id"],
        "rows": [[1, "1.5", 1], [2, "3.0", 2]],
        "row_count": 2,
        "truncated": False,
    }
    assert query(bench, "SELECT id FROM orders WHERE false")["rows"] == []
    assert bench.log[0] == "2 rows from shop"


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT id FROM orders WHERE id >= %s AND total < %s ORDER BY id", [2, 4.0]),
        ("SELECT id FROM orders WHERE id BETWEEN %(low)s AND %(high)s ORDER BY id", {"low": 2, "high": 2}),
        ("SELECT id FROM orders WHERE id % 5 = 2", None),
        ("SELECT id FROM orders WHERE id %% 5 = %s", [2]),
        ("SELECT 2 WHERE '2026-02-19'::date = %s", ["2026-02-19"]),
        ("SELECT 2 WHERE %s = '''; DROP TABLE orders; --'", ["'; DROP TABLE orders; --"]),
        ("SELECT 2; -- ", None),
    ],
)
def test_parameters(bench: Bench, sql: str, parameters: JsonValue) -> None:
    assert query(bench, sql, parameters=parameters)["rows"] == [[2]]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("NULL", None),
        ("true", True),
        ("9223372036854775807", 9223372036854775807),
        ("1.10::numeric", "1.10"),
        ("'NaN'::float8", "nan"),
        ("'-Infinity'::float8", "-inf"),
        ("2.5::float8", 2.5),
        ("'infinity'::timestamptz", "infinity"),
        ("'2026-02-19 10:00+01'::timestamptz", "2026-02-19 09:00:00+00"),
        ("'20000-01-01'::date", "20000-01-01"),
        ("interval '1 month 2 days'", "P1M2D"),
        ("'\\x00ff'::bytea", "AP8="),
        ("'{\"a\": [1, null]}'::jsonb", {"a": [1, None]}),
        ("ARRAY[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("ARRAY['infinity'::date]", ["infinity"]),
        ("'[1,3)'::int4range", "[1, 3)"),
        ("'10.0.0.0/8'::cidr", "10.0.0.0/8"),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ],
)
def test_every_value_is_json(bench: Bench, expression: str, value: JsonValue) -> None:
    found = one(bench, expression)
    assert found == value
    encode_result({"value": found})


def test_rows_beyond_the_limit_are_left_out(bench: Bench) -> None:
    assert query(bench, "SELECT id FROM orders ORDER BY id", max_rows=2) == {
        "columns": ["id"],
        "rows": [[1], [2]],
        "row_count": 2,
        "truncated": True,
    }
    assert query(bench, "SELECT id FROM orders", max_rows=5)["truncated"] is False
    assert query(bench, "SELECT 1 FROM generate_series(1, 1000000)", max_rows=MAX_ROWS)["row_count"] == MAX_ROWS


def test_rows_too_large_for_a_result_are_refused(bench: Bench) -> None:
    error = failed(bench, "SELECT repeat('x', 1000) FROM generate_series(1, 5000)", max_rows=MAX_ROWS)
    assert (type(error), error.type) == (PermanentError, "result_too_large")


WRITES = [
    "INSERT INTO orders VALUES (9, 9)",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT id FROM gone",
    "SELECT 1; DELETE FROM orders",
    "SELECT 1; COMMIT; DELETE FROM orders",
    "COMMIT",
    "SELECT id INTO more FROM orders",
    "SELECT id FROM orders FOR UPDATE",
    "SET TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "DO $$ BEGIN DELETE FROM orders; END $$",
    "COPY orders FROM STDIN",
    "COPY orders TO STDOUT",
    "SELECT nextval('numbers')",
    "SELECT wipe()",
    "CREATE TABLE more ()",
    "EXPLAIN ANALYZE DELETE FROM orders",
    "CLOSE query",
]


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_is_written(bench: Bench, database_url: str, sql: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE numbers")
        connection.execute(
            "CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN SET LOCAL transaction_read_only = off; DELETE FROM orders; RETURN 1; END $$"
        )
        error = failed(bench, sql)
        assert (type(error), error.type) == (PermanentError, "query"), error
        assert connection.execute("SELECT count(*), min(id) FROM orders").fetchone() == (5, 1)
        assert connection.execute("SELECT to_regclass('more'), last_value, is_called FROM numbers").fetchone() == (
            None,
            1,
            False,
        )


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELEC 1", None),
        ("SELECT * FROM nowhere", None),
        ("SELECT 1 / 0", None),
        ("SELECT %s", None),
        ("SELECT %s", []),
        ("SELECT %(a)s", {"b": 1}),
        ("SELECT %d", [1]),
        ("SELECT %s", ["\x00"]),
        ("SELECT '\x00'", None),
    ],
)
def test_a_query_that_is_wrong_fails_for_good(bench: Bench, sql: str, parameters: JsonValue) -> None:
    error = failed(bench, sql, parameters=parameters)
    assert (type(error), error.type) == (PermanentError, "query"), error


def test_a_server_that_is_away_is_worth_another_attempt_and_stays_unnamed() -> None:
    bench = Bench(datasources={"shop": "postgresql://reader7:hunter2@127.0.0.1:1/secretdb"})
    error = failed(bench, "SELECT 1")
    assert (type(error), error.type) == (TaskError, "connection")
    assert not [each for each in ("hunter2", "secretdb", "reader7") if each in f"{error} {error.__cause__} {bench.log}"]


def test_an_unknown_source_is_named(bench: Bench) -> None:
    with pytest.raises(PermanentError, match=r"'shoe'.*shop"):
        bench.run_alone("query_database", {"datasource": "shoe", "sql": "SELECT 1"})


def test_a_query_is_cancelled_with_its_attempt(bench: Bench, database_url: str) -> None:
    def sleeping() -> int:
        with psycopg.connect(database_url) as connection:
            seen = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH %' AND state = 'active'"
                " AND wait_event = 'PgSleep'"
            ).fetchone()
        assert seen is not None
        return cast("int", seen[0])

    def wait_for(count: int) -> bool:
        return eventually(lambda: sleeping() == count, what=f"{count} sleeping queries")

    async def cancelled() -> None:
        task = asyncio.create_task(bench.run("query_database", {"datasource": "shop", "sql": "SELECT pg_sleep(600)"}))
        await asyncio.to_thread(wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    wait_for(0)


BAD_DATA: list[JsonObject] = [
    {"datasource": "", "sql": "SELECT 1"},
    {"datasource": "shop", "sql": ""},
    {"datasource": "shop", "sql": "x" * 100_001},
    {"datasource": "shop", "sql": "SELECT %s", "parameters": [{}]},
    {"datasource": "shop", "sql": "SELECT %s", "parameters": "x"},
    {"datasource": "shop", "sql": "SELECT 1", "max_rows": 0},
    {"datasource": "shop", "sql": "SELECT 1", "max_rows": MAX_ROWS + 1},
]


@pytest.mark.parametrize("data", BAD_DATA)
def test_bad_data_is_refused(data: JsonObject) -> None:
    with pytest.raises(InvalidInput):
        Bench().run_alone("query_database", data)


@pytest.mark.parametrize(
    "own",
    [
        "postgresql://scheduler:a@db.example/scheduler",
        "postgresql://scheduler:a@standby.example:5432,db.example:5432/scheduler?target_session_attrs=read-write",
    ],
)
def test_the_schedulers_own_account_and_its_database_are_no_sources(own: str) -> None:
    for url in (
        "postgresql://scheduler:a@db.example/scheduler",
        "postgresql://scheduler:b@db.example:5432/other",
        "postgresql://reader:a@db.example:5432/scheduler",
    ):
        settings = Settings.model_validate({"database_url": own, "datasources": {"shop": url}})
        with pytest.raises(ConfigurationError, match=r"'shop'.*own database, or uses its account"):
            task_registry(settings)
    reader = Settings.model_validate(
        {"database_url": own, "datasources": {"shop": "postgresql://reader:a@db.example/shop"}}
    )
    assert task_registry(reader).get("query_database")


@pytest.fixture
def reader(database_url: str) -> Generator[str]:
    """An account that may log in, and no more; its name."""
    name = f"reader_{uuid4().hex[:12]}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'reader'").format(sql.Identifier(name)))
        yield name
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def guarded(own: Database, url: str) -> Bench:
    """A bench whose scheduler has a database of its own."""
    settings = Settings.model_validate({"database_url": "postgresql://a@elsewhere/a", "datasources": {"shop": url}})
    return Bench(registry=task_registry(settings, own))


def elsewhere(url: str, *, account: str = "", host: str = "", database: str = "") -> str:
    """The same URL with something else in it."""
    parts = urlsplit(url)
    login = account or f"{parts.username}:{parts.password or ''}"
    path = f"/{database}" if database else parts.path
    return parts._replace(netloc=f"{login}@{host or parts.hostname}:{parts.port or 5432}", path=path).geturl()


def test_the_schedulers_own_database_is_refused_however_it_is_spelt(db: Database, database_url: str) -> None:
    user = "".join(f"%{ord(letter):02x}" for letter in urlsplit(database_url).username or "")
    spellings = [
        database_url,
        elsewhere(database_url, host="localhost"),
        elsewhere(database_url, account=f"{user}:{urlsplit(database_url).password or ''}"),
        elsewhere(database_url, host="nowhere.example") + "?hostaddr=127.0.0.1",
    ]
    for url in spellings:
        error = failed(guarded(db, url), "SELECT 1")
        assert (type(error), error.type) == (PermanentError, "datasource"), url
        assert "own database" in str(error)


def test_neither_another_account_there_nor_the_own_one_elsewhere_is_let_in(
    db: Database, database_url: str, reader: str
) -> None:
    for url in (
        elsewhere(database_url, account=f"{reader}:reader"),
        elsewhere(database_url, database="postgres"),
    ):
        assert failed(guarded(db, url), "SELECT 1").type == "datasource"
    other = elsewhere(database_url, account=f"{reader}:reader", database="postgres")
    assert query(guarded(db, other), "SELECT 1")["rows"] == [[1]]
