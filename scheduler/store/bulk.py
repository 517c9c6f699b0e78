"""The same done to many jobs, and for each one that it was not done to, why."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.errors import Conflict, IllegalTransition, NotFound
from scheduler.domain.job import BulkOutcome, Skipped
from scheduler.domain.listing import JobFilter
from scheduler.domain.states import Event, JobStatus, sources
from scheduler.store import transitions
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.filters import OWNED, ownership
from scheduler.store.lists import list_ids
from scheduler.store.removal import delete_failed

MAX_JOBS: Final = 10_000
"""At once."""


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
    return [] if wanted is None or limit == 0 else list_ids(conn, caller, wanted, limit=limit)


def cancel_jobs(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Cancel those of these jobs that have not ended."""
    sorted_out = _sorted_out(conn, caller, ids, sources(Event.CANCEL), _cannot(Event.CANCEL))
    cancelled = transitions.cancel_free(conn, caller, sorted_out.able)
    for job_id in [job_id for job_id in sorted_out.able if job_id not in cancelled]:
        try:
            cancelled[job_id] = transitions.cancel(conn, caller, job_id).started_at is not None
        except (NotFound, Conflict) as refusal:
            sorted_out.skipped.append(Skipped(job_id, str(refusal)))
    return sorted_out.outcome(cancelled, [job_id for job_id, ran in cancelled.items() if ran])


def retry_jobs(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Send those of these jobs round again that have failed or were cancelled."""
    return _retry(conn, caller, ids, sources(Event.RETRY), _cannot(Event.RETRY))


def retry_dead_letters(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Send those of these jobs round again that have failed."""
    return _retry(conn, caller, ids, {JobStatus.FAILED}, _is_no_dead_letter)


def delete_dead_letters(conn: Connection, caller: Caller, ids: Sequence[int]) -> BulkOutcome:
    """Remove those of these jobs that have failed, with their history."""
    sorted_out = _sorted_out(conn, caller, ids, {JobStatus.FAILED}, _is_no_dead_letter)
    deleted = set(delete_failed(conn, caller, sorted_out.able))
    sorted_out.skipped.extend(_overtaken(job_id) for job_id in sorted_out.able if job_id not in deleted)
    return sorted_out.outcome(deleted)


_DUPLICATE: Final = f"""
    INSERT INTO jobs (owner_id, name, description, task_type, task_data, queue, priority, max_attempts, timeout_seconds,
                      retry_backoff, retry_delay_seconds, retry_max_delay_seconds, retry_jitter, concurrency_key,
                      duplicated_from, traceparent)
    SELECT %(owner_id)s, name, description, task_type, task_data, queue, priority, max_attempts, timeout_seconds,
           retry_backoff, retry_delay_seconds, retry_max_delay_seconds, retry_jitter, concurrency_key,
           id, %(traceparent)s
    FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS chosen (id, place) JOIN jobs USING (id)
    WHERE {OWNED}
    ORDER BY place
    RETURNING duplicated_from, id"""


def duplicate_jobs(
    conn: Connection, caller: Caller, ids: Sequence[int], *, traceparent: str | None = None
) -> tuple[BulkOutcome, list[int]]:
    """Copy these jobs, due now, as a duplicate of one is made; the ids of the copies, in the order of what is done."""
    sorted_out = _sorted_out(conn, caller, ids, {*JobStatus}, str)  # in whichever it stands
    parameters = {"ids": sorted_out.able, "traceparent": traceparent, **ownership(caller)}
    copies: dict[int, int] = dict(fetch_all(conn, _DUPLICATE, parameters))
    sorted_out.skipped.extend(_overtaken(job_id) for job_id in sorted_out.able if job_id not in copies)
    outcome = sorted_out.outcome(copies)
    return outcome, [copies[job_id] for job_id in outcome.done]


def _retry(
    conn: Connection,
    caller: Caller,
    ids: Sequence[int],
    statuses: Collection[JobStatus],
    refusal: Callable[[JobStatus], str],
) -> BulkOutcome:
    sorted_out = _sorted_out(conn, caller, ids, statuses, refusal)
    retried, barred = transitions.retry_many(conn, caller, sorted_out.able, statuses)
    sorted_out.skipped.extend(Skipped(job_id, transitions.KEY_HAS_PASSED) for job_id in barred)
    overtaken = set(sorted_out.able).difference(retried, barred)
    sorted_out.skipped.extend(map(_overtaken, sorted(overtaken)))
    return sorted_out.outcome(set(retried))


@dataclass(frozen=True, slots=True)
class _SortedOut:
    """Jobs by how they stand: those to which it can be done, in the order given, and the others with the reason."""

    stands: dict[int, JobStatus]
    able: list[int]
    skipped: list[Skipped]

    def outcome(self, done: Collection[int], stopped: Sequence[int] = ()) -> BulkOutcome:
        """What became of them, once it is `done` to these."""
        in_order = [job_id for job_id in self.able if job_id in done]
        stood = Counter(self.stands[job_id] for job_id in in_order)
        return BulkOutcome(in_order, self.skipped, stood, [*stopped])


_STATUSES: Final = f"SELECT id, status::text FROM jobs WHERE id = ANY (%(ids)s) AND {OWNED}"


def _sorted_out(
    conn: Connection,
    caller: Caller,
    ids: Sequence[int],
    statuses: Collection[JobStatus],
    refusal: Callable[[JobStatus], str],
) -> "_SortedOut":
    """These jobs by whether they stand in one of `statuses`; `refusal` is the reason against those that do not."""
    stands = {row[0]: JobStatus(row[1]) for row in fetch_all(conn, _STATUSES, {"ids": list(ids), **ownership(caller)})}
    able = [job_id for job_id in ids if stands.get(job_id) in statuses]
    skipped = [
        Skipped(job_id, refusal(stands[job_id]) if job_id in stands else f"There is no job {job_id}.")
        for job_id in ids
        if stands.get(job_id) not in statuses
    ]
    return _SortedOut(stands, able, skipped)


def _cannot(event: Event) -> Callable[[JobStatus], str]:
    return lambda status: str(IllegalTransition(event=event.value, current_status=status.value))


def _is_no_dead_letter(status: JobStatus) -> str:
    return f"A {status} job is no dead letter."


def _overtaken(job_id: int) -> Skipped:
    return Skipped(job_id, "Somebody else was first: it has changed just now.")
