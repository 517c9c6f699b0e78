"""What a holder says of its running attempts: I still have them, and this is how far they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.domain.job import AttemptKey, JsonObject
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.rows import to_json

_EXTEND: Final = """
    WITH mine AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(runs)s::int[]) AS m(id, run)
    ), extended AS (
        UPDATE jobs SET lease_until = now() + make_interval(secs => %(lease)s)
        WHERE status = 'running' AND id = ANY (ARRAY(
            SELECT jobs.id FROM jobs JOIN mine ON jobs.id = mine.id AND jobs.run = mine.run
            WHERE status = 'running'
            FOR UPDATE OF jobs SKIP LOCKED))  -- a locked one is being ended this moment, by its executor or another
        RETURNING id, run
    )
    SELECT id, run, true FROM extended
    UNION ALL
    SELECT mine.id, mine.run, false FROM mine
    WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = mine.id AND jobs.run = mine.run AND status = 'running')"""


@dataclass(frozen=True, slots=True)
class Extension:
    """Attempts whose leases were extended, and those that are no longer the caller's. Of a row that is locked this
    moment neither is known: its lease runs on as it was."""

    extended: frozenset[AttemptKey]
    gone: frozenset[AttemptKey]


def extend(conn: Connection, keys: Sequence[AttemptKey], *, lease_seconds: float) -> Extension:
    """Renew the leases of these attempts."""
    parameters = {"ids": [key.job_id for key in keys], "runs": [key.run for key in keys], "lease": lease_seconds}
    rows = fetch_all(conn, _EXTEND, parameters) if keys else []
    return Extension(
        extended=frozenset(AttemptKey(job_id, run) for job_id, run, is_extended in rows if is_extended),
        gone=frozenset(AttemptKey(job_id, run) for job_id, run, is_extended in rows if not is_extended),
    )


_RELEASE: Final = """
    UPDATE jobs SET lease_until = '-infinity'  -- let go, not lapsed: no outage can be the reason
    FROM unnest(%(ids)s::bigint[], %(runs)s::int[]) AS mine(id, run)
    WHERE jobs.id = mine.id AND jobs.run = mine.run AND status = 'running'"""


def release(conn: Connection, keys: Sequence[AttemptKey]) -> None:
    """Let the leases of these attempts run out now: their holder leaves without having ended them."""
    conn.execute(_RELEASE, {"ids": [key.job_id for key in keys], "runs": [key.run for key in keys]})


_REPORT: Final = """
    UPDATE jobs SET progress = p.progress::jsonb, updated_at = now()
    FROM unnest(%(ids)s::bigint[], %(runs)s::int[], %(progress)s::text[]) AS p(id, run, progress)
    WHERE jobs.id = p.id AND jobs.run = p.run AND status = 'running'"""


def report_progress(conn: Connection, progress: Mapping[AttemptKey, JsonObject]) -> None:
    """Show how far these attempts are on their jobs."""
    if progress:
        conn.execute(
            _REPORT,
            {
                "ids": [key.job_id for key in progress],
                "runs": [key.run for key in progress],
                "progress": [to_json(value) for value in progress.values()],
            },
        )
