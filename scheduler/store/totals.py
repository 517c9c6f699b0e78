"""How many jobs a list has: exactly where that is cheap to know, and else about."""

from typing import Any, Final

from psycopg import sql
from psycopg.rows import TupleRow

from scheduler.domain.caller import Caller
from scheduler.domain.listing import EXACT_COUNT, JobFilter, PageRequest, Sort
from scheduler.store.connection import Connection
from scheduler.store.listing import Listing

SAMPLE: Final = 300
"""Rows at each end of a status by which a list judges how many match, when that is not cheap to count."""

_COUNT_UNSETTLED: Final = sql.SQL("""
    WITH live AS MATERIALIZED (SELECT FROM jobs WHERE lease_until IS NOT NULL AND {all})
    SELECT (SELECT count(*) FROM live), count(*)
    FROM (SELECT FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all} LIMIT %(bound)s) AS unsettled""")

_COUNT_LANE: Final = sql.SQL("""
    SELECT count(*) FROM (
        SELECT FROM unnest(%(resting)s::job_status[]) AS rest(status) CROSS JOIN LATERAL (
            SELECT FROM jobs WHERE settled_as = rest.status AND {lane}
            ORDER BY {settled_order} LIMIT %(bound)s) AS each  -- in order, for a bitmap would be of all
        LIMIT %(bound)s) AS bounded""")

_SAMPLE: Final = sql.SQL("""
    SELECT rest.status::text, each.is_first, count(*), count(*) FILTER (WHERE matches)
    FROM unnest(%(resting)s::job_status[]) AS rest(status) CROSS JOIN LATERAL (
        (SELECT true AS is_first, {remainder} AS matches FROM jobs WHERE settled_as = rest.status AND {lane}
         ORDER BY {settled_order} LIMIT %(sample)s)
        UNION ALL  -- and as many from the other end: jobs of a kind often come together
        (SELECT false, {remainder} FROM jobs WHERE settled_as = rest.status AND {lane}
         ORDER BY {reverse_order} LIMIT %(sample)s)) AS each
    GROUP BY rest.status, each.is_first""")

_COUNT_MATCHES: Final = sql.SQL("""
    WITH found AS MATERIALIZED (
        SELECT FROM jobs WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder}
    )
    SELECT count(*) FROM found""")

_ESTIMATE_MATCHES: Final = sql.SQL("""
    EXPLAIN (FORMAT JSON) SELECT FROM jobs
    WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder}""")

_ESTIMATE: Final = sql.SQL("""
    EXPLAIN (FORMAT JSON) SELECT FROM jobs WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane}""")

_ESTIMATE_UNSETTLED: Final = sql.SQL("""
    EXPLAIN (FORMAT JSON) SELECT FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all}""")


def count_list(conn: Connection, caller: Caller, wanted: JobFilter) -> tuple[int, bool]:
    """How many jobs the whole list has, and whether that is an estimate: never when they are up to EXACT_COUNT."""
    listing = Listing.of(caller, wanted, PageRequest(sort=_order_to_count_in(wanted)))
    live, waiting = _row(conn, listing, _COUNT_UNSETTLED, bound=EXACT_COUNT + 1)
    if listing.remainder.fragments:
        settled, is_estimate = _count_sampled(conn, listing)
    else:
        (settled,) = _row(conn, listing, _COUNT_LANE, bound=EXACT_COUNT + 1)
        is_estimate = settled > EXACT_COUNT
        if is_estimate:
            settled = max(settled, _estimate(conn, listing, _ESTIMATE))
    if waiting > EXACT_COUNT:
        waiting = max(waiting, _estimate(conn, listing, _ESTIMATE_UNSETTLED))
    total = settled + live + waiting
    return total, is_estimate or total > EXACT_COUNT


def _order_to_count_in(wanted: JobFilter) -> Sort:
    """The order whose index covers most of the filters; the total is the same in each."""
    is_ranged = wanted.scheduled_from is not None or wanted.scheduled_before is not None
    return Sort.SCHEDULED_AT_DOWN if is_ranged else Sort.ID_DOWN


def _count_sampled(conn: Connection, listing: Listing) -> tuple[int, bool]:
    """The same for jobs at rest, where only a look at each tells whether it matches."""
    if "search" not in listing.remainder.fragments and estimate_matches(conn, listing) <= EXACT_COUNT:
        (settled,) = _row(conn, listing, _COUNT_MATCHES)
        return settled, False
    sampled = conn.execute(listing.statement(_SAMPLE), listing.parameters(sample=SAMPLE)).fetchall()
    whole = {status for status, is_first, rows, _ in sampled if is_first and rows < SAMPLE}
    counted = sum(matching for status, is_first, _, matching in sampled if is_first and status in whole)
    shares = dict[str, float]()
    for status, _, rows, matching in sampled:
        if status not in whole:
            shares[status] = shares.get(status, 0.0) + matching / rows / 2
    if not shares:
        return counted, False
    expected = sum(
        round(share * _estimate(conn, listing, _ESTIMATE, resting=[status])) for status, share in shares.items()
    )
    if expected > 2 * EXACT_COUNT or not listing.is_indexed:
        return counted + expected, True
    (settled,) = _row(conn, listing, _COUNT_MATCHES, resting=list(shares))
    return counted + settled, False


def estimate_matches(conn: Connection, listing: Listing) -> int:
    """The planner's idea of how many jobs at rest the list has."""
    return _estimate(conn, listing, _ESTIMATE_MATCHES)


def _estimate(conn: Connection, listing: Listing, template: sql.SQL, **more: Any) -> int:
    """The planner's idea of how many rows such a statement has."""
    (plan,) = _row(conn, listing, template, **more)
    return int(plan[0]["Plan"]["Plan Rows"])


def _row(conn: Connection, listing: Listing, template: sql.SQL, **more: Any) -> TupleRow:
    """The one row that such a statement has."""
    row = conn.execute(listing.statement(template), listing.parameters(**more)).fetchone()
    assert row is not None
    return row
