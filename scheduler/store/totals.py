"""How many jobs a list has: exactly where that is cheap to know, and else about."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Final

from psycopg import sql
from psycopg.rows import TupleRow

from scheduler.domain.caller import Caller
from scheduler.domain.listing import EXACT_COUNT, JobFilter, PageRequest, Sort
from scheduler.store.connection import Connection
from scheduler.store.listing import Listing

SAMPLE: Final = 300
"""Rows at each end of a status by which a list judges how many match, when that is not cheap to count."""
_DOUBT: Final = 3.0
"""By so many standard errors may a sample be wrong, and hardly ever by more. That of a count is its square root.

What the planner takes a lane for may be wrong besides, so few rows are never estimated."""

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

_FORESEE_MATCHES: Final = sql.SQL("""
    EXPLAIN (FORMAT JSON) SELECT settled_id, {settled_key} FROM jobs
    WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane} AND {remainder}""")

_ESTIMATE: Final = sql.SQL("""
    EXPLAIN (FORMAT JSON) SELECT FROM jobs WHERE settled_as = ANY (%(resting)s::job_status[]) AND {lane}""")

_ESTIMATE_UNSETTLED: Final = sql.SQL("""
    EXPLAIN (FORMAT JSON) SELECT FROM jobs WHERE lease_until IS NULL AND NOT settled AND {all}""")


@dataclass(frozen=True, slots=True)
class Total:
    """How many jobs a list has, or only how many that are on their way, since those at rest are few: gather them."""

    jobs: int
    is_estimate: bool
    lacks_rest: bool = False

    def with_rest(self, jobs: int) -> "Total":
        """The same with so many at rest."""
        return Total(self.jobs + jobs, self.is_estimate or self.jobs + jobs > EXACT_COUNT)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The planner's idea of how many jobs at rest match, and whether an index alone tells where they stand."""

    jobs: int
    by_index_alone: bool


def count_list(conn: Connection, caller: Caller, wanted: JobFilter) -> Total:
    """How many jobs the whole list has; no estimate as long as they are up to EXACT_COUNT."""
    listing = Listing.of(caller, wanted, PageRequest(sort=_order_to_count_in(wanted)))
    live, waiting = _row(conn, listing, _COUNT_UNSETTLED, bound=EXACT_COUNT + 1)
    if waiting > EXACT_COUNT:
        waiting = max(waiting, _estimate(conn, listing, _ESTIMATE_UNSETTLED))
    moving = Total(live + waiting, is_estimate=waiting > EXACT_COUNT)
    if listing.remainder.fragments:
        return _with_sampled(conn, listing, moving)
    (settled,) = _row(conn, listing, _COUNT_LANE, bound=EXACT_COUNT + 1)
    return moving.with_rest(settled if settled <= EXACT_COUNT else max(settled, _estimate(conn, listing, _ESTIMATE)))


def _order_to_count_in(wanted: JobFilter) -> Sort:
    """The order whose index covers most of the filters; the total is the same in each."""
    is_ranged = wanted.scheduled_from is not None or wanted.scheduled_before is not None
    return Sort.SCHEDULED_AT_DOWN if is_ranged else Sort.ID_DOWN


def _with_sampled(conn: Connection, listing: Listing, moving: Total) -> Total:
    """The total with jobs at rest of which only a look at each tells whether it matches."""
    few = replace(moving, lacks_rest=True)
    if "search" not in listing.remainder.fragments and foresee_matches(conn, listing).jobs <= EXACT_COUNT:
        return few
    sampled = conn.execute(listing.statement(_SAMPLE), listing.parameters(sample=SAMPLE)).fetchall()
    whole = {status for status, is_first, rows, _ in sampled if is_first and rows < SAMPLE}
    counted = sum(matching for status, is_first, _, matching in sampled if is_first and status in whole)
    shares, seen = dict[str, float](), dict[str, int]()
    for status, _, rows, matching in sampled:
        if status not in whole:
            shares[status] = shares.get(status, 0.0) + matching / rows / 2
            seen[status] = seen.get(status, 0) + matching
    if not shares:
        return moving.with_rest(counted)
    expected = {
        status: share * _estimate(conn, listing, _ESTIMATE, resting=[status])
        for status, share in shares.items()
        if share
    }
    at_least = sum(jobs / (1 + _DOUBT / sqrt(seen[status])) for status, jobs in expected.items())
    if at_least > EXACT_COUNT or not listing.is_indexed:
        (rows,) = _row(conn, listing, _COUNT_LANE, bound=2 * EXACT_COUNT + 1)
        if rows <= 2 * EXACT_COUNT:  # all that may match: no estimate of the planner's is needed for so few
            return few
        return replace(moving.with_rest(counted + round(sum(expected.values()))), is_estimate=True)
    return few


def foresee_matches(conn: Connection, listing: Listing) -> Foreseen:
    """What the planner expects of gathering all matches at rest."""
    plan = _plan(conn, listing, _FORESEE_MATCHES)
    scan = plan
    while "Plans" in scan:
        scan = scan["Plans"][0]
    reads_matches_alone = scan["Node Type"] == "Index Only Scan" and "Filter" not in scan
    return Foreseen(int(plan["Plan Rows"]), by_index_alone=reads_matches_alone)


def _estimate(conn: Connection, listing: Listing, template: sql.SQL, **more: Any) -> int:
    """The planner's idea of how many rows such a statement has."""
    return int(_plan(conn, listing, template, **more)["Plan Rows"])


def _plan(conn: Connection, listing: Listing, template: sql.SQL, **more: Any) -> dict[str, Any]:
    (plan,) = _row(conn, listing, template, **more)
    return plan[0]["Plan"]


def _row(conn: Connection, listing: Listing, template: sql.SQL, **more: Any) -> TupleRow:
    """The one row that such a statement has."""
    row = conn.execute(listing.statement(template), listing.parameters(**more)).fetchone()
    assert row is not None
    return row
