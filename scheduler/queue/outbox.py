"""The picker's side of the queues."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import time
from collections.abc import Sequence
from math import ceil
from typing import Final

from rq import Queue

from scheduler.queue.capacity import Capacity, read_capacity
from scheduler.queue.connection import connect, reaching_redis
from scheduler.queue.messages import full_key, push_messages

MESSAGES_AHEAD: Final = 8
"""Messages waiting in Redis for each executor: enough that none runs dry while a picker claims the next."""

_CAPACITY_SECONDS: Final = 1.0
_HUNGRY_SECONDS: Final = 10


class Outbox:
    """The picker's side of the queues: how much they have room for, and the push."""

    def __init__(self, url: str, *, timeout: float = 2.0) -> None:
        """`timeout` is short: schedules wait while a picker waits for Redis, and may be late by five seconds."""
        self._redis = connect(url, timeout=timeout)
        self._capacity = Capacity(0, 0)
        self._capacity_until = 0.0

    def room(self, queue: str) -> int:
        """How many more ids this queue should hold: what its executors can take soon, less what waits already.

        None before half of that is gone, so that claims are large: the executor who takes it that far wakes the
        pickers. Raises QueueUnavailable.
        """
        with reaching_redis():
            capacity = self._live_capacity()
            waiting = self._redis.llen(Queue.redis_queue_namespace_prefix + queue)
            ahead = capacity.executors * MESSAGES_AHEAD
            if waiting > ahead // 2 or not ahead:
                self._redis.set(full_key(queue), ahead // 2, ex=_HUNGRY_SECONDS)
                return 0
            return (ahead - waiting) * capacity.message_size

    def most_ahead(self) -> int:
        """How many ids all queues' executors can take soon, as far as `room` last knew."""
        return self._capacity.executors * MESSAGES_AHEAD * self._capacity.message_size

    def push(self, queue: str, ids: Sequence[int], *, more_wait: bool = False) -> None:
        """Put claimed jobs on a queue: few a message, so that all executors get some, unless `more_wait` to be claimed,
        and each message is as large as an executor likes it.

        Raises QueueUnavailable; the ids may then be on the queue or not.
        """
        with reaching_redis():
            capacity = self._live_capacity()
            share = len(ids) if more_wait else ceil(len(ids) / max(1, capacity.executors * 2))
            size = min(capacity.message_size, share)
            push_messages(self._redis, queue, [ids[i : i + size] for i in range(0, len(ids), size)])

    def close(self) -> None:
        self._redis.close()

    def _live_capacity(self) -> Capacity:
        if time.monotonic() >= self._capacity_until:
            self._capacity = read_capacity(self._redis)
            self._capacity_until = time.monotonic() + _CAPACITY_SECONDS
        return self._capacity
