"""A peer's command line: `seed N` fills its queue, `wait N` prints how long the workers took; else it is a worker."""

import json
import os
import sys
import time
from collections.abc import Callable

from ticks import ticks

DATABASE_URL = os.environ["BENCH_DATABASE_URL"]
REDIS_URL = os.environ["BENCH_REDIS_URL"]


def main(
    seed: Callable[[int], object], is_drained: Callable[[], bool], work: Callable[[], object] | None = None
) -> None:
    """Do what the command line says; `is_drained` tells whether the peer, too, holds every job as done."""
    match sys.argv[1:]:
        case ["seed", count]:
            seed(int(count))
        case ["wait", count]:
            _wait(int(count), is_drained)
        case _:
            assert work, "its workers are started by a command of the peer's own"
            work()


def _wait(count: int, is_drained: Callable[[], bool]) -> None:
    while ticks()[0] < count:
        time.sleep(0.01)
    while not is_drained():
        time.sleep(0.002)
    count, first = ticks()
    sys.stdout.write(json.dumps({"seconds": (time.monotonic_ns() - first) / 1e9, "jobs": count}))
