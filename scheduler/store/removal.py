"""How jobs leave: with their history, and never while somebody works on them."""

from collections.abc import Sequence
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict
from scheduler.store.connection import Connection, fetch_all, fetch_one
from scheduler.store.filters import OWNED, ownership
from scheduler.store.reads import get_status

_DELETE: Final = f"""
    DELETE FROM jobs WHERE id = %(id)s AND status NOT IN ('picked', 'running') AND {OWNED}
    RETURNING id"""

_DELETE_RECORDS: Final = "DELETE FROM executions WHERE job_id = ANY (%(ids)s)"
"""A statement of its own: it also sees a record that was written while the first one waited for the job's row."""


def delete_job(conn: Connection, caller: Caller, job_id: int) -> None:
    """Remove a job and its executions. Raises NotFound, Conflict while it is picked or running."""
    with conn.transaction():
        if fetch_one(conn, _DELETE, {"id": job_id, **ownership(caller)}):
            conn.execute(_DELETE_RECORDS, {"ids": [job_id]})
            return
    status = get_status(conn, caller, job_id)
    raise Conflict(f"A {status} job cannot be deleted: cancel it first.", current_status=status)


_DELETE_FAILED: Final = f"""
    DELETE FROM jobs WHERE status = 'failed' AND id = ANY (ARRAY(
        SELECT id FROM jobs WHERE id = ANY (%(ids)s) AND status = 'failed' AND {OWNED} ORDER BY id FOR UPDATE))
    RETURNING id"""


def delete_failed(conn: Connection, caller: Caller, ids: Sequence[int]) -> list[int]:
    """Remove those of these jobs that have failed, and their executions; answers with them."""
    with conn.transaction():
        deleted = [row[0] for row in fetch_all(conn, _DELETE_FAILED, {"ids": list(ids), **ownership(caller)})]
        conn.execute(_DELETE_RECORDS, {"ids": deleted})
    return deleted


_DELETE_ENDED: Final = """
    DELETE FROM jobs WHERE completed_at IS NOT NULL AND id = ANY (ARRAY(
        SELECT id FROM jobs
        WHERE settled_as IS NOT NULL AND completed_at < now() - make_interval(secs => %(age)s)
        ORDER BY completed_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED))
    RETURNING id"""


def delete_ended(conn: Connection, *, older_than_seconds: float, limit: int) -> int:
    """Remove up to `limit` jobs that ended so long ago, the oldest first, and their executions; how many there were."""
    with conn.transaction():
        deleted = [row[0] for row in fetch_all(conn, _DELETE_ENDED, {"age": older_than_seconds, "limit": limit})]
        conn.execute(_DELETE_RECORDS, {"ids": deleted})
    return len(deleted)
