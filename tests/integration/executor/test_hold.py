"""Jobs claimed ahead of their time: held, and started on the dot, or handed back."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from scheduler.daemon import Stop
from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import DEFAULT_QUEUE, Attempt, NewJob
from scheduler.executor.hold import Hold
from scheduler.executor.slots import Slots
from scheduler.executor.starter import Starter
from scheduler.executor.worker import Message, MessageWorker
from scheduler.store import backlog, transitions
from scheduler.store.connection import Database
from scheduler.store.intake import create_jobs
from scheduler.store.queues import set_paused
from scheduler.store.reads import get_job
from tests.eventually import eventually

LEASE = 30.0
SLOTS = 3


@dataclass
class Executor:
    """The half of an executor that starts jobs; what it would run is noted."""

    database: Database
    worker: MessageWorker
    stop: Stop = field(default_factory=Stop)
    slots: Slots = field(default_factory=lambda: Slots(SLOTS))
    started: list[Attempt] = field(default_factory=list[Attempt])

    def __post_init__(self) -> None:
        self.starter = Starter(self.worker, self.database, self.slots, self._admit, lease_seconds=LEASE)
        self.hold = Hold(self.starter, self.stop)
        self.hold.start()

    def _admit(self, attempts: Sequence[Attempt], _asked: float) -> threading.Event:
        self.started.extend(attempts)
        event = threading.Event()
        event.set()
        return event

    def take(self, *ids: int) -> dict[int, float]:
        """As if a message had come; the jobs that have to wait for their time."""
        unstarted = self.starter.start(Message(DEFAULT_QUEUE, ids))
        assert not unstarted.without_slot.ids
        self.hold.keep(DEFAULT_QUEUE, unstarted.due_in)
        return unstarted.due_in

    def ids_started(self) -> set[int]:
        return {attempt.key.job_id for attempt in self.started}


@pytest.fixture
def executor(db: Database, redis_url: str) -> Generator[Executor]:
    worker = MessageWorker(redis_url, queues=[DEFAULT_QUEUE], name="test", capacity=SLOTS)
    executor = Executor(db, worker)
    yield executor
    executor.stop.request()
    executor.hold.join(10)


def claimed_ahead(db: Database, count: int, seconds: float) -> list[int]:
    """Jobs that are due in so many seconds, and claimed already."""
    with db.connection() as conn:
        ids = create_jobs(conn, OPERATOR, [NewJob(task_type="noop", task_data={}, delay_seconds=seconds)] * count)
        claimed = transitions.claim(
            conn, queue=DEFAULT_QUEUE, limit=count, lease_seconds=LEASE, ageing_seconds=60, ahead_seconds=seconds + 1
        )
    assert [job.id for job in claimed] == ids
    return ids


def test_a_held_job_takes_no_slot_and_starts_when_it_is_due(executor: Executor, db: Database) -> None:
    ids = claimed_ahead(db, 2, seconds=0.7)
    assert {*executor.take(*ids)} == {*ids}
    assert (executor.started, executor.slots.busy) == ([], 0)
    eventually(lambda: executor.ids_started() == {*ids} and executor.slots.busy == 2)
    with db.connection() as conn:
        for job_id in ids:
            job = get_job(conn, OPERATOR, job_id)
            assert job.started_at is not None
            assert timedelta() <= job.started_at - job.scheduled_at


def test_held_jobs_that_find_no_slot_go_to_others(executor: Executor, db: Database) -> None:
    ids = claimed_ahead(db, SLOTS, seconds=0.7)
    executor.take(*ids)
    ids += claimed_ahead(db, 1, seconds=0)
    executor.take(ids[-1])
    message = eventually(executor.worker.receive)
    assert message is not None
    assert len(message.ids) == 1
    eventually(lambda: {*message.ids} | executor.ids_started() == {*ids})
    assert (len(executor.started), executor.slots.busy) == (SLOTS, SLOTS)


def test_a_held_job_that_is_cancelled_never_starts(executor: Executor, db: Database) -> None:
    first, second = claimed_ahead(db, 2, seconds=0.7)
    executor.take(first, second)
    with db.connection() as conn:
        transitions.cancel(conn, OPERATOR, first)
    eventually(lambda: executor.ids_started() == {second} and executor.slots.busy == 1)


def test_a_stopping_executor_hands_on_what_it_holds(executor: Executor, db: Database) -> None:
    ids = claimed_ahead(db, 3, seconds=60)
    executor.take(*ids)
    executor.stop.request()
    executor.hold.join(10)
    message = executor.worker.receive()
    assert message is not None
    assert sorted(message.ids) == ids
    assert executor.started == []


def test_what_comes_after_the_thread_has_left_is_handed_on_as_well(executor: Executor, db: Database) -> None:
    executor.stop.request()
    executor.hold.join(10)
    ids = claimed_ahead(db, 2, seconds=60)
    executor.take(*ids)
    message = executor.worker.receive()
    assert message is not None
    assert sorted(message.ids) == ids


def test_a_job_that_becomes_due_just_after_its_start_was_refused_is_not_forgotten(db: Database) -> None:
    (due,) = claimed_ahead(db, 1, seconds=0)
    (expired,) = claimed_ahead(db, 1, seconds=0)
    with db.connection() as conn:
        conn.execute("UPDATE jobs SET expires_at = now() WHERE id = %s", (expired,))
        later = backlog.due_later(conn, DEFAULT_QUEUE, [due, expired])
    assert later.keys() == {due}
    assert later[due] <= 0


def test_a_job_due_now_overtakes_those_that_are_held(executor: Executor, db: Database) -> None:
    executor.take(*claimed_ahead(db, 1, seconds=60))
    (due,) = claimed_ahead(db, 1, seconds=0)
    assert executor.take(due) == {}
    assert executor.ids_started() == {due}


def test_what_was_claimed_of_a_queue_that_is_paused_by_now_goes_back(executor: Executor, db: Database) -> None:
    ids = [*claimed_ahead(db, 1, seconds=0), *claimed_ahead(db, 1, seconds=60)]
    with db.connection() as conn:
        set_paused(conn, DEFAULT_QUEUE, paused=True)
        assert executor.take(*ids) == {}
        assert [get_job(conn, OPERATOR, each).status for each in ids] == ["pending", "pending"]
    assert (executor.started, executor.slots.busy) == ([], 0)


def test_a_job_that_moved_to_another_queue_is_not_started_from_its_old_message(
    executor: Executor, db: Database
) -> None:
    """This executor may not serve that one."""
    ids = [*claimed_ahead(db, 1, seconds=0), *claimed_ahead(db, 1, seconds=60)]
    with db.connection() as conn:
        conn.execute("UPDATE jobs SET queue = 'elsewhere' WHERE id = ANY (%s)", (ids,))
        assert executor.take(*ids) == {}
        assert [get_job(conn, OPERATOR, each).status for each in ids] == ["picked", "picked"]
    assert (executor.started, executor.slots.busy) == ([], 0)
