"""What the live executors can take, as they announce it."""
# redis-py and RQ leave their keyword arguments untyped, which strict mode reports at each call.
# pyright: reportUnknownMemberType=false

from dataclasses import dataclass
from typing import Final, cast

import redis
from rq.worker_registration import get_keys

LARGEST_MESSAGE: Final = 500
"""Ids in a message at the most: enough to spread what a message costs over many jobs."""
CAPACITY_FIELD: Final = "capacity"


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


def read_capacity(client: "redis.Redis") -> Capacity:
    """That of all who have not signed off, nor fallen silent."""
    keys = sorted(get_keys(connection=client))
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hmget(key, [CAPACITY_FIELD, "death"])
        answers = cast("list[list[bytes | None]]", pipeline.execute())
    slots = [int(capacity) for capacity, death in answers if capacity is not None and death is None]
    return Capacity(len(slots), sum(slots))
