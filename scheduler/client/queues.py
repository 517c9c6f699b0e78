"""Queues: what waits in them, and holding them back."""

from typing import Any, Final, cast
from urllib.parse import quote

from scheduler.client.calls import Answer, Call, Page
from scheduler.client.models import Queue, one, page
from scheduler.client.noun import Noun, S_co, endpoint
from scheduler.domain.job import JsonObject

KEEP: Final = cast("Any", object())
"""In place of a limit: leave it as it is."""


def _queues(answer: Answer) -> tuple[Queue, ...]:
    found: Page[Queue] = page(Queue, "queues")(answer)
    return tuple(found.items)


class Queues(Noun[S_co]):
    """Queues: what waits in them, and holding them back."""

    @endpoint
    @staticmethod
    def stats() -> Call[tuple[Queue, ...]]:
        """Every queue, with what waits in it."""
        return Call("GET", "/api/queue/stats", _queues)

    @endpoint
    @staticmethod
    def pause(name: str) -> Call[Queue]:
        """Stop claiming from a queue; what runs goes on."""
        return Call("POST", f"/api/queues/{quote(name, safe='')}/pause", one(Queue), again=True)

    @endpoint
    @staticmethod
    def resume(name: str) -> Call[Queue]:
        """Start claiming from a queue again, at once."""
        return Call("POST", f"/api/queues/{quote(name, safe='')}/resume", one(Queue), again=True)

    @endpoint
    @staticmethod
    def limit(name: str, *, max_running: int | None = KEEP, rate: tuple[int, float] | None = KEEP) -> Call[Queue]:
        """Bound a queue over all executors: jobs at a time, and starts as `(count, per_seconds)`; None clears one."""
        body: JsonObject = {}
        if max_running is not KEEP:
            body["max_running"] = max_running
        if rate is not KEEP:
            body["rate_limit"] = None if rate is None else {"count": rate[0], "per_seconds": rate[1]}
        return Call("PATCH", f"/api/queues/{quote(name, safe='')}", one(Queue), body=body)
