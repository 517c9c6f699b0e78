"""Workers: the pickers and executors that live."""

from typing import Annotated, Any, Final, Self

from flask import Response
from pydantic import Field

from scheduler.api.access import Access
from scheduler.api.fields import Output, UtcTime, example
from scheduler.api.identity import current_caller
from scheduler.api.resource import Resource, answer
from scheduler.api.services import connection
from scheduler.domain.queue import WorkerState
from scheduler.store.workers import live_workers, running_jobs

workers: Final = Resource("workers", "The pickers and executors that live.")

_SHOWN: Final = 20

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "host-1.4711.5d4140",
    "kind": "executor",
    "host": "host-1",
    "pid": 4711,
    "version": "0.1.0",
    "queues": [],
    "capacity": 100,
    "running": 2,
    "running_jobs": [42, 43],
    "started_at": "2026-02-18T16:20:31.105822Z",
    "heartbeat_age_seconds": 1.2,
}


class WorkerOut(Output):
    """One that lives."""

    model_config = example(_EXAMPLE)

    name: Annotated[str, Field(description="As its attempts have it in `worker`.")]
    kind: Annotated[str, Field(description="picker or executor.")]
    host: str
    pid: int
    version: str
    queues: Annotated[list[str], Field(description="Those that it serves, in its order; none: every queue.")]
    capacity: Annotated[int | None, Field(description="Attempts that it can run at once; a picker runs none.")]
    running: Annotated[int, Field(description="Attempts that it runs now.")]
    running_jobs: Annotated[list[int], Field(description=f"Jobs among them that one may see, {_SHOWN} at most.")]
    started_at: UtcTime
    heartbeat_age_seconds: Annotated[float, Field(description="Since it last said that it lives.")]

    @classmethod
    def of(cls, worker: WorkerState, running: list[int]) -> Self:
        return cls(
            name=worker.name,
            kind=worker.kind,
            host=worker.host,
            pid=worker.pid,
            version=worker.version,
            queues=list(worker.queues),
            capacity=worker.capacity,
            running=worker.running,
            running_jobs=running,
            started_at=worker.started_at,
            heartbeat_age_seconds=worker.heartbeat_age_seconds,
        )


class WorkersOut(Output):
    """All that live."""

    model_config = example({"workers": [_EXAMPLE]})

    workers: list[WorkerOut]


@workers.get("/api/workers", Access.READ, {200: WorkersOut}, problems=(503,))
def list_workers() -> Response:
    """List pickers and executors that live.

    Each says so every 5 seconds; who has not for 20 is gone.
    """
    with connection() as conn:
        running = running_jobs(conn, current_caller(), limit=_SHOWN)
        rows = [WorkerOut.of(each, running.get(each.name, [])) for each in live_workers(conn)]
    return answer(WorkersOut(workers=rows))
