"""Messages that ask for more slots than are free."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import pytest
import redis

from scheduler.daemon import Stop
from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import DEFAULT_QUEUE, Attempt, NewJob
from scheduler.executor.hold import Hold
from scheduler.executor.receiver import Receiver
from scheduler.executor.recorder import Recorder
from scheduler.executor.slots import Slots
from scheduler.executor.starter import Starter
from scheduler.executor.worker import Message, MessageWorker
from scheduler.queue import push_messages
from scheduler.store import transitions
from scheduler.store.connection import Database
from scheduler.store.intake import create_jobs
from tests.eventually import eventually

LEASE = 30.0
SLOTS = 4


class NotedWorker(MessageWorker):
    """Keeps what was put back."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url, queues=[DEFAULT_QUEUE], name="test", capacity=SLOTS)
        self.returned: list[int] = []

    def put_back(self, message: Message) -> None:
        self.returned.extend(message.ids)
        super().put_back(message)


@pytest.fixture
def client(redis_url: str) -> Generator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def worker(redis_url: str) -> NotedWorker:
    return NotedWorker(redis_url)


@pytest.fixture
def ids(db: Database) -> list[int]:
    """Two more claimed jobs than there are slots."""
    with db.connection() as conn:
        create_jobs(conn, OPERATOR, [NewJob(task_type="noop", task_data={})] * (SLOTS + 2))
        claimed = transitions.claim(conn, queue=DEFAULT_QUEUE, limit=100, lease_seconds=LEASE, ageing_seconds=60)
    return [job.id for job in claimed]


@contextmanager
def receiving(
    db: Database, worker: MessageWorker, slots: Slots, stop: Stop, meanwhile: Callable[[], object] = lambda: None
) -> Generator[list[int]]:
    """The half of an executor that takes messages; the jobs that it has started, in their order. `meanwhile` is what
    happens while it starts some."""
    started: list[int] = []

    def admit(attempts: Sequence[Attempt], _asked: float) -> threading.Event:
        meanwhile()
        started.extend(sorted(attempt.key.job_id for attempt in attempts))
        admitted = threading.Event()
        admitted.set()
        return admitted

    starter = Starter(worker, db, slots, admit, lease_seconds=LEASE)
    recorder = Recorder(db, lambda _recorded: None)
    receiver = Receiver(worker, starter, Hold(starter, stop), slots=slots, recorder=recorder, stop=stop)
    receiver.start()
    try:
        yield started
    finally:
        stop.request()
        receiver.join(10)


def test_the_rest_of_a_message_starts_as_slots_come_free(
    db: Database, worker: NotedWorker, client: "redis.Redis", ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.executor.receiver.IN_HAND_SECONDS", 60.0)
    slots = Slots(SLOTS)
    with receiving(db, worker, slots, Stop()) as started:
        push_messages(client, DEFAULT_QUEUE, [ids])
        eventually(lambda: started == ids[:SLOTS])
        slots.release(1)
        eventually(lambda: started == ids[: SLOTS + 1])
        assert slots.busy == SLOTS
        slots.release(3)
        eventually(lambda: started == ids)
    assert (slots.busy, worker.returned) == (SLOTS - 2, [])


def test_the_rest_of_a_message_that_finds_no_slot_soon_goes_to_others(
    db: Database, worker: NotedWorker, client: "redis.Redis", ids: list[int]
) -> None:
    with receiving(db, worker, Slots(SLOTS), Stop()) as started:
        push_messages(client, DEFAULT_QUEUE, [ids])
        eventually(lambda: worker.returned == ids[SLOTS:])
    assert started == ids[:SLOTS]


def test_the_rest_of_a_message_is_kept_no_longer_though_slots_come_free(
    db: Database, worker: NotedWorker, client: "redis.Redis", ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.executor.receiver.IN_HAND_SECONDS", 0.0)
    slots = Slots(SLOTS)
    with receiving(db, worker, slots, Stop(), meanwhile=lambda: slots.release(2)) as started:
        push_messages(client, DEFAULT_QUEUE, [ids])
        eventually(lambda: started == ids)
    assert worker.returned == ids[SLOTS:]


def test_the_rest_of_a_message_is_handed_on_when_the_executor_stops(
    db: Database, worker: NotedWorker, client: "redis.Redis", ids: list[int]
) -> None:
    stop = Stop()
    with receiving(db, worker, Slots(SLOTS), stop, meanwhile=stop.request) as started:
        push_messages(client, DEFAULT_QUEUE, [ids])
        eventually(lambda: started == ids[:SLOTS])
    assert worker.returned == ids[SLOTS:]
