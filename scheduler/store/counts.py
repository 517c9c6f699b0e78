"""How many jobs there are."""

from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.states import JobStatus
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.filters import OWNED, ownership

JobCounts = dict[tuple[JobStatus, str], int]
"""Jobs by status and task type, where there are any."""

_COUNT: Final = f"""
    SELECT status::text, task_type, sum(jobs)::bigint
    FROM (
        SELECT 'completed'::job_status AS status, task_type, jobs FROM completed_counts WHERE {OWNED}
        UNION ALL
        SELECT settled_as, task_type, count(*) FROM jobs
        WHERE settled_as IN ('pending', 'failed', 'cancelled') AND {OWNED} GROUP BY settled_as, task_type
        UNION ALL
        SELECT status, task_type, count(*) FROM jobs
        WHERE lease_until IS NULL AND NOT settled AND {OWNED} GROUP BY status, task_type
        UNION ALL
        SELECT status, task_type, count(*) FROM jobs
        WHERE lease_until IS NOT NULL AND {OWNED} GROUP BY status, task_type
    ) AS counted
    GROUP BY status, task_type HAVING sum(jobs) > 0"""


def count_jobs(conn: Connection, caller: Caller) -> JobCounts:
    """How many there are of each status and task type this moment; reads an index of all but the completed ones."""
    rows = fetch_all(conn, _COUNT, ownership(caller))
    return {(JobStatus(status), task_type): jobs for status, task_type, jobs in rows}


def jobs_by_status(conn: Connection, caller: Caller) -> dict[JobStatus, int]:
    """Jobs in each status, zeros included."""
    counts = dict.fromkeys(JobStatus, 0)
    for (status, _), jobs in count_jobs(conn, caller).items():
        counts[status] += jobs
    return counts
