"""Jobs as CSV: PostgreSQL writes it, row by row, so that neither side ever holds more than a few."""

from collections.abc import Generator
from typing import Any, Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.listing import JobFilter, PageRequest
from scheduler.store.connection import Connection
from scheduler.store.listing import Listing
from scheduler.store.totals import count_list

CHUNK_BYTES: Final = 64 * 1024
MANY: Final = 100_000
"""More matches than so many come in the order of the indexes, and the first at once; others are gathered and sorted."""

_COPY: Final = sql.SQL("""
    COPY (
        WITH live AS MATERIALIZED (  -- few, and sorted: the primary key has their order, but all jobs are in it
            SELECT jobs.*, id AS place FROM jobs WHERE lease_until IS NOT NULL AND {all}
        )
        SELECT {cells} FROM (
            {resting}
            (SELECT jobs.*, id AS place FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all} ORDER BY id DESC)
            UNION ALL
            (SELECT * FROM live ORDER BY place DESC)
        ) AS jobs
        ORDER BY place DESC
    ) TO STDOUT (FORMAT csv, HEADER)""")

_GATHERED: Final = sql.SQL("""
    SELECT jobs.*, settled_id AS place FROM jobs
    WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder}
    UNION ALL""")

_IN_ORDER: Final = sql.SQL("""
    (SELECT jobs.*, settled_id AS place FROM jobs WHERE settled_as = {status} AND {lane} AND {remainder}
     ORDER BY settled_id DESC)
    UNION ALL""")

_PLAIN: Final = sql.SQL("{0}")
_TEXT: Final = sql.SQL("CASE WHEN {0} ~ '^[-=+@\t\r]' THEN '''' || {0} ELSE {0} END AS {0}")
"""A cell that a spreadsheet would take for a formula begins with an apostrophe instead."""
_JSON: Final = sql.SQL("CASE WHEN {0}::text LIKE '-%%' THEN '''' || {0}::text ELSE {0}::text END AS {0}")
"""JSON can begin with no other of them."""
_TIME: Final = sql.SQL("""to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {0}""")

COLUMNS: Final = {
    "id": _PLAIN,
    "name": _TEXT,
    "description": _TEXT,
    "task_type": _TEXT,
    "task_data": _JSON,
    "status": _PLAIN,
    "queue": _TEXT,
    "priority": _PLAIN,
    "scheduled_at": _TIME,
    "next_run_at": _TIME,
    "attempt": _PLAIN,
    "max_attempts": _PLAIN,
    "timeout_seconds": _PLAIN,
    "unique_key": _TEXT,
    "concurrency_key": _TEXT,
    "expires_at": _TIME,
    "created_at": _TIME,
    "updated_at": _TIME,
    "picked_at": _TIME,
    "started_at": _TIME,
    "completed_at": _TIME,
    "result": _JSON,
    "error": _JSON,
    "schedule_id": _PLAIN,
    "template_id": _PLAIN,
    "duplicated_from": _PLAIN,
    "owner_id": _PLAIN,
}
"""The columns of the file, and how each becomes a cell."""
_CELLS: Final = sql.SQL(", ").join([cell.format(sql.Identifier(column)) for column, cell in COLUMNS.items()])


def export_jobs(conn: Connection, caller: Caller, wanted: JobFilter) -> Generator[bytes]:
    """The jobs that `wanted` describes, newest first, as CSV under a line of names, in chunks of about CHUNK_BYTES.

    To close the generator early ends the statement at once.
    """
    listing = Listing.of(caller, wanted, PageRequest())
    with conn.transaction():
        conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        if count_list(conn, caller, wanted).jobs > MANY:
            conn.execute("SET LOCAL enable_sort = off")
            each = [listing.statement(_IN_ORDER, status=sql.Literal(status)) for status in listing.resting]
            resting = sql.Composed(each)
        else:
            listing = listing.by_index(conn)
            resting = listing.statement(_GATHERED)
        statement = listing.statement(_COPY, cells=_CELLS, resting=resting)
        yield from _chunks(conn, statement, listing.parameters())


def _chunks(conn: Connection, statement: sql.Composed, parameters: dict[str, Any]) -> Generator[bytes]:
    with conn.cursor() as cursor, cursor.copy(statement, parameters) as rows:
        chunk = bytearray()
        for row in rows:
            chunk += row
            if len(chunk) >= CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk)
