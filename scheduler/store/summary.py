"""A summary of the jobs that one job's owner may see."""

from datetime import timedelta
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.states import JobStatus
from scheduler.domain.summary import JobsSummary
from scheduler.store.connection import Connection, fetch_one
from scheduler.store.counts import count_jobs
from scheduler.store.statistics import recent_performance

_OWNER: Final = "SELECT owner_id, now() FROM jobs WHERE id = %(job_id)s"


def summarise_for(conn: Connection, job_id: int, window: timedelta) -> JobsSummary | None:
    """All jobs of the owner of job `job_id`, and how those of the last `window` went; None when that job is gone."""
    row = fetch_one(conn, _OWNER, {"job_id": job_id})
    if row is None:
        return None
    owner_id, now = row
    owner = Caller(owner_id)
    status_counts, task_types = dict.fromkeys(JobStatus, 0), dict[str, int]()
    for (status, task_type), jobs in sorted(count_jobs(conn, owner).items(), key=lambda item: item[0][1]):
        status_counts[status] += jobs
        task_types[task_type] = task_types.get(task_type, 0) + jobs
    recent = recent_performance(conn, owner, window)
    return JobsSummary(recent.timeline[0].at, now, status_counts, task_types, recent)
