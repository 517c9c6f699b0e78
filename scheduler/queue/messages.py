"""Messages: RQ jobs whose one argument is a list of ids."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

import re
from collections.abc import Sequence
from typing import Final, cast

import redis
from rq import Queue
from rq.serializers import JSONSerializer

MESSAGE_FUNCTION: Final = "scheduler.executor.never_called"


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
