"""picked -> running -> completed, failed or pending again: an executor starts attempts and records how they ended."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from scheduler.domain.job import Attempt, AttemptKey, Completed, Failed
from scheduler.domain.retry import Backoff, RetryPolicy
from scheduler.store.connection import Connection, fetch_all
from scheduler.store.rows import from_json, to_array, to_json, to_text_array

_START: Final = """
    UPDATE jobs
    SET status = 'running', attempt = attempt + 1, run = run + 1, started_at = now(), updated_at = now(),
        worker = %(worker)s, progress = NULL,
        lease_until = CASE WHEN lease_until < now() + make_interval(secs => %(lease)s / 2)
                           THEN now() + make_interval(secs => %(lease)s) ELSE lease_until END
    WHERE id = ANY (%(ids)s::bigint[]) AND status = 'picked' AND next_run_at <= now()
      AND (expires_at IS NULL OR expires_at > now())
      AND queue = %(queue)s AND NOT EXISTS (SELECT FROM queue_controls WHERE name = %(queue)s AND paused)
    RETURNING id, run, attempt, max_attempts, task_type, task_data::text, timeout_seconds,
              retry_backoff::text, retry_delay_seconds, retry_max_delay_seconds, retry_jitter,
              extract(epoch FROM now() - next_run_at)::float8, extract(epoch FROM lease_until - now())::float8,
              concurrency_key IS NOT NULL
                  OR queue = ANY (ARRAY(SELECT name FROM queue_controls WHERE max_running IS NOT NULL)),
              traceparent"""


def start(conn: Connection, *, queue: str, ids: Sequence[int], worker: str, lease_seconds: float) -> list[Attempt]:
    """Begin an attempt at each of these picked jobs of a queue. One that is missing in the answer is not due yet
    (`backlog.due_later`), or was cancelled, rescued, moved to another queue, has expired, or was started by someone
    else; or the queue is paused, which a claim that was under way at that moment did not know (`give_back_paused`).

    A lease with half its time left is kept as it is: then the update touches no index (a HOT update).
    """
    parameters = {"queue": queue, "ids": to_array(ids), "worker": worker, "lease": lease_seconds}
    return [_attempt(row) for row in fetch_all(conn, _START, parameters, prepare=True)]


def _attempt(row: tuple[Any, ...]) -> Attempt:
    return Attempt(
        key=AttemptKey(row[0], row[1]),
        attempt=row[2],
        max_attempts=row[3],
        task_type=row[4],
        task_data=from_json(row[5]),
        timeout_seconds=row[6],
        retry=_retry_policy(*row[7:11]),
        lateness_seconds=row[11],
        lease_seconds=row[12],
        blocks_others=row[13],
        traceparent=row[14],
    )


@lru_cache(maxsize=1024)
def _retry_policy(backoff: str, delay: float, max_delay: float, jitter: bool) -> RetryPolicy:
    """Most jobs have one of a few policies."""
    return RetryPolicy(Backoff(backoff), delay, max_delay, jitter)


# Statements that end attempts name their ids twice, and hide the status from the planner in a coalesce(): he takes
# running jobs for rare, and would read the whole table for them, or compare each with every outcome.

_COMPLETE: Final = """
    WITH ended AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(runs)s::int[], %(durations)s::bigint[], %(ages)s::bigint[],
                             %(logs)s::text[], %(results)s::text[]) AS e(id, run, duration, age, logs, result)
    ), moved AS (
        UPDATE jobs
        SET status = 'completed', completed_at = greatest(started_at, now() - ended.age * interval '1 us'),
            updated_at = now(), lease_until = NULL, result = ended.result::jsonb, error = NULL
        FROM ended
        WHERE jobs.id = ANY (%(ids)s::bigint[]) AND jobs.id = ended.id AND jobs.run = ended.run
          AND coalesce(jobs.status = 'running', false)
        RETURNING jobs.id, jobs.run, attempt, started_at, completed_at, worker, jobs.result, duration, logs
    ), recorded AS (
        INSERT INTO executions
            (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, result, logs)
        SELECT id, run, attempt, 'completed', started_at, completed_at, duration / 1000::float8, worker, result,
               coalesce(logs::jsonb, '[]')
        FROM moved
    )
    SELECT id, run FROM moved"""


def complete(conn: Connection, outcomes: Sequence[Completed]) -> set[AttemptKey]:
    """Record that these attempts returned; answers with those that were still their executor's to record."""
    if not outcomes:
        return set()
    parameters = {**_endings(outcomes), "results": to_text_array(outcome.result for outcome in outcomes)}
    return _keys(fetch_all(conn, _COMPLETE, parameters))


_FAILED_ATTEMPTS: Final = """
    WITH ended AS (
        SELECT * FROM unnest(%(ids)s::bigint[], %(runs)s::int[], %(durations)s::bigint[], %(ages)s::bigint[],
                             %(logs)s::text[], %(statuses)s::text[], %(errors)s::text[], %(retry_in)s::float8[])
            AS e(id, run, duration, age, logs, status, error, retry_in)
    ), held AS (
        SELECT jobs.id, jobs.run, attempt, started_at, worker, duration, logs, ended.status AS ended_as, ended.error,
               retry_in, greatest(started_at, now() - age * interval '1 us') AS finished_at
        FROM jobs JOIN ended ON jobs.id = ended.id AND jobs.run = ended.run
        WHERE jobs.id = ANY (%(ids)s::bigint[]) AND coalesce(jobs.status = 'running', false)
        ORDER BY jobs.id
        FOR UPDATE OF jobs
    ), recorded AS (
        INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker, error, logs)
        SELECT id, run, attempt, ended_as::execution_status, started_at, finished_at, duration / 1000::float8, worker,
               error::jsonb, coalesce(logs::jsonb, '[]')
        FROM held
    )"""

_RETRY_LATER: Final = f"""{_FAILED_ATTEMPTS}
    UPDATE jobs
    SET status = 'pending', next_run_at = now() + make_interval(secs => held.retry_in), updated_at = now(),
        picked_at = NULL, started_at = NULL, lease_until = NULL, worker = NULL, error = held.error::jsonb
    FROM held
    WHERE jobs.id = held.id AND jobs.status = 'running'
    RETURNING jobs.id, jobs.run"""

_FAIL: Final = f"""{_FAILED_ATTEMPTS}
    UPDATE jobs
    SET status = 'failed', completed_at = held.finished_at, updated_at = now(), lease_until = NULL,
        error = held.error::jsonb
    FROM held
    WHERE jobs.id = held.id AND jobs.status = 'running'
    RETURNING jobs.id, jobs.run"""


def retry_later(conn: Connection, outcomes: Sequence[Failed]) -> set[AttemptKey]:
    """Record these attempts as failed and send their jobs round again; answers as `complete` does."""
    return _keys(fetch_all(conn, _RETRY_LATER, _failures(outcomes))) if outcomes else set()


def fail(conn: Connection, outcomes: Sequence[Failed]) -> set[AttemptKey]:
    """Record these attempts as failed and their jobs with them; answers as `complete` does."""
    return _keys(fetch_all(conn, _FAIL, _failures(outcomes))) if outcomes else set()


def _failures(outcomes: Sequence[Failed]) -> dict[str, str]:
    return {
        **_endings(outcomes),
        "statuses": to_text_array(outcome.status.value for outcome in outcomes),
        "errors": to_text_array(to_json(outcome.error) for outcome in outcomes),
        "retry_in": to_text_array(None if outcome.retry_in is None else str(outcome.retry_in) for outcome in outcomes),
    }


def _endings(outcomes: Sequence[Completed] | Sequence[Failed]) -> dict[str, str]:
    """The columns that all endings share, times in microseconds; a result that had to wait for the database is dated
    back by its age."""
    now = time.monotonic()
    return {
        "ids": to_array([outcome.key.job_id for outcome in outcomes]),
        "runs": to_array([outcome.key.run for outcome in outcomes]),
        "durations": to_array([int(outcome.duration_seconds * 1e6) for outcome in outcomes]),
        "ages": to_array([max(0, int((now - outcome.finished) * 1e6)) for outcome in outcomes]),
        "logs": to_text_array([to_json([*outcome.logs]) if outcome.logs else None for outcome in outcomes]),
    }


def _keys(rows: Sequence[tuple[Any, ...]]) -> set[AttemptKey]:
    return {AttemptKey(job_id, run) for job_id, run in rows}
