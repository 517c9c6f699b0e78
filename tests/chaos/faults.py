"""What breaks, and when: a seed gives the same sequence each time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 3.0
_LOOK_AGAIN_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` seconds after the first could happen, `what` befalls `target` for `seconds`."""

    at: float
    what: str
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:8.2f} s  {self.what} {self.target} ({self.seconds:.2f} s)"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how often beside the others, how long, and what its target needs to be itself again."""

    group: str
    what: str
    weight: int
    shortest: float
    longest: float
    recovery: float


def kinds(lease_seconds: float) -> Sequence[Kind]:
    """All there are. Of those that last, some are longer than the lease."""
    long = lease_seconds * 2
    return (
        Kind("process", "kill", 5, 0.2, 2.0, 3.0),
        Kind("process", "terminate", 3, 0.2, 2.0, 8.0),
        Kind("process", "freeze", 3, 0.2, long, 1.0),
        Kind("process", "freeze all of", 2, 0.2, long, 1.0),
        Kind("redis", "flush", 2, 0.0, 0.0, 0.5),
        Kind("redis", "restart", 1, 0.0, 0.0, 2.0),
        Kind("redis", "pause", 1, 0.5, long, 1.0),
        Kind("postgres", "restart", 1, 0.0, 0.0, 3.0),
        Kind("postgres", "kill backends of", 2, 0.0, 0.0, 0.5),
        Kind("postgres", "exhaust", 1, 0.5, 4.0, 1.0),
        Kind("postgres", "pause", 1, 0.2, long, 2.0),
        Kind("wire", "slow down", 1, 1.0, 4.0, 0.5),
        Kind("wire", "reset", 2, 0.0, 0.0, 0.5),
        Kind("wire", "deaden", 2, 0.5, long * 1.5, 0.5),
    )


GROUPS: Final = ("process", "redis", "postgres", "wire")


def plan(
    seed: int,
    seconds: float,
    targets: Mapping[str, Sequence[str]],
    lease_seconds: float,
    only: Collection[str] = GROUPS,
) -> Iterator[Fault]:
    """The faults of `seconds`, in order. `targets`: by group, what can be hit; nothing is hit twice at once.
    `only` these groups of faults, or these faults."""
    random = Random(seed)
    wanted = [kind for kind in kinds(lease_seconds) if not {kind.group, kind.what}.isdisjoint(only)]
    known = [kind for kind in wanted if targets[kind.group]]
    weights = [kind.weight for kind in known]
    busy: dict[str, float] = {}
    at = random.uniform(FIRST_PAUSE, LAST_PAUSE)
    while known and at < seconds:
        kind = random.choices(known, weights)[0]
        target = random.choice(targets[kind.group])
        length = random.uniform(kind.shortest, kind.longest)
        if busy.get(target, 0.0) <= at:
            busy[target] = at + length + kind.recovery
            yield Fault(round(at, 3), kind.what, target, round(length, 3))
            at += random.uniform(FIRST_PAUSE, LAST_PAUSE)
        else:
            at += _LOOK_AGAIN_SECONDS
