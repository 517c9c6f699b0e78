"""What is said over Redis, and what it says of itself and of those that live."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from rq import Queue

from scheduler.queue.capacity import Capacity, read_capacity
from scheduler.queue.connection import channel, connect, reaching_redis

OLDEST_REDIS: Final = (6, 2)
OLDEST_VALKEY: Final = (7, 2)


class Signals:
    """What the API tells pickers and executors; a lost signal costs at most one poll."""

    def __init__(self, url: str, *, timeout: float = 0.5) -> None:
        self._redis = connect(url, timeout=timeout)

    def wake_pickers(self) -> None:
        """Work may be due sooner than they expect; raises QueueUnavailable."""
        self._publish("wake", "")

    def cancel(self, job_id: int) -> None:
        """Tell executors that this job was cancelled while it ran; raises QueueUnavailable."""
        self._publish("cancel", str(job_id))

    def ping(self) -> "ServerVersion":
        """The server's kind and version; raises QueueUnavailable."""
        with reaching_redis():
            return _server_version(self._redis.info("server"))

    def live_capacity(self) -> Capacity:
        """The executors that live, and what they can take; raises QueueUnavailable."""
        with reaching_redis():
            return read_capacity(self._redis)

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages wait in each of these queues."""
        with reaching_redis(), self._redis.pipeline(transaction=False) as pipeline:
            for name in queues:
                pipeline.llen(Queue.redis_queue_namespace_prefix + name)
            return dict(zip(queues, cast("list[int]", pipeline.execute()), strict=True))

    def live_pickers(self) -> int:
        """The pickers that live: each listens for wake-ups. Raises QueueUnavailable."""
        name = channel(self._redis, "wake")
        with reaching_redis():
            ((_, listeners),) = cast("list[tuple[bytes, int]]", self._redis.pubsub_numsub(name))
        return listeners

    def close(self) -> None:
        self._redis.close()

    def _publish(self, name: str, text: str) -> None:
        with reaching_redis():
            self._redis.publish(channel(self._redis, name), text)


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What answers at REDIS_URL: `kind` is Redis or Valkey."""

    kind: str
    text: str

    @property
    def is_supported(self) -> bool:
        return tuple(int(part) for part in re.findall(r"\d+", self.text)[:2]) >= self._oldest

    @property
    def oldest_supported(self) -> str:
        return f"{self.kind} {'.'.join(map(str, self._oldest))}"

    @property
    def _oldest(self) -> tuple[int, int]:
        return OLDEST_VALKEY if self.kind == "Valkey" else OLDEST_REDIS


def _server_version(info: dict[str, Any]) -> ServerVersion:
    if version := info.get("valkey_version"):
        return ServerVersion("Valkey", str(version))
    return ServerVersion("Redis", str(info["redis_version"]))
