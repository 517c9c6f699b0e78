"""The duty of adding up."""

import pytest

from scheduler.domain.statistics import LONGEST_WINDOW_HOURS
from scheduler.monitor.add_up import AddUp
from scheduler.store.connection import Database
from scheduler.store.rollup import BATCH
from tests.eventually import eventually

INSERT_OLD_SLOT = """
    INSERT INTO attempt_slots SELECT now() - make_interval(hours => %(hours)s), 0, 'note', 'completed', 'wait', 1, 1"""
INSERT_ENDED = """
    WITH job AS (
        INSERT INTO jobs (task_type, task_data, status, attempt, run, picked_at, started_at, completed_at)
        SELECT 'note', '{}', 'completed', 1, 1, now(), now(), now() FROM generate_series(1, %(jobs)s) RETURNING id
    )
    INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker)
    SELECT id, 1, 1, 'completed', now(), now(), 5, 'w' FROM job"""


def ended(db: Database, jobs: int) -> None:
    with db.connection() as conn:
        conn.execute(INSERT_ENDED, {"jobs": jobs})


def added(db: Database) -> int:
    with db.connection() as conn:
        row = conn.execute("SELECT coalesce(sum(attempts), 0) FROM attempt_slots WHERE measure = 'duration'").fetchone()
    assert row is not None
    return int(row[0])


def test_attempts_are_added_up_once(db: Database) -> None:
    ended(db, 3)
    duty = AddUp(db)
    duty.step()
    assert added(db) == 0  # it has only looked how far they are: until then another could come among them
    eventually(lambda: duty.step() or added(db) == 3)
    duty.step()
    assert added(db) == 3


def test_there_is_more_after_a_full_batch(db: Database) -> None:
    ended(db, BATCH + 1)
    duty = AddUp(db)
    eventually(duty.step)
    assert added(db) == BATCH
    assert not duty.step()
    assert added(db) == BATCH + 1


@pytest.mark.parametrize(("hours", "is_kept"), [(LONGEST_WINDOW_HOURS, True), (LONGEST_WINDOW_HOURS + 25, False)])
def test_slots_too_old_for_any_window_are_forgotten(db: Database, hours: int, is_kept: bool) -> None:
    with db.connection() as conn:
        conn.execute(INSERT_OLD_SLOT, {"hours": hours})
        AddUp(db).step()
        row = conn.execute("SELECT count(*) FROM attempt_slots").fetchone()
    assert row == (int(is_kept),)
