"""Jobs as CSV: PostgreSQL writes it, row by row, so that neither side ever holds more than a few."""

from collections.abc import Generator
from typing import Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.listing import JobFilter, PageRequest
from scheduler.store.connection import Connection
from scheduler.store.listing import Listing

CHUNK_BYTES: Final = 64 * 1024

_COPY: Final = sql.SQL("""
    COPY (
        SELECT {cells} FROM (
            SELECT * FROM jobs WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder}
            UNION ALL
            SELECT * FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all}
            UNION ALL
            SELECT * FROM jobs WHERE lease_until IS NOT NULL AND {all}
        ) AS jobs
        ORDER BY id DESC
    ) TO STDOUT (FORMAT csv, HEADER)""")

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
    statement = listing.statement(_COPY, cells=_CELLS)
    with conn.cursor() as cursor, cursor.copy(statement, listing.parameters()) as rows:
        chunk = bytearray()
        for row in rows:
            chunk += row
            if len(chunk) >= CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk)
