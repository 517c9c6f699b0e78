"""Celery over Redis: two prefork processes, results ignored, prefetching 128."""

import redis
from celery import Celery
from peer import REDIS_URL, main
from ticks import tick

app = Celery("celery_peer", broker=REDIS_URL)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=128, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(number: int) -> None:
    tick()


def seed(count: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            noop.apply_async((number,), producer=producer)


def is_drained() -> bool:
    with redis.Redis.from_url(REDIS_URL) as client:
        return not client.llen("celery") and not client.hlen("unacked")


if __name__ == "__main__":
    main(seed, is_drained)
