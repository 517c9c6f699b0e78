"""Dramatiq over Redis: two processes of eight threads."""

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from peer import REDIS_URL, main
from ticks import tick

dramatiq.set_broker(RedisBroker(url=REDIS_URL))


@dramatiq.actor
def noop(number: int) -> None:
    tick()


def seed(count: int) -> None:
    for number in range(count):
        noop.send(number)


def is_drained() -> bool:
    with redis.Redis.from_url(REDIS_URL) as client:
        return not client.hlen("dramatiq:default.msgs")


if __name__ == "__main__":
    main(seed, is_drained)
