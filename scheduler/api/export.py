"""Jobs as a file."""

from collections.abc import Generator
from datetime import UTC, datetime
from threading import BoundedSemaphore
from typing import Any, Final

from flask import Response

from scheduler.api.access import Access
from scheduler.api.identity import current_caller
from scheduler.api.queries import JobFilterQuery
from scheduler.api.resource import Resource
from scheduler.api.services import exports, services
from scheduler.domain.caller import Caller
from scheduler.domain.errors import Busy
from scheduler.domain.listing import JobFilter
from scheduler.store.connection import Database
from scheduler.store.export import export_jobs

exporting: Final = Resource("export", "Jobs as a file.")

LONGEST_SECONDS: Final = 3600.0
"""A client that reads no faster than this loses its export, and others get its place."""

_CSV: Final[dict[str, Any]] = {
    "description": "The jobs, newest first, under a line with the names of the columns.",
    "content": {"text/csv": {"schema": {"type": "string"}}},
}


@exporting.get("/api/jobs/export", Access.READ, {200: _CSV}, problems=(422, 429, 503))
def export(query: JobFilterQuery) -> Response:
    """Export jobs as CSV.

    Streams all that the filters match, newest first. A cell that a spreadsheet would take for a formula begins
    with an apostrophe. Few exports run at once: beyond that it answers 429.
    """
    if not exports().acquire(blocking=False):
        raise Busy("As many exports are running as may at once: try again when one of them has ended.")
    chunks = _chunks(services().database, exports(), current_caller(), query.wanted())
    first = next(chunks)  # what can go wrong does so here, while there is still a status to say it with
    response = Response(_stream(first, chunks), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="jobs-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"'
    response.headers["Cache-Control"] = "no-store"
    response.call_on_close(chunks.close)
    return response


def _chunks(database: Database, place: BoundedSemaphore, caller: Caller, wanted: JobFilter) -> Generator[bytes]:
    """The file. Its end, or closing it before, gives back the connection and the place at once."""
    try:
        with database.connection(seconds=LONGEST_SECONDS) as connection:
            yield from export_jobs(connection, caller, wanted)
    finally:
        place.release()


def _stream(first: bytes, chunks: Generator[bytes]) -> Generator[bytes]:
    yield first
    yield from chunks
