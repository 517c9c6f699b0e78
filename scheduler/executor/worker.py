"""The RQ side of an executor: a worker that `rq info` shows, which receives messages instead of calling functions."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, cast

import redis
from rq import Queue, worker_registration
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now, utcformat
from rq.worker.base import BaseWorker, WorkerStatus

from scheduler.domain.job import DEFAULT_QUEUE
from scheduler.logs import get_log
from scheduler.queue import (
    CAPACITY_FIELD,
    channel,
    connect,
    full_key,
    push_messages,
    queue_names,
    reaching_redis,
)

log = get_log("worker")

POP_SECONDS: Final = 1
"""How long one pop waits, and for how long the queues that there were are all that it looks at: so soon a new queue, or
the request to stop, is noticed."""

_TTL_SECONDS: Final = 20
_LARGEST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Message:
    """Ids of claimed jobs, and the queue that they came by."""

    queue: str
    ids: tuple[int, ...]


class MessageWorker(BaseWorker):
    """An RQ worker without a work loop. It serves `queues`, or every queue there is when none are named."""

    def __init__(self, url: str, *, queues: Sequence[str], name: str, capacity: int) -> None:
        super().__init__(
            [],
            name=name,
            connection=connect(url, timeout=POP_SECONDS + 4),
            serializer=JSONSerializer,
            prepare_for_work=False,  # which would ask Redis: an executor starts without it, too
        )
        self.hostname = socket.gethostname()
        self.pid = os.getpid()
        self._named = tuple(queues)
        self._capacity = capacity
        self._turn = 0
        self._queues_known_until = -inf

    def _set_connection(self, connection: "redis.Redis") -> "redis.Redis":
        return connection  # RQ would raise the socket timeout to minutes, and a half-open connection last as long

    def announce(self, *, busy: bool, finished: int, failed: int) -> None:
        """Say that this worker lives, what it does and what it can take; raises QueueUnavailable.

        All of it each time, so that it is there again soon after Redis was flushed.
        """
        with reaching_redis():
            self.birth_date = self.birth_date or now()
            self.last_heartbeat = now()
            self._refresh_queues()
            with self.connection.pipeline() as pipeline:
                pipeline.hset(
                    self.key, mapping=cast("Any", self._description(busy=busy, finished=finished, failed=failed))
                )
                pipeline.hdel(self.key, "death")
                pipeline.expire(self.key, _TTL_SECONDS)
                worker_registration.register(self, pipeline)
                pipeline.execute()

    def wake_pickers(self) -> None:
        """There is room, or an executor that was not there before; raises QueueUnavailable."""
        with reaching_redis():
            self.connection.publish(channel(self.connection, "wake"), "")

    def receive(self) -> Message | None:
        """The next message, or None when none came within a second; raises QueueUnavailable."""
        with reaching_redis():
            if time.monotonic() >= self._queues_known_until:
                self._refresh_queues()
            try:
                found = Queue.dequeue_any(
                    self._in_turn(), POP_SECONDS, connection=self.connection, serializer=JSONSerializer
                )
            except DequeueTimeout:
                return None
            except redis.RedisError:
                raise
            except Exception as poison:  # noqa: BLE001 - RQ may trip over anything in somebody else's message
                self._drop(str(getattr(poison, "job_id", "?")), repr(poison))
                return None
            return self._taken(*found) if found else None

    def put_back(self, message: Message) -> None:
        """Return what there is no room for to the front of its queue; raises QueueUnavailable."""
        with reaching_redis():
            push_messages(self.connection, message.queue, [message.ids], at_front=True)

    def depart(self) -> None:
        """Sign off; raises QueueUnavailable."""
        with reaching_redis():
            self.register_death()

    def _taken(self, job: Job, queue: Queue) -> Message | None:
        """Take the message off Redis for good: from here on, the lease is what brings its jobs back."""
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.delete(job.key, queue.intermediate_queue_key)
            pipeline.get(full_key(queue.name))
            pipeline.llen(queue.key)
            _, wanted, left = cast("tuple[int, bytes | None, int]", tuple(pipeline.execute()))
        if wanted is not None and wanted.isdigit() and left <= int(wanted):
            self.connection.delete(full_key(queue.name))
            self.connection.publish(channel(self.connection, "wake"), "")
        if (ids := _ids_of(job)) is None:
            log.warning("poison message dropped", message=job.id, queue=queue.name, reason="not a list of job ids")
            return None
        return Message(queue.name, ids)

    def _drop(self, message_id: str, reason: str) -> None:
        log.warning("poison message dropped", message=message_id, reason=reason[:500])
        keys = [Job.key_for(message_id), *(queue.intermediate_queue_key for queue in self.queues)]
        self.connection.delete(*keys)

    def _refresh_queues(self) -> None:
        names = self._named or sorted({DEFAULT_QUEUE, *queue_names(self.connection)})
        if names != [queue.name for queue in self.queues]:
            self.queues = [Queue(name, connection=self.connection, serializer=JSONSerializer) for name in names]
        self._queues_known_until = time.monotonic() + POP_SECONDS

    def _in_turn(self) -> list[Queue]:
        """Named queues in the order given, which is their order of importance; else each is first in its turn."""
        if self._named:
            return self.queues
        self._turn = (self._turn + 1) % len(self.queues)
        return self.queues[self._turn :] + self.queues[: self._turn]

    def _description(self, *, busy: bool, finished: int, failed: int) -> dict[str, Any]:
        state = WorkerStatus.BUSY if busy else WorkerStatus.IDLE
        self._state = state.value
        return {
            **cast("dict[str, Any]", self.serialize()),
            "last_heartbeat": utcformat(now()),
            "state": state.value,
            "successful_job_count": finished,
            "failed_job_count": failed,
            CAPACITY_FIELD: self._capacity,
        }


def _ids_of(job: Job) -> tuple[int, ...] | None:
    """The ids in a message, or None for a message that is not ours. Nothing in it is called or unpickled."""
    try:
        (ids,) = cast("tuple[Sequence[int]]", job.args)
        ours = len(ids) > 0 and all(type(each) is int and 0 < each <= _LARGEST_ID for each in ids)
    except Exception:  # noqa: BLE001 - whatever the bytes hold that is not one list
        return None
    return tuple(ids) if ours else None
