"""How many jobs there are."""

from typing import Final

from scheduler.domain.states import JobStatus
from scheduler.store.connection import Connection, fetch_all

_BY_STATUS: Final = "SELECT status::text, count(*) FROM jobs GROUP BY status"


def jobs_by_status(conn: Connection) -> dict[JobStatus, int]:
    """Jobs in each status, zeros included; reads the whole table."""
    return dict.fromkeys(JobStatus, 0) | {JobStatus(status): count for status, count in fetch_all(conn, _BY_STATUS, {})}
