"""When a picker trusts that a lease which ran out means a death."""

from scheduler.domain.caller import OPERATOR
from scheduler.domain.states import JobStatus
from scheduler.picker.rescue import Rescue
from scheduler.store.connection import Connection, Database
from scheduler.store.reads import get_status
from tests.integration.store.lives import led_to

LEASE = 0.001
"""By the database's clock; to the picker's injected one it is as long as we say."""


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def lapsed_job(conn: Connection) -> int:
    job_id = led_to(conn, JobStatus.RUNNING)
    conn.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = %s", (job_id,))
    return job_id


def steps(db: Database, job_id: int, *pauses: float) -> list[JobStatus]:
    """Where the job stands after each step, with a pause before it, of a picker that has just started."""
    clock = Clock()
    rescue = Rescue(db, lease_seconds=LEASE, clock=clock)
    stands: list[JobStatus] = []
    for pause in pauses:
        clock.now += pause * LEASE
        rescue.step()
        with db.connection() as conn:
            stands.append(get_status(conn, OPERATOR, job_id))
    return stands


def test_a_new_picker_lets_holders_extend_first(db: Database) -> None:
    with db.connection() as conn:
        job_id = lapsed_job(conn)
    assert steps(db, job_id, 0, 0.3, 0.3) == [JobStatus.RUNNING, JobStatus.RUNNING, JobStatus.PENDING]


def test_a_picker_that_is_merely_slow_rescues_all_the_same(db: Database) -> None:
    """Each of its steps takes longer than a lease; it must not hold back for ever."""
    with db.connection() as conn:
        job_id = lapsed_job(conn)
    assert steps(db, job_id, 0, 1.1) == [JobStatus.RUNNING, JobStatus.PENDING]


def test_after_an_outage_holders_get_their_chance(db: Database) -> None:
    clock = Clock()
    rescue = Rescue(db, lease_seconds=LEASE, clock=clock)
    for _ in range(20):
        rescue.step()
        clock.now += LEASE / 4
    with db.connection() as conn:
        job_id = lapsed_job(conn)
    clock.now += 2 * LEASE
    rescue.step()
    with db.connection() as conn:
        assert get_status(conn, OPERATOR, job_id) is JobStatus.RUNNING
    clock.now += LEASE / 2
    rescue.step()
    with db.connection() as conn:
        assert get_status(conn, OPERATOR, job_id) is JobStatus.PENDING
