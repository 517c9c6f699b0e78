"""The duty of making the jobs of schedules: what it costs among very many, and pickers side by side."""

from collections import Counter
from collections.abc import Generator
from threading import Thread

import psycopg
import pytest

from scheduler.picker.recurring import Recurring
from scheduler.store.connection import Connection, Database
from scheduler.store.occurrences import due_schedules, seconds_to_next
from tests.integration.picker.crowds import CROWD, DUE, crowd_in
from tests.integration.store.plans import MODES, plan_of
from tests.servers import Servers, fresh_database


@pytest.fixture(scope="module")
def crowd_url(servers: Servers) -> Generator[str]:
    with fresh_database(servers) as url, psycopg.connect(url, autocommit=True) as conn:
        crowd_in(conn, later=CROWD, due=DUE)
        yield url


@pytest.fixture
def crowd(crowd_url: str) -> Generator[Connection]:
    """A new connection to the crowd."""
    with psycopg.connect(crowd_url, autocommit=True) as conn:
        yield conn


def test_a_look_reads_one_schedule_however_many_there_are(crowd: Connection) -> None:
    plan = plan_of(crowd, lambda: seconds_to_next(crowd), [], MODES[0], table="schedules")
    assert set(plan.scans) == {"schedules_due"}
    assert plan.rows_read == 1


@pytest.mark.parametrize("limit", [10, DUE, 10 * DUE])
def test_only_schedules_that_are_due_are_read(crowd: Connection, limit: int) -> None:
    plan = plan_of(crowd, lambda: due_schedules(crowd, limit=limit), [limit], MODES[0], table="schedules")
    assert set(plan.scans) == {"schedules_due"}
    assert plan.rows_read == min(limit, DUE)


def counted(db: Database) -> Counter[int]:
    """How many jobs each schedule has made."""
    with db.connection() as conn:
        return Counter(dict(conn.execute("SELECT schedule_id, count(*) FROM jobs GROUP BY 1").fetchall()))


def test_pickers_side_by_side_make_each_job_once(db: Database) -> None:
    with db.connection() as conn:
        crowd_in(conn, later=0, due=2 * DUE)
    pickers = [Recurring(db) for _ in range(4)]

    def work(picker: Recurring) -> None:
        while picker.step() <= 0.1 and len(counted(db)) < 2 * DUE:
            pass

    threads = [Thread(target=work, args=(picker,)) for picker in pickers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(counted(db).values()) == {1}
    assert len(counted(db)) == 2 * DUE


def test_an_idle_picker_sleeps_until_the_next_is_due(db: Database) -> None:
    assert Recurring(db).step() == float("inf")
    with db.connection() as conn:
        crowd_in(conn, later=3, due=0)
    assert 50 < Recurring(db).step() < 60


def test_a_schedule_that_is_not_understood_holds_up_no_other(db: Database) -> None:
    """As one is whose zone is known to the API's host, and not here."""
    with db.connection() as conn:
        crowd_in(conn, later=0, due=3)
        broken = conn.execute(
            "UPDATE schedules SET timezone = 'Mars/Olympus' WHERE id = 1 RETURNING next_at"
        ).fetchone()
    picker = Recurring(db)
    assert picker.step() == 0
    assert counted(db) == {2: 1, 3: 1}
    assert 50 < picker.step() <= 60
    with db.connection() as conn:
        assert conn.execute("SELECT next_at FROM schedules WHERE id = 1").fetchone() == broken
