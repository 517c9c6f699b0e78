"""Messages that are not ours: dropped once, and nothing in them is unpickled or called."""

# redis-py and RQ leave their keyword arguments untyped.
# pyright: reportUnknownMemberType=false

import json
import pickle
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, cast

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from scheduler.executor.worker import Message, MessageWorker
from scheduler.queue import Outbox
from tests.integration.test_queue import QUEUE, present, received


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


touched: list[str] = []


class Bomb:
    """Unpickling it runs our code."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return touched.append, ("unpickled",)


def ours(*arguments: object) -> bytes:
    """The data of a message in our serializer: function, instance, arguments, keyword arguments."""
    return json.dumps(["scheduler.executor.never_called", None, list(arguments), {}]).encode()


POISON: dict[str, dict[str, bytes | str]] = {
    "a pickle": {"data": pickle.dumps(("os.system", None, ([1],), {}))},
    "a pickle that acts": {"data": pickle.dumps(Bomb())},
    "no arguments": {"data": ours()},
    "two arguments": {"data": ours([1], [2])},
    "no list": {"data": ours(1)},
    "an empty list": {"data": ours([])},
    "a string": {"data": ours("123")},
    "strings": {"data": ours(["1", "2"])},
    "an object": {"data": ours({"1": 1})},
    "a float": {"data": ours([1.0])},
    "a boolean": {"data": ours([True])},
    "zero": {"data": ours([0])},
    "below zero": {"data": ours([-1])},
    "too large for the database": {"data": ours([1, 2**63])},
    "huge": {"data": b'["f", null, [[' + b"9" * 5000 + b"]], {}]"},
    "deeply nested": {"data": b"[" * 100_000},
    "no JSON": {"data": b"\x80\xff\x00"},
    "empty": {"data": b""},
    "an unknown hash": {"colour": "blue"},
    "no date": {"data": ours([1]), "created_at": "yesterday"},
    "an unknown status": {"data": ours([1]), "status": "odd"},
    "no number": {"data": ours([1]), "result_ttl": "soon"},
    "no text": {"data": ours([1]), "origin": b"\xff\xfe"},
}


@pytest.mark.parametrize("fields", POISON.values(), ids=POISON.keys())
@pytest.mark.parametrize("queues", [(QUEUE,), ()], ids=["one queue", "all queues"])
def test_poison_is_dropped_once_and_the_next_message_comes(
    client: "redis.Redis",
    redis_url: str,
    outbox: Outbox,
    queues: tuple[str, ...],
    fields: dict[str, bytes | str],
) -> None:
    worker = present(redis_url, queues=queues)
    client.sadd("rq:queues", f"rq:queue:{QUEUE}")
    client.hset("rq:job:poison", mapping=cast("Any", fields))
    client.rpush(f"rq:queue:{QUEUE}", "poison")
    outbox.push(QUEUE, [7])
    touched.clear()

    assert received(worker, 1) == [Message(QUEUE, (7,))]
    assert touched == []
    assert not client.exists(f"rq:queue:{QUEUE}", f"rq:queue:{QUEUE}:intermediate")
    if "data" in fields:
        assert not client.exists("rq:job:poison")


def test_a_message_whose_body_is_gone_is_passed_over(
    client: "redis.Redis", outbox: Outbox, worker: MessageWorker
) -> None:
    client.rpush(f"rq:queue:{QUEUE}", "nobody", b"\xff\xfe")
    outbox.push(QUEUE, [7])
    assert received(worker, 1) == [Message(QUEUE, (7,))]


def test_the_function_that_a_message_names_is_not_called(redis_url: str, worker: MessageWorker) -> None:
    touched.clear()
    with redis.Redis.from_url(redis_url) as connection:
        Queue(QUEUE, connection=connection, serializer=JSONSerializer).enqueue(f"{__name__}.touched.append", [5])
    assert worker.receive() == Message(QUEUE, (5,))
    assert touched == []
