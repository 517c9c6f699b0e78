"""Between picker and executor over a real server: messages, poison, room, presence and signals."""

# redis-py and RQ leave their keyword arguments untyped.
# pyright: reportUnknownMemberType=false

from collections.abc import Generator
from contextlib import closing
from typing import cast

import pytest
import redis
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from rq.worker.base import BaseWorker

from scheduler.executor.worker import Message, MessageWorker
from scheduler.queue import LARGEST_MESSAGE, MESSAGES_AHEAD, Outbox, full_key
from tests.eventually import eventually
from tests.integration.listening import heard

QUEUE = "default"
HALF_FULL = MESSAGES_AHEAD // 2


@pytest.fixture
def client(redis_url: str) -> Generator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


@pytest.fixture
def outbox(redis_url: str) -> Generator[Outbox]:
    with closing(Outbox(redis_url)) as box:
        yield box


@pytest.fixture
def worker(redis_url: str) -> MessageWorker:
    return present(redis_url)


def present(url: str, *, name: str = "one", capacity: int = 200, queues: tuple[str, ...] = (QUEUE,)) -> MessageWorker:
    """A worker that has announced itself."""
    worker = MessageWorker(url, queues=queues, name=name, capacity=capacity)
    worker.announce(busy=False, finished=0, failed=0)
    return worker


def next_message(worker: MessageWorker) -> Message:
    message = eventually(worker.receive)
    assert message is not None
    return message


def received(worker: MessageWorker, count: int) -> list[Message]:
    """The next messages; there must be no more than these."""
    messages = [next_message(worker) for _ in range(count)]
    assert not any(queue.count for queue in Queue.all(connection=worker.connection, serializer=JSONSerializer))
    return messages


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_arrive_as_they_were_pushed_and_leave_nothing(
    client: "redis.Redis", outbox: Outbox, worker: MessageWorker
) -> None:
    outbox.push(QUEUE, [3, 1, 2**63 - 1])
    messages = received(worker, 2)
    assert [each for message in messages for each in message.ids] == [3, 1, 2**63 - 1]
    assert {message.queue for message in messages} == {QUEUE}
    left = cast("list[bytes]", client.keys())
    assert [key for key in left if not key.startswith((b"rq:worker", b"rq:queues"))] == []


@pytest.mark.parametrize(
    ("executors", "capacity", "ids", "sizes"),
    [
        (1, 200, 1, [1]),
        (1, 200, 2, [1, 1]),
        (2, 200, 4, [1, 1, 1, 1]),
        (1, 200, 10, [5, 5]),
        (1, 200, 250, [100, 100, 50]),
        (1, 8, 20, [4] * 5),  # no more than half of what an executor can run at once
        (0, 0, 3, [1, 1, 1]),
    ],
)
def test_few_ids_make_small_messages(
    redis_url: str, outbox: Outbox, executors: int, capacity: int, ids: int, sizes: list[int]
) -> None:
    for number in range(executors):
        present(redis_url, name=str(number), capacity=capacity)
    outbox.push(QUEUE, range(1, ids + 1))
    reader = MessageWorker(redis_url, queues=(QUEUE,), name="reader", capacity=1)
    assert [len(message.ids) for message in received(reader, len(sizes))] == sizes


def test_while_more_wait_messages_are_whole(redis_url: str, outbox: Outbox, worker: MessageWorker) -> None:
    for number in range(4):
        present(redis_url, name=str(number), capacity=200)
    outbox.push(QUEUE, range(1, 251), more_wait=True)
    assert sorted(len(message.ids) for message in received(worker, 3)) == [50, 100, 100]


def test_what_is_put_back_is_the_next_to_come(outbox: Outbox, worker: MessageWorker) -> None:
    outbox.push(QUEUE, [1, 2, 3, 4])
    message = worker.receive()
    assert message is not None
    worker.put_back(Message(QUEUE, message.ids[1:]))
    assert [each for message in received(worker, 2) for each in message.ids] == [2, 3, 4]


def test_a_worker_without_named_queues_serves_all_in_turn(redis_url: str, outbox: Outbox) -> None:
    worker = present(redis_url, queues=())
    for queue in ("a", "b"):
        outbox.push(queue, range(1, 7))
    assert {message.queue for message in received(worker, 4)[:2]} == {"a", "b"}


def test_named_queues_come_in_the_order_of_their_names_given(redis_url: str, outbox: Outbox) -> None:
    worker = present(redis_url, queues=("urgent", "a"))
    for queue in ("a", "other", "urgent"):
        outbox.push(queue, [1])
    assert [next_message(worker).queue for _ in range(2)] == ["urgent", "a"]


# ── room ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_worker_with_named_queues_takes_from_no_other(redis_url: str, outbox: Outbox) -> None:
    outbox.push("other", [1])
    bound = present(redis_url, queues=("urgent",))
    outbox.push("urgent", [2])
    assert next_message(bound) == Message("urgent", (2,))
    assert bound.receive() is None
    assert received(present(redis_url, name="two", queues=("other",)), 1) == [Message("other", (1,))]


def test_without_executors_there_is_no_room(client: "redis.Redis", outbox: Outbox) -> None:
    assert outbox.room(QUEUE) == 0
    assert client.exists(full_key(QUEUE))


def test_room_is_what_executors_can_take_soon(redis_url: str, outbox: Outbox) -> None:
    present(redis_url, name="one", capacity=10)
    present(redis_url, name="two", capacity=30)
    assert outbox.room(QUEUE) == 2 * MESSAGES_AHEAD * 10


def test_no_message_outgrows_its_bound(redis_url: str, outbox: Outbox) -> None:
    present(redis_url, capacity=10_000)
    assert outbox.room(QUEUE) == MESSAGES_AHEAD * LARGEST_MESSAGE


def test_what_waits_already_takes_room(client: "redis.Redis", redis_url: str, outbox: Outbox) -> None:
    present(redis_url, capacity=1)
    for waiting in range(HALF_FULL + 1):
        assert outbox.room(QUEUE) == MESSAGES_AHEAD - waiting
        assert not client.exists(full_key(QUEUE))
        outbox.push(QUEUE, [1])
    assert outbox.room(QUEUE) == 0
    assert outbox.room("another") == MESSAGES_AHEAD


def test_the_executor_who_makes_room_for_a_large_claim_wakes_the_pickers(
    client: "redis.Redis", redis_url: str, outbox: Outbox
) -> None:
    worker = present(redis_url, capacity=1)
    for _ in range(HALF_FULL + 2):
        outbox.push(QUEUE, [1])
    assert outbox.room(QUEUE) == 0
    with heard(redis_url, "wake") as calls:
        calls.clear()
        worker.receive()
        assert client.exists(full_key(QUEUE)), "room for a single message is worth no claim"
        worker.receive()
        assert not client.exists(full_key(QUEUE))
        eventually(lambda: calls)
        assert len(calls) == 1
    assert outbox.room(QUEUE) == MESSAGES_AHEAD - HALF_FULL


def test_an_executor_that_left_counts_no_more(redis_url: str) -> None:
    worker = present(redis_url)
    with closing(Outbox(redis_url)) as before:
        assert before.room(QUEUE)
    worker.depart()
    with closing(Outbox(redis_url)) as after:
        assert after.room(QUEUE) == 0


# ── presence ────────────────────────────────────────────────────────────────────────────────────────────────────────


def seen(client: "redis.Redis") -> dict[str, BaseWorker]:
    """The workers that RQ's own tools see."""
    return {each.name: each for each in Worker.all(connection=client, serializer=JSONSerializer)}


def test_an_executor_is_a_worker_to_rqs_own_tools(client: "redis.Redis", worker: MessageWorker) -> None:
    worker.announce(busy=True, finished=5, failed=2)
    shown = seen(client)["one"]
    assert (shown.get_state(), shown.successful_job_count, shown.failed_job_count) == ("busy", 5, 2)
    assert shown.queue_names() == [QUEUE]
    worker.announce(busy=False, finished=6, failed=2)
    assert seen(client)["one"].get_state() == "idle"


def test_it_is_there_again_after_a_flush(client: "redis.Redis", redis_url: str, worker: MessageWorker) -> None:
    client.flushdb()
    assert seen(client) == {}
    worker.announce(busy=False, finished=0, failed=0)
    assert set(seen(client)) == {"one"}
    with closing(Outbox(redis_url)) as outbox:
        assert outbox.room(QUEUE)
        outbox.push(QUEUE, [1])
    assert worker.receive() == Message(QUEUE, (1,))


def test_one_that_signed_off_is_gone_and_may_come_back(client: "redis.Redis", worker: MessageWorker) -> None:
    worker.depart()
    assert seen(client) == {}
    worker.announce(busy=False, finished=0, failed=0)
    assert set(seen(client)) == {"one"}


def test_one_that_died_without_a_word_fades(client: "redis.Redis", worker: MessageWorker) -> None:
    assert 0 < client.pttl(worker.key) <= 60_000
