"""The only room that speaks RQ and Redis (`executor/worker.py` aside, which is an RQ worker).

Redis carries job ids and wake-ups, and nothing that would be missed: losing all of it loses no job and no state.
A message is an RQ job whose one argument is a list of ids; nobody reads the function that it names.
"""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import contextlib
import re
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel
from rq import Queue
from rq.serializers import JSONSerializer
from rq.worker_registration import get_keys

from scheduler.daemon import Backoff, Worker
from scheduler.domain.errors import ConfigurationError, QueueUnavailable
from scheduler.logs import get_log

log = get_log("queue")

OLDEST_REDIS: Final = (6, 2)
OLDEST_VALKEY: Final = (7, 2)

MESSAGE_FUNCTION: Final = "scheduler.executor.never_called"
LARGEST_MESSAGE: Final = 250
"""Ids in a message at the most: enough to spread what a message costs over many jobs."""
MESSAGES_AHEAD: Final = 8
"""Messages waiting in Redis for each executor: enough that none runs dry while a picker claims the next."""

CAPACITY_FIELD: Final = "capacity"
_SENTINEL_SCHEME: Final = "redis+sentinel://"
_CAPACITY_SECONDS: Final = 1.0
_HUNGRY_SECONDS: Final = 10

_AWAY: Final = "Redis does not answer: check that it runs and that REDIS_URL is right."


def connect(url: str, *, timeout: float) -> "redis.Redis":
    """A client that fails within `timeout` seconds instead of trying for long: our own loops do the trying.

    Raises ConfigurationError for what is neither `redis(s)://` nor `redis+sentinel://`.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": Retry(NoBackoff(), 1),  # once more: a server that came back leaves dead connections in the pool
        "protocol": 2,
    }
    try:
        if url.startswith(_SENTINEL_SCHEME):
            return _connect_by_sentinels(url, options)
        return redis.Redis.from_url(url, **options)
    except ValueError:  # whose text may hold a part of the password
        forms = "redis://:password@host:6379/0, or redis+sentinel://:password@host:26379/name for Sentinel"
        raise ConfigurationError(f"REDIS_URL is not a Redis URL. It has the form {forms}.") from None


def _connect_by_sentinels(url: str, options: dict[str, Any]) -> "redis.Redis":
    """A client of whichever server the sentinels call the primary, asked for each new connection.

    `redis+sentinel://:password@host:26379,host:26379/name`, one password for the servers and the sentinels: the form
    that the limits of requests are counted by, too.
    """
    parts = urlsplit(url)
    name = parts.path.strip("/")
    addresses = [address.partition(":") for address in parts.netloc.rpartition("@")[2].split(",")]
    if not name or not all(host and port for host, _, port in addresses):
        raise ValueError("no name of a primary, or no port of a sentinel")
    options |= {"username": unquote(parts.username or "") or None, "password": unquote(parts.password or "") or None}
    sentinels = Sentinel([(host, int(port)) for host, _, port in addresses], sentinel_kwargs=options, **options)
    return sentinels.master_for(name)


@contextlib.contextmanager
def reaching_redis() -> Generator[None]:
    """Turns redis-py's failures to reach the server into QueueUnavailable."""
    try:
        yield
    except redis.exceptions.ReadOnlyError as error:
        raise QueueUnavailable("Redis is a read-only replica: point REDIS_URL at the primary.") from error
    except redis.exceptions.AuthenticationError as error:
        raise QueueUnavailable("Redis refuses the password in REDIS_URL.") from error
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
        raise QueueUnavailable(_AWAY) from error
    except redis.exceptions.RedisError as error:  # out of memory, in a fail-over, ...: no reason for a daemon to end
        raise QueueUnavailable(f"Redis refuses the command: {error}.") from error


def channel(client: "redis.Redis", name: str) -> str:
    """A pub/sub channel of this logical database: Redis itself shares channels between all of them."""
    return f"scheduler:{_database_number(client)}:{name}"


def _database_number(client: "redis.Redis") -> int:
    options = cast("dict[str, Any]", client.get_connection_kwargs())
    return int(options.get("db") or 0)


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

    def live_capacity(self) -> "Capacity":
        """The executors that live, and what they can take; raises QueueUnavailable."""
        with reaching_redis():
            return _read_capacity(self._redis)

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


class Outbox:
    """The picker's side of the queues: how much they have room for, and the push."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
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

    def push(self, queue: str, ids: Sequence[int]) -> None:
        """Put claimed jobs on a queue, few a message while there are few, so that all executors get some.

        Raises QueueUnavailable; the ids may then be on the queue or not.
        """
        with reaching_redis():
            capacity = self._live_capacity()
            size = min(capacity.message_size, ceil(len(ids) / max(1, capacity.executors * 2)))
            push_messages(self._redis, queue, [ids[i : i + size] for i in range(0, len(ids), size)])

    def close(self) -> None:
        self._redis.close()

    def _live_capacity(self) -> "Capacity":
        if time.monotonic() >= self._capacity_until:
            self._capacity = _read_capacity(self._redis)
            self._capacity_until = time.monotonic() + _CAPACITY_SECONDS
        return self._capacity


@dataclass(frozen=True, slots=True)
class Capacity:
    """The live executors, and the slots that they have in all."""

    executors: int
    slots: int

    @property
    def message_size(self) -> int:
        """Ids in a message at the most: half of what an executor can run at once, so that it starts one message while
        the other runs."""
        return max(1, min(LARGEST_MESSAGE, self.slots // self.executors // 2)) if self.executors else 1


def _read_capacity(client: "redis.Redis") -> Capacity:
    keys = sorted(get_keys(connection=client))
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, [CAPACITY_FIELD, "death"])
        answers = cast("list[list[bytes | None]]", pipeline.execute())
    slots = [int(capacity) for capacity, death in answers if capacity is not None and death is None]
    return Capacity(len(slots), sum(slots))


def push_messages(
    client: "redis.Redis", queue: str, messages: Sequence[Sequence[int]], *, at_front: bool = False
) -> None:
    """Put lists of ids on a queue, in one round trip."""
    rq_queue = Queue(queue, connection=client, serializer=JSONSerializer)
    rq_queue.enqueue_many(
        [
            Queue.prepare_data(
                MESSAGE_FUNCTION, args=(list(ids),), result_ttl=0, description=_describe(ids), at_front=at_front
            )
            for ids in messages
        ]
    )


def _describe(ids: Sequence[int]) -> str:
    return f"job {ids[0]}" if len(ids) == 1 else f"{len(ids)} jobs from {ids[0]}"


def queue_names(client: "redis.Redis") -> list[str]:
    """Every queue that RQ knows, and whose name could be one of ours: the set is open to anyone who reaches Redis."""
    prefix = Queue.redis_queue_namespace_prefix
    keys = (key.decode("utf-8", "replace") for key in cast("set[bytes]", client.smembers(Queue.redis_queues_keys)))
    names = (key.removeprefix(prefix) for key in keys if key.startswith(prefix))
    return sorted(name for name in names if re.fullmatch(r"[a-z0-9_-]{1,64}", name))


def full_key(queue: str) -> str:
    """Set while a picker waits for room on this queue: to the number of messages that it wants to be left at most."""
    return f"scheduler:full:{queue}"


class Listener:
    """A thread that hears one channel and calls back; it reconnects for ever, and hearing again counts as a call."""

    def __init__(self, url: str, name: str, heard: Callable[[str], None]) -> None:
        self._redis = connect(url, timeout=5.0)
        self._name = name
        self._heard = heard
        self._stopped = threading.Event()
        self._thread = Worker(self._run, name=f"listener-{name}")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to leave; it does within a second."""
        self._stopped.set()

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopped.is_set():
            try:
                with reaching_redis():
                    self._listen(backoff)
            except QueueUnavailable:
                self._stopped.wait(backoff.next())
        self._redis.close()

    def _listen(self, backoff: Backoff) -> None:
        with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(channel(self._redis, self._name))
            backoff.reset()
            self._heard("")  # whatever was said while nobody listened
            while not self._stopped.is_set():
                message = cast("dict[str, Any] | None", pubsub.get_message(timeout=1.0))
                if message is not None:
                    self._heard(cast("bytes", message["data"]).decode("utf-8", "replace"))
