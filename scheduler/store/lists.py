"""Lists of jobs, however many there are: see docs/adr/0012 for why a list is put together like this.

A job at rest is in the list indexes (`settled_as` is its status there); the few others are in jobs_unsettled or
jobs_leased. A page walks each status in the order of the list: a frequent match fills it at once. Only for the statuses
that had too few matches near their start does it gather all by the indexes of the filters, which is quick where they
are rare; the rarer they are by the planner's estimate, the sooner.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.job import Job
from scheduler.domain.listing import Cursor, JobFilter, Page, PageRequest
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.listing import Listing, Place
from scheduler.store.rows import JOB_COLUMNS, job_from_row
from scheduler.store.totals import count_list, estimate_matches

NEAR: Final = 4_000
"""Rows of each status that a page walks before it gathers its matches; fewer where few are expected."""
MANY: Final = 1_000_000
"""So many expected matches take seconds to gather: then a page walks on, through a quarter as many rows."""


def list_jobs(conn: Connection, caller: Caller, wanted: JobFilter, request: PageRequest) -> Page[Job]:
    """A page of the jobs that `wanted` describes, among those that the caller may see.

    A `search` without three letters in a row has no index: where it is rare, pages may be short before the last.
    """
    listing = Listing.of(caller, wanted, request)
    with _one_view(conn):
        total, is_estimate = count_list(conn, listing)
        places, next_place = _places(conn, listing)
        jobs = _jobs(conn, [place.id for place in places])
    return Page(
        items=jobs,
        number=request.number,
        limit=request.limit,
        total=total,
        total_is_estimate=is_estimate,
        next=next_place and Cursor(request.sort, next_place.key, next_place.id, page=request.number + 1),
    )


@contextmanager
def _one_view(conn: Connection) -> Generator[None]:
    """Statements that see one state of the database, and read no table from end to end."""
    with conn.transaction():
        conn.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
            "SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
        )
        yield


_UNSETTLED: Final = """
    live AS MATERIALIZED (
        SELECT id, {key} AS key FROM jobs WHERE lease_until IS NOT NULL AND {all} AND {beyond}
    ), unsettled AS (
        SELECT id, {key} AS key FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all} AND {beyond}
        ORDER BY {order} LIMIT %(rows)s
    )"""

_WALK: Final = sql.SQL(f"""
    WITH {_UNSETTLED}, walked AS (
        SELECT walk.*, rest.status FROM unnest(%(resting)s::job_status[]) AS rest(status) CROSS JOIN LATERAL (
            SELECT id, key, matches, place = %(near)s AS is_last
            FROM (SELECT settled_id AS id, {{settled_key}} AS key, {{remainder}} AS matches,
                         row_number() OVER (ORDER BY {{settled_order}}) AS place
                  FROM jobs WHERE settled_as = rest.status AND {{lane}} AND {{settled_beyond}}
                  ORDER BY {{settled_order}} LIMIT %(near)s) AS near
            WHERE matches OR place = %(near)s
            LIMIT %(rows)s) AS walk
    )
    SELECT id, key, coalesce(matches, false), is_last, status::text FROM walked
    UNION ALL SELECT id, key, true, false, '' FROM unsettled
    UNION ALL SELECT id, key, true, false, '' FROM live""")

_GATHER: Final = sql.SQL("""
    WITH found AS MATERIALIZED (  -- no order and no limit in here: they would tempt the planner into a long walk
        SELECT settled_id AS id, {settled_key} AS key FROM jobs
        WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder} AND {settled_beyond}
    )
    SELECT id, key FROM found ORDER BY {found_order} LIMIT %(rows)s""")

_JOBS: Final = f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = ANY (%(ids)s)"


def _places(conn: Connection, listing: Listing) -> tuple[list[Place], Place | None]:
    """The places of the page's jobs, in order, and the place after which the next page begins, if there is one."""
    near = listing.rows + _patience(conn, listing)
    walked = conn.execute(listing.statement(_WALK), listing.parameters(near=near)).fetchall()
    places = {Place(key, job_id) for job_id, key, matches, _, _ in walked if matches}
    ends = {status: Place(key, job_id) for job_id, key, _, is_last, status in walked if is_last}
    horizon = listing.ordered(set(ends.values()))[0] if ends and listing.remainder.fragments else None
    if horizon is not None:
        seen = {place for place in places if not listing.is_after(place, horizon)}
        if len(seen) >= listing.rows:
            places = seen
        elif listing.is_indexed:
            gathered = conn.execute(listing.statement(_GATHER), listing.parameters(resting=list(ends))).fetchall()
            places |= {Place(key, job_id) for job_id, key in gathered}
        else:
            return listing.ordered(seen)[listing.request.offset :], horizon
    page = listing.ordered(places)[listing.request.offset : listing.rows]
    limit = listing.request.limit
    return page[:limit], page[limit - 1] if len(page) > limit else None


def _patience(conn: Connection, listing: Listing) -> int:
    """How many rows that may not match to walk before all matches are gathered."""
    if not listing.remainder.fragments:
        return 0
    if "search" in listing.remainder.fragments:  # of which the planner knows little
        return NEAR
    expected = estimate_matches(conn, listing)
    return expected // 4 if expected > MANY else min(NEAR, expected // 4)


def _jobs(conn: Connection, ids: Sequence[int]) -> list[Job]:
    """These jobs, in this order."""
    jobs = {row[0]: job_from_row(row) for row in fetch_all(conn, _JOBS, {"ids": list(ids)})}
    return [jobs[job_id] for job_id in ids]
