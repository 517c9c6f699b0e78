"""Lists of jobs, however many there are: see docs/adr/0012 for why a list is put together like this.

A job at rest is in the list indexes (`settled_as` is its status there); the few others are in jobs_unsettled or
jobs_leased. A page walks lanes, in each of which an index has the order of the list: a status, or a day of it. It goes
on in those that lag behind, until they have filled it. Only when too few of what they hold match are all matches
gathered by the indexes of the filters, which is quick where they are rare.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from typing import Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.job import Job
from scheduler.domain.listing import Cursor, JobFilter, Page, PageRequest, Sort
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.listing import DAY, Listing, Place
from scheduler.store.rows import JOB_COLUMNS, job_from_row
from scheduler.store.totals import count_list, foresee_matches

NEAR: Final = 4_000
"""Rows that a page walks before it gathers its matches; fewer where few are expected."""
MANY: Final = 1_000_000
"""So many expected matches take seconds to gather: then a page walks on, through a quarter as many rows."""
_GATHERED_PER_ROW: Final = 4
_BY_INDEX_PER_ROW: Final = 40
"""So many matches may be gathered, and so many by an index alone, for each row that is walked to before that."""
_FIRST_STRETCH: Final = 1_000
"""Rows that all lanes walk together at first."""


def list_jobs(conn: Connection, caller: Caller, wanted: JobFilter, request: PageRequest) -> Page[Job]:
    """A page of the jobs that `wanted` describes, among those that the caller may see.

    A `search` without three letters in a row has no index: where it is rare among more than EXACT_COUNT jobs, pages
    may be short before the last.
    """
    listing = Listing.of(caller, wanted, request)
    with _one_view(conn):
        total = count_list(conn, caller, wanted)
        if total.lacks_rest:
            settled, gathered = _gather(conn, listing, listing.resting)
            total = total.with_rest(settled)
            places, next_place = _page(listing, gathered | _unsettled(conn, listing))
        else:
            places, next_place = _places(conn, listing, total.jobs)
        jobs = _jobs(conn, [place.id for place in places])
    return Page(
        items=jobs,
        number=request.number,
        limit=request.limit,
        total=total.jobs,
        total_is_estimate=total.is_estimate,
        next=next_place and Cursor(request.sort, next_place.key, next_place.id, page=request.number + 1),
    )


def list_ids(conn: Connection, caller: Caller, wanted: JobFilter, *, limit: int) -> list[int]:
    """The first `limit` of the jobs that `wanted` describes, oldest first, found by the same indexes as a list."""
    request = PageRequest(limit=limit, sort=Sort.ID)
    ids: list[int] = []
    with _one_view(conn):
        while True:
            places, after = _places(conn, Listing.of(caller, wanted, request), 0)
            ids += [place.id for place in places]
            if after is None or len(ids) >= limit:
                return ids[:limit]
            request = replace(request, after=Cursor(request.sort, after.key, after.id, page=2))


@contextmanager
def _one_view(conn: Connection) -> Generator[None]:
    """Statements that see one state of the database, and neither read a table from end to end nor sort what an index
    has in order: a long walk would else be a sort of all jobs in a status."""
    with conn.transaction():
        conn.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; "
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off"
        )
        yield


def _places(conn: Connection, listing: Listing, total: int) -> tuple[list[Place], Place | None]:
    """The places of the page's jobs, in order, and the place after which the next page begins, if there is one.

    `total` is about how many the list has, as far as that is known.
    """
    places = _unsettled(conn, listing)
    patience = _patience(conn, listing, total)
    lanes = _lanes(conn, listing)
    stretch = min(listing.rows, 1 + _FIRST_STRETCH // max(1, len(lanes)))
    while lanes and patience > 0:
        found, ends = _walk(conn, listing, lanes, stretch)
        places |= found
        patience -= len(lanes) * stretch
        lanes = _lagging(listing, places, ends)
        stretch = int(min(4 * stretch, 1 + max(0, patience) / max(1, len(lanes))))
    if lanes and not listing.is_indexed:
        horizon = listing.ordered({lane.after for lane in lanes})[0]
        seen = {place for place in places if not listing.is_after(place, horizon)}
        return listing.ordered(seen)[listing.request.offset :], horizon
    if lanes:
        _, gathered = _gather(conn, listing, list({lane.status for lane in lanes}))
        places |= gathered
    return _page(listing, places)


def _page(listing: Listing, places: set[Place]) -> tuple[list[Place], Place | None]:
    """The page among the first places of the list, and the place after which the next begins, if there is one."""
    page = listing.ordered(places)[listing.request.offset : listing.rows]
    limit = listing.request.limit
    return page[:limit], page[limit - 1] if len(page) > limit else None


def _patience(conn: Connection, listing: Listing, total: int) -> float:
    """How many rows that may not match to walk before all matches are gathered."""
    if not listing.remainder.fragments:
        return inf
    if not listing.is_indexed:
        return NEAR
    if listing.search is not None:  # of which the planner may know nothing, and the total comes from a look
        return max(NEAR, min(total, MANY) // _GATHERED_PER_ROW)
    foreseen = foresee_matches(conn, listing)
    if foreseen.jobs > MANY:
        return foreseen.jobs // _GATHERED_PER_ROW
    return min(NEAR, foreseen.jobs // (_BY_INDEX_PER_ROW if foreseen.by_index_alone else _GATHERED_PER_ROW))


# ── jobs on their way ───────────────────────────────────────────────────────────────────────────────────────────────

_UNSETTLED: Final = sql.SQL("""
    (SELECT id, {key} FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all} AND {beyond}
     ORDER BY {order} LIMIT %(rows)s)
    UNION ALL
    SELECT id, {key} FROM jobs WHERE lease_until IS NOT NULL AND {all} AND {beyond}""")


def _unsettled(conn: Connection, listing: Listing) -> set[Place]:
    rows = conn.execute(listing.statement(_UNSETTLED), listing.parameters()).fetchall()
    return {Place(key, job_id) for job_id, key in rows}


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Lane:
    """Jobs at rest that one index has in the order of the list, and the place after which to walk on."""

    status: str
    day: date | None
    after: Place


_DAYS: Final = sql.SQL(f"""
    SELECT status::text, day FROM unnest(%(resting)s::job_status[]) AS rest(status) CROSS JOIN LATERAL (
        WITH RECURSIVE days (day) AS (
            (SELECT {DAY} FROM jobs WHERE settled_as = rest.status AND {DAY} >= %(first_day)s::date
             ORDER BY {DAY} LIMIT 1)
            UNION ALL
            SELECT (SELECT {DAY} FROM jobs WHERE settled_as = rest.status AND {DAY} > days.day ORDER BY {DAY} LIMIT 1)
            FROM days WHERE days.day < %(last_day)s::date
        )
        SELECT day FROM days WHERE day <= %(last_day)s::date) AS each""")

_WALK: Final = sql.SQL("""
    SELECT lane.number - 1, id, key, coalesce(matches, false), is_last  -- a lane that fills the page need not go on
    FROM unnest(%(statuses)s::job_status[], %(days)s::date[], %(keys)s::{key_type}[], %(ids)s::bigint[])
         WITH ORDINALITY AS lane(status, day, after_key, after_id, number)
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT settled_id AS id, {settled_key} AS key, {to_judge} AS matches,
                   row_number() OVER (ORDER BY {settled_order}) = %(stretch)s AS is_last
            FROM jobs WHERE settled_as = lane.status AND {to_walk} AND {lane_beyond}
            ORDER BY {settled_order} LIMIT %(stretch)s) AS stretch
        WHERE matches OR is_last ORDER BY {found_order} LIMIT %(rows)s) AS walk""")


def _lanes(conn: Connection, listing: Listing) -> list[_Lane]:
    """Every status to look for, and every day of it where the range of the list has its own order by day."""
    start = listing.start  # once, for there may be thousands of days
    if not listing.is_by_day:
        return [_Lane(status, None, start) for status in listing.resting]
    first_day, last_day = listing.days
    days = conn.execute(_DAYS, {"resting": listing.resting, "first_day": first_day, "last_day": last_day}).fetchall()
    return [_Lane(status, day, start) for status, day in days]


def _walk(conn: Connection, listing: Listing, lanes: Sequence[_Lane], stretch: int) -> tuple[set[Place], list[_Lane]]:
    """The matches in the next `stretch` rows of each lane, and the lanes that go on, with where they do."""
    parameters = listing.parameters(
        statuses=[lane.status for lane in lanes],
        days=[lane.day for lane in lanes],
        keys=[lane.after.key for lane in lanes],
        ids=[lane.after.id for lane in lanes],
        stretch=stretch,
    )
    rows = conn.execute(listing.statement(_WALK), parameters).fetchall()
    matches = {Place(key, job_id) for _, job_id, key, matches, _ in rows if matches}
    ends = [replace(lanes[int(lane)], after=Place(key, job_id)) for lane, job_id, key, _, is_last in rows if is_last]
    return matches, ends


def _lagging(listing: Listing, places: set[Place], lanes: Sequence[_Lane]) -> list[_Lane]:
    """The lanes that may yet have a place before the last one looked for."""
    wanted = listing.ordered(places)[: listing.rows]
    if len(wanted) < listing.rows:
        return list(lanes)
    return [lane for lane in lanes if listing.is_after(wanted[-1], lane.after)]


# ── rare matches, and the jobs themselves ───────────────────────────────────────────────────────────────────────────

_GATHER: Final = sql.SQL("""
    WITH found AS MATERIALIZED (  -- no order and no limit in here: they would tempt the planner into a long walk
        SELECT settled_id AS id, {settled_key} AS key FROM jobs
        WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder}
    )
    SELECT total, id, key FROM (SELECT count(*) AS total FROM found) AS counted LEFT JOIN (
        SELECT id, key FROM found WHERE {found_beyond} ORDER BY {found_order} LIMIT %(rows)s) AS page ON true""")

_JOBS: Final = f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = ANY (%(ids)s)"


def _gather(conn: Connection, listing: Listing, statuses: Sequence[str]) -> tuple[int, set[Place]]:
    """How many matches there are among jobs at rest in these statuses, and the first of them from the page on."""
    listing = listing.by_index(conn)
    rows = conn.execute(listing.statement(_GATHER), listing.parameters(resting=list(statuses))).fetchall()
    return rows[0][0], {Place(key, job_id) for _, job_id, key in rows if job_id is not None}


def _jobs(conn: Connection, ids: Sequence[int]) -> list[Job]:
    """These jobs, in this order."""
    jobs = {row[0]: job_from_row(row) for row in fetch_all(conn, _JOBS, {"ids": list(ids)})}
    return [jobs[job_id] for job_id in ids]
