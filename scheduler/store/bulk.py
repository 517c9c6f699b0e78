"""The same done to many jobs, and for each one that it was not done to, why."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, IllegalTransition, NotFound
from scheduler.domain.job import BulkOutcome, Skipped
from scheduler.domain.listing import JobFilter
from scheduler.domain.states import Event, JobStatus, sources
from scheduler.store import transitions
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.filters import OWNED, conditions, ownership
from scheduler.store.removal import delete_failed

MAX_JOBS: Final = 10_000
"""At once."""

_MATCHING: Final = sql.SQL("SELECT id FROM jobs WHERE {} ORDER BY id LIMIT %(limit)s")


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs to do something to, MAX_JOBS at most; `has_more` when it could be done to others, too."""

    ids: list[int]
    has_more: bool


def select(conn: Connection, caller: Caller, wanted: JobFilter, statuses: Collection[JobStatus]) -> Selection:
    """The jobs that `wanted` describes: those in one of `statuses` first, then others, to be skipped.

    So whoever asks again and again comes to the end.
    """
    found = _matching(conn, caller, wanted.among(statuses), MAX_JOBS + 1)
    ids, has_more = found[:MAX_JOBS], len(found) > MAX_JOBS
    others = wanted.among([status for status in JobStatus if status not in statuses])
    return Selection(ids + _matching(conn, caller, others, MAX_JOBS - len(ids)), has_more)


def _matching(conn: Connection, caller: Caller, wanted: JobFilter | None, limit: int) -> list[int]:
    if wanted is None or limit == 0:
        return []
    asked = conditions(caller, wanted)
    statement = _MATCHING.format(asked.sql)
    return [row[0] for row in conn.execute(statement, {**asked.parameters, "limit": limit}).fetchall()]


def cancel_jobs(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Cancel those of these jobs that have not ended."""
    able, skipped = _sorted_out(conn, caller, ids, sources(Event.CANCEL), _cannot(Event.CANCEL))
    cancelled = transitions.cancel_free(conn, caller, able)
    for job_id in [job_id for job_id in able if job_id not in cancelled]:
        try:
            cancelled[job_id] = transitions.cancel(conn, caller, job_id).started_at is not None
        except (NotFound, Conflict) as refusal:
            skipped.append(Skipped(job_id, str(refusal)))
    return BulkOutcome(_in_order(ids, cancelled), skipped, [job_id for job_id, ran in cancelled.items() if ran])


def retry_jobs(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Send those of these jobs round again that have failed or were cancelled."""
    return _retry(conn, caller, ids, sources(Event.RETRY), _cannot(Event.RETRY))


def retry_dead_letters(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Send those of these jobs round again that have failed."""
    return _retry(conn, caller, ids, {JobStatus.FAILED}, _is_no_dead_letter)


def delete_dead_letters(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Remove those of these jobs that have failed, with their history."""
    able, skipped = _sorted_out(conn, caller, ids, {JobStatus.FAILED}, _is_no_dead_letter)
    deleted = set(delete_failed(conn, caller, able))
    overtaken = [job_id for job_id in able if job_id not in deleted]
    return BulkOutcome(_in_order(ids, deleted), [*skipped, *map(_overtaken, overtaken)])


def _retry(
    conn: Connection,
    caller: Caller,
    ids: Sequence[int],
    statuses: Collection[JobStatus],
    refusal: Callable[[JobStatus], str],
) -> BulkOutcome:
    able, skipped = _sorted_out(conn, caller, ids, statuses, refusal)
    retried, barred = transitions.retry_many(conn, caller, able, statuses)
    skipped += [Skipped(job_id, transitions.KEY_HAS_PASSED) for job_id in barred]
    overtaken = set(able).difference(retried, barred)
    return BulkOutcome(_in_order(ids, set(retried)), [*skipped, *map(_overtaken, sorted(overtaken))])


_STATUSES: Final = f"SELECT id, status::text FROM jobs WHERE id = ANY (%(ids)s) AND {OWNED}"


def _sorted_out(
    conn: Connection,
    caller: Caller,
    ids: Sequence[int],
    statuses: Collection[JobStatus],
    refusal: Callable[[JobStatus], str],
) -> tuple[list[int], list[Skipped]]:
    """Those of these jobs that stand in one of `statuses`, and the others with the reason against them."""
    stands = {row[0]: JobStatus(row[1]) for row in fetch_all(conn, _STATUSES, {"ids": list(ids), **ownership(caller)})}
    able = [job_id for job_id in ids if stands.get(job_id) in statuses]
    skipped = [
        Skipped(job_id, refusal(stands[job_id]) if job_id in stands else f"There is no job {job_id}.")
        for job_id in ids
        if stands.get(job_id) not in statuses
    ]
    return able, skipped


def _cannot(event: Event) -> Callable[[JobStatus], str]:
    return lambda status: str(IllegalTransition(event=event.value, current_status=status.value))


def _is_no_dead_letter(status: JobStatus) -> str:
    return f"A {status} job is no dead letter."


def _overtaken(job_id: int) -> Skipped:
    return Skipped(job_id, "Somebody else was first: it has changed just now.")


def _in_order(ids: Sequence[int], chosen: Collection[int]) -> list[int]:
    return [job_id for job_id in ids if job_id in chosen]
