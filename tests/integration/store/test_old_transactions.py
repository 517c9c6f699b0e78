"""A transaction that stays open keeps dead entries in the indexes: what a claim passes over must not grow with them."""

from collections.abc import Generator

import psycopg
import pytest

from scheduler.picker.frontier import SETTLED_SECONDS, Frontier
from scheduler.store import backlog, transitions
from scheduler.store.backlog import start_parameters
from scheduler.store.connection import Connection
from tests.integration.store.lives import AGEING, LEASE
from tests.integration.store.plans import MODES, Plan, plan_of

CHURN = 20_000
LIMIT = 10


@pytest.fixture
def churned(database_url: str) -> Generator[tuple[str, Frontier]]:
    """A table of which much was claimed while somebody looked at it, and still does."""
    clock = [0.0]
    frontier = Frontier(lambda: clock[0])
    with (
        psycopg.connect(database_url, autocommit=True) as conn,
        psycopg.connect(database_url) as onlooker,
    ):
        conn.execute(
            """INSERT INTO jobs (task_type, task_data, next_run_at)
            SELECT 'note', '{}', now() - interval '1 s' * (1000000 - n) FROM generate_series(1, %s) AS n""",
            (CHURN + LIMIT,),
        )
        conn.execute("VACUUM (ANALYZE) jobs")
        onlooker.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        onlooker.execute("SELECT count(*) FROM jobs")
        for _ in range(CHURN // 2_000):
            jobs = transitions.claim(
                conn, queue="default", limit=2_000, lease_seconds=LEASE, ageing_seconds=AGEING,
                starts=frontier.starts("default"),
            )  # fmt: skip
            frontier.advance("default", jobs)
            clock[0] += SETTLED_SECONDS
        yield database_url, frontier


def plan_of_claim(conn: Connection, starts: list[backlog.Start]) -> Plan:
    arguments: list[object] = [LEASE, False, "default", *start_parameters(starts).values(), 0.0, LIMIT, AGEING]
    return plan_of(
        conn,
        lambda: transitions.claim(
            conn, queue="default", limit=LIMIT, lease_seconds=LEASE, ageing_seconds=AGEING, starts=starts
        ),
        arguments,
        MODES[0],
    )


def test_a_claim_from_the_frontier_passes_over_no_dead_jobs(churned: tuple[str, Frontier]) -> None:
    url, frontier = churned
    with psycopg.connect(url, autocommit=True) as conn:
        near = plan_of_claim(conn, list(frontier.starts("default")))
    with psycopg.connect(url, autocommit=True) as conn:
        far = plan_of_claim(conn, list(backlog.FROM_THE_FIRST))
    assert near.rows_read == far.rows_read == 2 * LIMIT
    assert far.buffers > CHURN / 50, "the onlooker keeps nothing: this test shows nothing"
    assert near.buffers < far.buffers / 5


def test_the_frontier_hides_no_job_that_waits(churned: tuple[str, Frontier]) -> None:
    url, frontier = churned
    with psycopg.connect(url, autocommit=True) as conn:
        near = backlog.upcoming_from(conn, {"default": frontier.starts("default")})
        far = backlog.upcoming(conn)
    assert [job.id for job in near] == [job.id for job in far]
    assert len(near) == 1
