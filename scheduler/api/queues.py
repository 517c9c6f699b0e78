"""Queues: what waits in them, and holding them back."""

from dataclasses import asdict
from typing import Annotated, Final, Self

from flask import Response
from pydantic import Field

from scheduler.api.access import Access
from scheduler.api.audited import tell
from scheduler.api.fields import Input, Output, QueueName, Seconds, example
from scheduler.api.identity import current_caller
from scheduler.api.intake import wake_pickers
from scheduler.api.resource import Resource, answer
from scheduler.api.services import connection, recent, services
from scheduler.domain.errors import QueueUnavailable
from scheduler.domain.queue import Controls, QueueState, RateLimit
from scheduler.store.connection import Connection
from scheduler.store.queues import all_controls, controls_of, limit_rate, limit_running, queue_states, set_paused
from scheduler.store.transitions import take_back

queues: Final = Resource("queues", "What waits in them, and holding them back.", kind="queue")

_EXAMPLE: Final = {
    "name": "mail",
    "paused": False,
    "pending_due": 12,
    "pending_later": 340,
    "picked": 4,
    "running": 8,
    "completed_24h": 51_230,
    "failed_24h": 12,
    "oldest_due_seconds": 1.4,
    "depth": 1,
    "max_running": 8,
    "rate_limit": {"count": 100, "per_seconds": 60.0},
}


class ByName(Input):
    """The path of one queue."""

    name: QueueName


class RateIn(Input):
    """At most `count` claims in any `per_seconds`, over all executors."""

    count: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    per_seconds: Annotated[Seconds, Field(gt=0, le=86_400)]


class LimitsIn(Input):
    """How to limit a queue: what is left out stays, and null clears it."""

    model_config = example({"max_running": 8, "rate_limit": {"count": 100, "per_seconds": 60}})

    max_running: Annotated[
        int | None,
        Field(strict=True, ge=1, le=1_000_000, description="Jobs of it that are picked or running at a time."),
    ] = None
    rate_limit: RateIn | None = None


class RateOut(Output):
    """At most `count` claims in any `per_seconds`."""

    count: int
    per_seconds: float


class QueueOut(Output):
    """A queue as it stands; counts are of the jobs that the caller may see."""

    model_config = example(_EXAMPLE)

    name: str
    paused: bool
    pending_due: int
    pending_later: int
    picked: int
    running: int
    completed_24h: Annotated[int, Field(description="Attempts that completed in the last 24 hours.")]
    failed_24h: Annotated[int, Field(description="Attempts that failed, timed out or were lost in the last 24 hours.")]
    oldest_due_seconds: Annotated[float | None, Field(description="How long the first in line has been due.")]
    depth: Annotated[int | None, Field(description="Messages that wait in Redis; null while that is away.")]
    max_running: int | None
    rate_limit: RateOut | None

    @classmethod
    def of(cls, queue: QueueState, depth: int | None) -> Self:
        rate = queue.controls.rate_limit
        return cls(
            name=queue.name,
            paused=queue.controls.paused,
            pending_due=queue.pending_due,
            pending_later=queue.pending_later,
            picked=queue.picked,
            running=queue.running,
            completed_24h=queue.completed_24h,
            failed_24h=queue.failed_24h,
            oldest_due_seconds=queue.oldest_due_seconds,
            depth=depth,
            max_running=queue.controls.max_running,
            rate_limit=None if rate is None else RateOut.model_validate(rate, from_attributes=True),
        )


class QueuesOut(Output):
    """Every queue that has jobs or is held back."""

    model_config = example({"queues": [_EXAMPLE]})

    queues: list[QueueOut]


@queues.get("/api/queue/stats", Access.READ, {200: QueuesOut}, problems=(503,))
def queue_stats() -> Response:
    """Show every queue, and what waits in it.

    Among very many jobs, counts may be up to five seconds old.
    """
    caller = current_caller()
    with connection() as conn:
        asked = ("queues", caller, all_controls(conn))  # whoever changed one is not told how it was before
        states = recent().get(asked, lambda: queue_states(conn, caller), _jobs_counted)
    depths = _depths([each.name for each in states])
    return answer(QueuesOut(queues=[QueueOut.of(each, depths.get(each.name)) for each in states]))


@queues.post("/api/queues/<name>/pause", Access.ADMIN, {200: QueueOut}, problems=(422, 503))
def pause_queue(path: ByName) -> Response:
    """Stop claiming from a queue.

    What runs goes on; what was claimed and has not started goes back. A queue not seen yet may be paused, too.
    """
    with connection() as conn:
        before = controls_of(conn, path.name)
        set_paused(conn, path.name, paused=True)
        take_back(conn, path.name)
        return _changed(conn, path.name, before)


@queues.post("/api/queues/<name>/resume", Access.ADMIN, {200: QueueOut}, problems=(422, 503))
def resume_queue(path: ByName) -> Response:
    """Start claiming from a queue again, at once."""
    with connection() as conn:
        before = controls_of(conn, path.name)
        set_paused(conn, path.name, paused=False)
        wake_pickers()
        return _changed(conn, path.name, before)


@queues.patch("/api/queues/<name>", Access.ADMIN, {200: QueueOut}, problems=(503,))
def limit_queue(path: ByName, body: LimitsIn) -> Response:
    """Limit a queue, over all executors.

    Of `max_running` no more jobs are picked or running at a time, of `rate_limit` no more are claimed in any such
    stretch of time. What has been claimed goes on. What is left out stays, and null clears it.
    """
    with connection() as conn:
        before = controls_of(conn, path.name)
        if "max_running" in body.model_fields_set:
            limit_running(conn, path.name, body.max_running)
        if "rate_limit" in body.model_fields_set:
            rate = body.rate_limit
            limit_rate(conn, path.name, RateLimit(rate.count, rate.per_seconds) if rate else None)
        wake_pickers()
        return _changed(conn, path.name, before)


def _changed(conn: Connection, name: str, before: Controls) -> Response:
    (state,) = queue_states(conn, current_caller(), name)
    tell(before={"name": name, **asdict(before)}, after=asdict(state.controls))
    return answer(QueueOut.of(state, _depths([name]).get(name)))


def _jobs_counted(states: list[QueueState]) -> int:
    return sum(each.pending_due + each.pending_later for each in states)


def _depths(names: list[str]) -> dict[str, int]:
    try:
        return services().signals.depths(names)
    except QueueUnavailable:
        return {}
