"""RQ's own pool of two simple workers, which do not fork for each job."""

import redis
from peer import REDIS_URL, main
from rq import Queue
from ticks import tick

_BATCH = 500


def noop(number: int) -> None:
    tick()


def _queue() -> Queue:
    return Queue("default", connection=redis.Redis.from_url(REDIS_URL))


def seed(count: int) -> None:
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        _queue().enqueue_many([Queue.prepare_data("rq_peer.noop", (number,)) for number in numbers])


def is_drained() -> bool:
    queue = _queue()
    return not queue.count and not queue.started_job_registry.count


if __name__ == "__main__":
    main(seed, is_drained)
