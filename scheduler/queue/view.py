"""What lies in Redis, as RQ has it: for admins who want to see for themselves, and to put it right."""

# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rq import Queue, Worker
from rq.serializers import JSONSerializer

from scheduler.queue.connection import connect, reaching_redis
from scheduler.queue.messages import queue_names

_SHOWN: Final = 20
_TIMEOUT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message: what it says of the jobs in it, and since when it waits."""

    id: str
    description: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class QueueInRedis:
    """A queue: how many messages wait, the first of them, and how many each registry holds."""

    name: str
    depth: int
    first: list[Message]
    registries: dict[str, int]


@dataclass(frozen=True, slots=True)
class WorkerInRedis:
    """A worker as it announced itself."""

    name: str
    state: str
    queues: list[str]
    last_heartbeat: datetime | None


class RedisView:
    """Looks, and does what an admin asks for; jobs are PostgreSQL's, so it loses none. Raises QueueUnavailable."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url, timeout=_TIMEOUT_SECONDS)

    def queues(self) -> list[QueueInRedis]:
        """All queues that RQ knows."""
        with reaching_redis():
            return [self._queue(name) for name in queue_names(self._redis)]

    def workers(self) -> list[WorkerInRedis]:
        """All workers that live."""
        with reaching_redis():
            found = Worker.all(connection=self._redis, serializer=JSONSerializer)
            return [
                WorkerInRedis(each.name, str(each.get_state()), each.queue_names(), _utc(each.last_heartbeat))
                for each in found
            ]

    def empty(self, name: str) -> int:
        """Drop the messages of a queue; the jobs in them are claimed again when their leases run out."""
        with reaching_redis():
            queue = self._of(name)
            count = queue.count
            queue.empty()
            return count

    def requeue(self, name: str) -> int:
        """Put messages that RQ holds for failed back on their queue; how many."""
        with reaching_redis():
            registry = self._of(name).failed_job_registry
            ids = registry.get_job_ids()
            for each in ids:
                registry.requeue(each)
            return len(ids)

    def close(self) -> None:
        self._redis.close()

    def _of(self, name: str) -> Queue:
        return Queue(name, connection=self._redis, serializer=JSONSerializer)

    def _queue(self, name: str) -> QueueInRedis:
        queue = self._of(name)
        first = [Message(each.id, each.description or "", _utc(each.enqueued_at)) for each in queue.get_jobs(0, _SHOWN)]
        registries = {
            "started": queue.started_job_registry.count,
            "finished": queue.finished_job_registry.count,
            "failed": queue.failed_job_registry.count,
            "deferred": queue.deferred_job_registry.count,
            "scheduled": queue.scheduled_job_registry.count,
            "canceled": queue.canceled_job_registry.count,
        }
        return QueueInRedis(name, queue.count, first, registries)


def _utc(moment: datetime | None) -> datetime | None:
    return moment and (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
