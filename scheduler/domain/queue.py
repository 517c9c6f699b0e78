"""Queues: what holds them back, and what waits in them; and who serves them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` claims in any `per_seconds`."""

    count: int
    per_seconds: float


@dataclass(frozen=True, slots=True)
class Controls:
    """What holds a queue back."""

    paused: bool = False
    max_running: int | None = None
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue as it stands; the counts are of the jobs that the caller may see."""

    name: str
    controls: Controls
    pending_due: int
    pending_later: int
    picked: int
    running: int
    completed_24h: int
    failed_24h: int
    oldest_due_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorker:
    """A picker or an executor, as it announces itself; `queues` empty: every queue."""

    name: str
    kind: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...] = ()
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState(NewWorker):
    """One that lives: since when, when it last said so, and how many attempts it runs."""

    started_at: datetime
    heartbeat_age_seconds: float
    running: int
