"""Statistics: how many jobs there are, and how the last hours went."""

from datetime import timedelta
from typing import Annotated, Final, Self

from flask import Response
from pydantic import Field

from scheduler.api.access import Access
from scheduler.api.fields import Output, UtcTime, example
from scheduler.api.identity import current_caller
from scheduler.api.queries import Query
from scheduler.api.resource import Resource, answer
from scheduler.api.services import recent, services
from scheduler.domain.states import JobStatus
from scheduler.domain.statistics import LONGEST_WINDOW_HOURS, Performance
from scheduler.store.counts import JobCounts, count_jobs
from scheduler.store.statistics import recent_performance

statistics: Final = Resource("statistics", "How many jobs there are, and how the last hours went.")


class StatsQuery(Query):
    """Of how many hours."""

    hours: Annotated[int, Field(ge=1, le=LONGEST_WINDOW_HOURS, description="The window of performance.")] = 24
    detailed: Annotated[bool, Field(description="Whether the timeline tells waits and durations as well.")] = False


class PercentilesOut(Output):
    """In milliseconds, within 5 %; null when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class PerformanceOut(Output):
    """How attempts went that ended within the window."""

    throughput_per_minute: Annotated[float, Field(description="Attempts that completed.")]
    success_rate: Annotated[
        float | None, Field(description="Completed among completed and failed attempts; null when there are none.")
    ]
    queue_wait_ms: Annotated[PercentilesOut, Field(description="From due to started, of each job's last attempt.")]
    duration_ms: PercentilesOut


class MomentOut(Output):
    """Attempts that ended in one stretch: five minutes in windows of up to 2 hours, one hour up to 72, else six."""

    at: Annotated[UtcTime, Field(description="Its beginning. The first is where the window begins.")]
    completed: int
    failed: Annotated[int, Field(description="Failed, timed out or lost.")]


class DetailedMomentOut(MomentOut):
    """The same, with how long they waited and took."""

    queue_wait_ms: PercentilesOut
    duration_ms: PercentilesOut


class StatsOut(Output):
    """The state of the whole, as the caller may see it."""

    model_config = example(
        {
            "status_counts": {
                "pending": 120,
                "picked": 0,
                "running": 4,
                "completed": 51234,
                "failed": 12,
                "cancelled": 3,
            },
            "task_types": {"api": 1040, "send_email": 50333},
            "performance": {
                "throughput_per_minute": 35.6,
                "success_rate": 0.998,
                "queue_wait_ms": {"p50": 2.1, "p95": 8.3, "p99": 41.0},
                "duration_ms": {"p50": 118.4, "p95": 310.2, "p99": 902.0},
            },
            "timeline": [{"at": "2026-02-19T10:00:00Z", "completed": 2136, "failed": 1}],
        }
    )

    status_counts: Annotated[dict[JobStatus, int], Field(description="Jobs by status, zeros included.")]
    task_types: Annotated[dict[str, int], Field(description="Jobs by task type.")]
    performance: PerformanceOut
    timeline: list[MomentOut | DetailedMomentOut]

    @classmethod
    def of(cls, counts: JobCounts, recent: Performance, *, detailed: bool) -> Self:
        moment_out = DetailedMomentOut if detailed else MomentOut
        status_counts, task_types = dict.fromkeys(JobStatus, 0), dict[str, int]()
        for (status, task_type), jobs in sorted(counts.items(), key=lambda item: item[0][1]):
            status_counts[status] += jobs
            task_types[task_type] = task_types.get(task_type, 0) + jobs
        return cls(
            status_counts=status_counts,
            task_types=task_types,
            performance=PerformanceOut.model_validate(recent, from_attributes=True),
            timeline=[moment_out.model_validate(moment, from_attributes=True) for moment in recent.timeline],
        )


@statistics.get("/api/stats", Access.READ, {200: StatsOut}, problems=(422, 503))
def stats(query: StatsQuery) -> Response:
    """Show statistics.

    Counts are of this moment, or among very many jobs up to five seconds old; performance and timeline of the attempts
    that ended in the last `hours`.
    """
    caller = current_caller()
    with services().database.connection() as connection:
        counts = recent().get(("counts", caller), lambda: count_jobs(connection, caller), _jobs_counted)
        performance = recent_performance(connection, caller, timedelta(hours=query.hours))
    return answer(StatsOut.of(counts, performance, detailed=query.detailed))


def _jobs_counted(counts: JobCounts) -> int:
    return sum(jobs for (status, _), jobs in counts.items() if status is not JobStatus.COMPLETED)
