"""`query_database`: reads rows of a PostgreSQL database that the settings name, and cannot write there."""

import base64
import math
from asyncio import to_thread
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, LiteralString, NamedTuple, TypeAlias, cast

import orjson
import psycopg
from psycopg import AsyncConnection, AsyncServerCursor
from psycopg.rows import TupleRow
from psycopg.types.string import TextLoader
from pydantic import Field

from scheduler.domain.errors import PermanentError, TaskError
from scheduler.domain.job import JsonObject, JsonValue
from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import Line, TaskData, Text, example
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.text import storable

DEFAULT_ROWS: Final = 1_000
MAX_ROWS: Final = 10_000
MAX_BYTES: Final = 1024 * 1024
CONNECT_SECONDS: Final = 10

_ROWS_AT_ONCE: Final = 100
_LONGEST_SQL: Final = 100_000

_SET_UP: Final = """
    SET LOCAL statement_timeout = '60s';
    SET LOCAL idle_in_transaction_session_timeout = '60s';
    SET LOCAL timezone = 'UTC';
    SET LOCAL datestyle = 'ISO';
    SET LOCAL intervalstyle = 'iso_8601'"""
"""The attempt's own time ends a query, too; this is for one whose executor has died."""

_AS_TEXT: Final = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric", "uuid", "inet", "cidr")
"""Types whose every value has a text, and not every one a Python object: infinity, the year 20000, 1e400."""

_PERMANENT: Final = frozenset({"0A", "21", "22", "25", "26", "42", "54"})
"""SQLSTATE classes of queries that fail whenever they are tried."""

IDENTITY: Final = """
    SELECT system_identifier, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
           session_user::text
    FROM pg_catalog.pg_control_system()"""


class Identity(NamedTuple):
    """Where a connection leads and whose it is, as the server tells: its data directory (the same for its replicas),
    the database there, and the account. No URL is needed, which can be spelt in many ways."""

    cluster: int
    database: int
    account: str

    def is_too_near(self, own: "Identity") -> bool:
        """Whether it is the same database, or the same account in another."""
        same_place = (self.cluster, self.database) == (own.cluster, own.database)
        return same_place or (self.cluster, self.account) == (own.cluster, own.account)


TellIdentity: TypeAlias = Callable[[], Identity]
"""The scheduler's own; may block, and raises Unavailable."""


Value: TypeAlias = Text | int | float | bool | None


class QueryDatabase(TaskData):
    """One SELECT, VALUES or WITH. Its parameters stand as %s or %(name)s, and a % of its own is then written %%.
    1,000 rows are kept unless said, 10,000 and 1 MiB at most; it may take a minute."""

    model_config = example(
        {
            "datasource": "shop",
            "sql": "SELECT id, total FROM orders WHERE ordered_on >= %(since)s ORDER BY id",
            "parameters": {"since": "2026-02-19"},
            "max_rows": 100,
        }
    )

    datasource: Annotated[Line, Field(min_length=1, max_length=100)]
    sql: Annotated[Text, Field(min_length=1, max_length=_LONGEST_SQL)]
    parameters: list[Value] | dict[str, Value] | None = None
    max_rows: Annotated[int, Field(ge=1, le=MAX_ROWS)] = DEFAULT_ROWS


def query_database_task(datasources: Mapping[str, str], own: TellIdentity | None = None) -> TaskType:
    """The type `query_database`, bound to the databases that it may read (URLs by name), and never to our `own`."""

    async def query_database(data: QueryDatabase, context: TaskContext) -> JsonObject:
        if data.datasource not in datasources:
            known = ", ".join(sorted(datasources)) or "none"
            raise PermanentError(
                f"There is no datasource {data.datasource!r}. Those that DATASOURCES names: {known}.", type="datasource"
            )
        try:
            result = await _read(datasources[data.datasource], data, own)
        except psycopg.Error as fault:
            raise _explained(data.datasource, fault) from None  # the cause's own words may show where the server is
        context.log("%d rows from %s", result["row_count"], data.datasource)
        return result

    return TaskType(
        "query_database",
        Kind.ASYNC,
        QueryDatabase,
        query_database,
        description="Reads rows from a database that DATASOURCES names. It cannot write.",
    )


async def _read(url: str, data: QueryDatabase, own: TellIdentity | None) -> JsonObject:
    """A cursor takes a query and nothing else: no second statement, none that ends the read-only transaction."""
    async with await AsyncConnection.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
        for name in _AS_TEXT:
            connection.adapters.register_loader(name, TextLoader)
        await connection.set_read_only(True)
        if own is not None:
            await _refuse_own(connection, data.datasource, await to_thread(own))
        await connection.execute(_SET_UP)
        async with connection.cursor("query") as cursor:
            # The query is the user's own, as it stands, on a database that is open to it.
            await cursor.execute(cast("LiteralString", data.sql), data.parameters)
            columns: list[JsonValue] = [storable(column.name) for column in cursor.description or ()]
            rows, truncated = await _fetch(cursor, data.max_rows)
    return {"columns": columns, "rows": [*rows], "row_count": len(rows), "truncated": truncated}


async def _refuse_own(connection: AsyncConnection[TupleRow], datasource: str, own: Identity) -> None:
    """Raises PermanentError for a datasource that turns out to be the scheduler's."""
    cursor = await connection.execute(IDENTITY)
    row = await cursor.fetchone()
    assert row is not None
    if Identity(*row).is_too_near(own):
        raise PermanentError(
            f"The datasource {datasource!r} is the scheduler's own database, or uses its account: "
            "let DATASOURCES name another database, and an account that may read what tasks shall read.",
            type="datasource",
        )


async def _fetch(cursor: AsyncServerCursor[TupleRow], limit: int) -> tuple[list[list[JsonValue]], bool]:
    """At most `limit` rows, and whether there are more; raises PermanentError for more than a result can hold."""
    rows: list[list[JsonValue]] = []
    size = 0
    while fetched := await cursor.fetchmany(min(_ROWS_AT_ONCE, limit + 1 - len(rows))):
        for each in fetched:
            if len(rows) == limit:
                return rows, True
            rows.append([_as_json(value) for value in each])
            size += len(orjson.dumps(rows[-1]))
            if size > MAX_BYTES:
                raise PermanentError(
                    f"The rows are more than {MAX_BYTES} bytes: select fewer columns, or lower max_rows.",
                    type="result_too_large",
                )
    return rows, False


def _as_json(value: Any) -> JsonValue:
    """A value as JSON has it: what JSON has no type for is text, bytes are base64."""
    match value:
        case None | bool():
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return storable(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [_as_json(each) for each in cast("list[Any]", value)]
        case dict():
            return {storable(str(key)): _as_json(each) for key, each in cast("dict[Any, Any]", value).items()}
        case _:
            return storable(str(value))


def _explained(datasource: str, fault: psycopg.Error) -> TaskError:
    """A query that is wrong is wrong for ever; a server that is away, or busy, may be back."""
    if isinstance(fault, psycopg.errors.QueryCanceled):
        return TaskError(
            f"The query on {datasource!r} took longer than a minute: make it quicker.", type="query_timeout"
        )
    if fault.sqlstate is None and isinstance(fault, psycopg.OperationalError):
        return TaskError(
            f"The datasource {datasource!r} cannot be reached: check its server, and its URL in DATASOURCES.",
            type="connection",
        )
    said = fault.diag.message_primary or str(fault)
    permanent = fault.sqlstate is None or fault.sqlstate[:2] in _PERMANENT
    return (PermanentError if permanent else TaskError)(f"The query on {datasource!r} failed: {said}.", type="query")
