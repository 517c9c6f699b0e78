"""Impossible rows are refused by the database itself, each by the constraint that names the reason."""

from typing import LiteralString

import pytest
from psycopg import errors

from scheduler.domain.states import JobStatus
from scheduler.store.connection import Connection
from tests.integration.store.lives import created, job_row, led_to

PENDING, PICKED, RUNNING, COMPLETED, FAILED, CANCELLED = JobStatus

IMPOSSIBLE: list[tuple[str, JobStatus, LiteralString]] = [
    ("pending_is_untouched", PENDING, "picked_at = now()"),
    ("waiting_has_an_attempt_left", PENDING, "attempt = max_attempts, run = max_attempts"),
    ("live_has_a_lease", PENDING, "lease_until = now()"),
    ("live_has_a_lease", PICKED, "lease_until = NULL"),
    ("live_has_a_lease", RUNNING, "lease_until = NULL"),
    ("live_has_a_lease", COMPLETED, "lease_until = now()"),
    ("live_was_picked", RUNNING, "picked_at = NULL"),
    ("occurrence_is_of_a_schedule", PENDING, "occurrence_at = now()"),
    ("live_is_unsettled", PICKED, "settled = true"),
    ("live_is_unsettled", RUNNING, "settled = true"),
    ("ended_has_an_end", RUNNING, "completed_at = now()"),
    ("ended_has_an_end", COMPLETED, "completed_at = NULL"),
    ("ended_has_an_end", FAILED, "completed_at = NULL"),
    ("ended_has_an_end", CANCELLED, "completed_at = NULL"),
    ("running_has_started", RUNNING, "started_at = NULL"),
    ("running_has_started", RUNNING, "worker = NULL"),
    ("running_has_started", RUNNING, "attempt = 0"),
    ("completed_has_run", COMPLETED, "started_at = NULL"),
    ("completed_has_run", COMPLETED, "attempt = 0"),
    ("completed_has_run", COMPLETED, "error = '{}'"),
    ("failed_says_why", FAILED, "error = NULL"),
    ("result_only_when_completed", PENDING, "result = '1'"),
    ("result_only_when_completed", RUNNING, "result = '1'"),
    ("result_only_when_completed", FAILED, "result = '1'"),
    ("attempts_are_bounded", PENDING, "max_attempts = 0"),
    ("attempts_are_bounded", PENDING, "max_attempts = 101"),
    ("attempts_are_bounded", PENDING, "attempt = -1"),
    ("attempts_are_bounded", PENDING, "attempt = max_attempts + 1, run = 100"),
    ("attempts_are_bounded", RUNNING, "run = attempt - 1"),
    ("priority_is_known", PENDING, "priority = 0"),
    ("priority_is_known", PENDING, "priority = 10"),
    ("queue_is_named", PENDING, "queue = ''"),
    ("queue_is_named", PENDING, "queue = 'Big'"),
    ("queue_is_named", PENDING, "queue = 'with space'"),
    ("queue_is_named", PENDING, "queue = E'line\n'"),
    ("queue_is_named", PENDING, "queue = repeat('q', 65)"),
    ("timeout_is_positive", PENDING, "timeout_seconds = 0"),
    ("timeout_is_positive", PENDING, "timeout_seconds = 'infinity'"),
    ("timeout_is_positive", PENDING, "timeout_seconds = 'NaN'"),
    ("retry_is_sane", PENDING, "retry_delay_seconds = -1"),
    ("retry_is_sane", PENDING, "retry_delay_seconds = 'NaN'"),
    ("retry_is_sane", PENDING, "retry_max_delay_seconds = -1"),
    ("retry_is_sane", PENDING, "retry_max_delay_seconds = 'infinity'"),
    ("retry_is_sane", PENDING, "retry_max_delay_seconds = 'NaN'"),
    ("task_data_is_an_object", PENDING, "task_data = '[]'"),
    ("task_data_is_an_object", PENDING, "task_data = 'null'"),
    ("error_is_an_object", PENDING, "error = '\"text\"'"),
    ("error_is_an_object", FAILED, "error = 'null'"),
]

IMPOSSIBLE_RECORDS: list[tuple[str, LiteralString]] = [
    ("attempt_counts_from_one", "attempt = 0"),
    ("attempt_counts_from_one", "run = 0"),
    ("ends_after_it_starts", "finished_at = started_at - interval '1 s'"),
    ("ends_after_it_starts", "duration_ms = -1"),
    ("completed_has_no_error", "error = '{}'"),
    ("completed_has_no_error", "status = 'failed'"),
]


@pytest.mark.parametrize(("constraint", "status", "change"), IMPOSSIBLE)
def test_an_impossible_job_is_refused(
    conn: Connection, constraint: str, status: JobStatus, change: LiteralString
) -> None:
    job_id = led_to(conn, status)
    before = job_row(conn, job_id)
    with pytest.raises(errors.CheckViolation) as refused:
        conn.execute(f"UPDATE jobs SET {change}")
    assert refused.value.diag.constraint_name == constraint
    assert job_row(conn, job_id) == before


@pytest.mark.parametrize(("constraint", "change"), IMPOSSIBLE_RECORDS)
def test_an_impossible_record_is_refused(conn: Connection, constraint: str, change: LiteralString) -> None:
    led_to(conn, COMPLETED)
    with pytest.raises(errors.CheckViolation) as refused:
        conn.execute(f"UPDATE executions SET {change}")
    assert refused.value.diag.constraint_name == constraint


def test_no_constraint_is_forgotten_here(conn: Connection) -> None:
    rows = conn.execute(
        """SELECT conname FROM pg_constraint
        WHERE contype = 'c' AND conrelid IN ('jobs'::regclass, 'executions'::regclass)"""
    ).fetchall()
    tried = {name for name, *_ in IMPOSSIBLE} | {name for name, _ in IMPOSSIBLE_RECORDS}
    assert {name for (name,) in rows} == tried


@pytest.mark.parametrize("queue", ["a", "default", "a-b_9", "q" * 64])
def test_queues_with_good_names_are_welcome(conn: Connection, queue: str) -> None:
    job_id = created(conn)
    conn.execute("UPDATE jobs SET queue = %s", (queue,))
    assert job_row(conn, job_id)["queue"] == queue


def test_a_run_is_recorded_once(conn: Connection) -> None:
    led_to(conn, COMPLETED)
    with pytest.raises(errors.UniqueViolation) as refused:
        conn.execute(
            """INSERT INTO executions (job_id, run, attempt, status, started_at, finished_at, duration_ms, worker)
            SELECT job_id, run, attempt, status, started_at, finished_at, duration_ms, worker FROM executions"""
        )
    assert refused.value.diag.constraint_name == "executions_run"
