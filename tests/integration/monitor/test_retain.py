"""The duty of keeping ended jobs for some days, and no longer."""

from scheduler.monitor.retain import BATCH, Retain
from scheduler.store.connection import Database

INSERT_OLD = """
    INSERT INTO jobs (task_type, task_data, status, attempt, run, picked_at, started_at, completed_at, settled)
    SELECT 'note', '{}', 'completed', 1, 1, now(), now(), now() - interval '2 days', true
    FROM generate_series(1, %(jobs)s)"""


def jobs(db: Database) -> int:
    with db.connection() as conn:
        row = conn.execute("SELECT count(*) FROM jobs").fetchone()
    assert row is not None
    return int(row[0])


def test_it_goes_by_batches_until_nothing_is_too_old(db: Database) -> None:
    with db.connection() as conn:
        conn.execute(INSERT_OLD, {"jobs": BATCH + 1})
    assert not Retain(db, days=3).step()
    assert not Retain(db, days=0).step()  # for ever
    assert jobs(db) == BATCH + 1
    duty = Retain(db, days=1.5)
    assert duty.step()
    assert jobs(db) == 1
    assert not duty.step()
    assert jobs(db) == 0
