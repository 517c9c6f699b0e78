"""Schedules in the database: jobs from occurrences, once each, and what changes take back."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import InvalidInput, NotFound
from scheduler.domain.job import NewJob
from scheduler.domain.listing import PageRequest
from scheduler.domain.retry import Backoff, RetryPolicy
from scheduler.domain.schedule import NewSchedule, Overlap, Schedule, Timing, take_turn
from scheduler.domain.states import JobStatus
from scheduler.store import transitions
from scheduler.store.connection import Connection, Database
from scheduler.store.occurrences import due_schedules, make_jobs, seconds_to_next
from scheduler.store.reads import get_job, get_schedule, list_schedules
from scheduler.store.schedules import change_schedule, create_schedule, delete_schedule, trigger_schedule
from tests.eventually import eventually
from tests.integration.store.lives import begun_again, claimed, completed, job_row

STRANGER = Caller(owner_id=99)
SECOND = timedelta(seconds=1)
JOB = NewJob(name="nightly", task_type="note", task_data={"text": "hello"})


def new(cron: str = "* * * * * *", *, enabled: bool = True, job: NewJob = JOB, **timing: Any) -> NewSchedule:
    return NewSchedule(timing=Timing(cron=cron, **timing), job=job, enabled=enabled)


def created(conn: Connection, cron: str = "* * * * * *", **options: Any) -> Schedule:
    return create_schedule(conn, OPERATOR, new(cron, **options))


def make(conn: Connection, limit: int = 100) -> int:
    """What a picker does for the schedules that are due."""
    with conn.transaction():
        turns = [take_turn(due) for due in due_schedules(conn, limit=limit)]
        return make_jobs(conn, turns) if turns else 0


def moved(conn: Connection, schedule_id: int, next_at: datetime) -> None:
    """Let the next occurrence of a schedule be this one."""
    conn.execute(
        "UPDATE schedules SET next_at = %(at)s, make_at = %(at)s - CASE overlap WHEN 'skip' THEN '0' ELSE '5 s' END"
        "::interval WHERE id = %(id)s",
        {"id": schedule_id, "at": next_at},
    )


def now(conn: Connection) -> datetime:
    row = conn.execute("SELECT date_trunc('second', clock_timestamp())").fetchone()
    assert row is not None
    return row[0].astimezone(UTC)


def occurrences(conn: Connection, schedule_id: int) -> list[datetime]:
    rows = conn.execute("SELECT occurrence_at FROM jobs WHERE schedule_id = %s ORDER BY 1", (schedule_id,))
    return [at.astimezone(UTC) for (at,) in rows]


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_its_schedules(conn: Connection) -> None:
    job = NewJob(
        name="n",
        task_type="note",
        task_data={"deep": [1, {"é": None}]},
        queue="mails",
        priority=2,
        max_attempts=9,
        timeout_seconds=1.5,
        retry=RetryPolicy(Backoff.LINEAR, 1.0, 2.0, False),
        concurrency_key="k",
    )
    schedule = create_schedule(conn, Caller(owner_id=5), new(job=job))
    assert make(conn) >= 5
    for job_id, at in conn.execute("SELECT id, occurrence_at FROM jobs").fetchall():
        made = get_job(conn, Caller(owner_id=5), job_id)
        assert made.scheduled_at == made.next_run_at == at
        assert (made.owner_id, made.schedule_id) == (5, schedule.id)
        assert replace(job, schedule_id=schedule.id, scheduled_at=at) == NewJob(
            name=made.name,
            task_type=made.task_type,
            task_data=made.task_data,
            queue=made.queue,
            priority=made.priority,
            scheduled_at=made.scheduled_at,
            max_attempts=made.max_attempts,
            timeout_seconds=made.timeout_seconds,
            retry=made.retry,
            concurrency_key=made.concurrency_key,
            schedule_id=made.schedule_id,
        )


def test_making_moves_on(conn: Connection) -> None:
    schedule = created(conn)
    assert schedule.next_at is not None
    seconds = seconds_to_next(conn)
    assert seconds is not None
    assert -6 < seconds <= -4
    make(conn)
    at = occurrences(conn, schedule.id)
    assert at == [schedule.next_at + SECOND * n for n in range(len(at))]
    assert get_schedule(conn, OPERATOR, schedule.id).next_at == at[-1] + SECOND
    assert get_schedule(conn, OPERATOR, schedule.id).updated_at == schedule.updated_at
    assert (seconds_to_next(conn) or 0) > -1


def test_an_occurrence_that_has_a_job_gets_no_other(conn: Connection) -> None:
    """As if a picker had made it, and its moving on had been lost."""
    schedule = created(conn)
    assert schedule.next_at is not None
    first = make(conn)
    moved(conn, schedule.id, schedule.next_at)
    again = make(conn)
    at = occurrences(conn, schedule.id)
    assert len(at) == len({*at}) == first + again


def test_a_crash_between_the_two_leaves_neither(conn: Connection) -> None:
    schedule = created(conn)
    with suppress(ZeroDivisionError), conn.transaction():
        assert make_jobs(conn, [take_turn(due) for due in due_schedules(conn, limit=1)])
        raise ZeroDivisionError
    assert occurrences(conn, schedule.id) == []
    assert get_schedule(conn, OPERATOR, schedule.id).next_at == schedule.next_at


def test_two_pickers_take_different_schedules(conn: Connection, db: Database) -> None:
    ids = {created(conn).id for _ in range(4)}
    with db.connection() as other, conn.transaction(), other.transaction():
        mine = {due.id for due in due_schedules(conn, limit=3)}
        theirs = {due.id for due in due_schedules(other, limit=3)}
    assert len(mine) == 3
    assert mine | theirs == ids
    assert not mine & theirs


def test_paused_and_ended_ones_are_never_due(conn: Connection) -> None:
    created(conn, enabled=False)
    created(conn, ends_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert seconds_to_next(conn) is None
    assert make(conn) == 0


def test_the_last_occurrence_ends_it(conn: Connection) -> None:
    at = now(conn) + 2 * SECOND
    schedule = created(conn, starts_at=at, ends_at=at)
    assert make(conn) == 1
    assert occurrences(conn, schedule.id) == [at]
    assert seconds_to_next(conn) is None


@pytest.mark.parametrize("status", list(JobStatus))
def test_overlap_looks_at_how_the_job_before_stands(conn: Connection, status: JobStatus) -> None:
    schedule = created(conn, "@hourly", overlap=Overlap.SKIP)
    job_id = trigger_schedule(conn, OPERATOR, schedule.id).id
    lead(conn, job_id, status)
    moved(conn, schedule.id, now(conn))
    ended = status in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
    assert make(conn) == (1 if ended else 0)
    assert make(conn) == 0


def lead(conn: Connection, job_id: int, status: JobStatus) -> None:
    if status is JobStatus.CANCELLED:
        transitions.cancel(conn, OPERATOR, job_id)
    elif status is JobStatus.PICKED:
        claimed(conn)
    elif status is not JobStatus.PENDING:
        key = begun_again(conn, job_id)
        if status is JobStatus.COMPLETED:
            transitions.complete(conn, [completed(key)])
        elif status is JobStatus.FAILED:
            conn.execute("UPDATE jobs SET max_attempts = 1 WHERE id = %s", (job_id,))
            conn.execute("UPDATE jobs SET lease_until = '-infinity' WHERE id = %s", (job_id,))
            transitions.bury(conn, limit=1, lease_seconds=0)
    assert job_row(conn, job_id)["status"] == status


# ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def edit(conn: Connection, schedule: Schedule, **timing: Any) -> Schedule:
    return change_schedule(conn, OPERATOR, schedule.id, lambda old: replace(old, timing=replace(old.timing, **timing)))


def switch(conn: Connection, schedule: Schedule, *, enabled: bool) -> Schedule:
    return change_schedule(conn, OPERATOR, schedule.id, lambda old: replace(old, enabled=enabled))


def test_a_new_rule_neither_repeats_nor_loses_the_occurrence_that_is_next_under_it(conn: Connection) -> None:
    """Both rules name the same seconds: jobs that were made ahead are made again, and those that run are not."""
    schedule = created(conn)
    make(conn)
    before = occurrences(conn, schedule.id)
    edit(conn, schedule, cron="*/1 * * * * *")
    make(conn)
    after = occurrences(conn, schedule.id)
    assert after[: len(before)] == before
    assert after == [before[0] + SECOND * n for n in range(len(after))]


def test_a_new_rule_holds_from_now_on(conn: Connection) -> None:
    schedule = created(conn)
    make(conn)
    changed = edit(conn, schedule, cron="0 0 1 1 *")
    assert occurrences(conn, schedule.id) == [at for at in occurrences(conn, schedule.id) if at <= changed.seen_at]
    assert changed.next_at is not None
    assert (changed.next_at.month, changed.next_at.day) == (1, 1)


def test_a_job_that_started_stays(conn: Connection) -> None:
    schedule = created(conn)
    make(conn)
    conn.execute("UPDATE jobs SET next_run_at = now() - interval '1 s'")
    taken = claimed(conn, limit=2)
    assert len(taken) == 2
    switch(conn, schedule, enabled=False)
    assert [job_id for (job_id,) in conn.execute("SELECT id FROM jobs ORDER BY id")] == sorted(taken)


def test_a_job_that_has_run_before_stays(conn: Connection) -> None:
    """It failed once and waits for its next attempt: no pause takes that back."""
    schedule = created(conn)
    make(conn)
    conn.execute("DELETE FROM jobs WHERE id <> (SELECT min(id) FROM jobs)")
    conn.execute("UPDATE jobs SET run = 1, attempt = 1")
    switch(conn, schedule, enabled=False)
    assert len(occurrences(conn, schedule.id)) == 1


def test_a_pause_takes_back_what_has_not_started_and_a_resume_goes_on_from_now(conn: Connection) -> None:
    schedule = created(conn)
    moved(conn, schedule.id, now(conn) - 2 * SECOND)
    assert make(conn) >= 6
    triggered = trigger_schedule(conn, OPERATOR, schedule.id).id
    paused = switch(conn, schedule, enabled=False)
    assert paused.next_at is None
    assert [job_id for (job_id,) in conn.execute("SELECT id FROM jobs")] == [triggered]
    resumed = switch(conn, schedule, enabled=True)
    assert resumed.next_at is not None
    assert timedelta() < resumed.next_at - resumed.seen_at <= SECOND


def test_an_edit_leaves_jobs_that_are_due(conn: Connection) -> None:
    schedule = created(conn)
    moved(conn, schedule.id, now(conn) - 2 * SECOND)
    make(conn)
    changed = edit(conn, schedule, cron="@yearly")
    left = occurrences(conn, schedule.id)
    assert len(left) >= 2
    assert all(at <= changed.seen_at for at in left)


def test_another_task_is_that_of_all_jobs_to_come(conn: Connection) -> None:
    schedule = created(conn)
    make(conn)
    other = replace(JOB, task_data={"text": "bye"})
    changed = change_schedule(conn, OPERATOR, schedule.id, lambda old: replace(old, job=other))
    make(conn)
    rows = conn.execute("SELECT task_data ->> 'text' FROM jobs WHERE occurrence_at > %s", (changed.seen_at,)).fetchall()
    assert len(rows) >= 5
    assert {*rows} == {("bye",)}


def test_what_was_missed_still_awaits_its_judgement_after_another_name(conn: Connection) -> None:
    schedule = created(conn, "@hourly")
    missed = now(conn).replace(minute=0, second=0) - timedelta(days=1)
    moved(conn, schedule.id, missed)
    renamed = change_schedule(conn, OPERATOR, schedule.id, lambda old: replace(old, job=replace(JOB, name="other")))
    assert renamed.next_at == missed
    assert edit(conn, schedule, cron="30 * * * *").next_at != missed


def test_a_wrong_change_changes_nothing(conn: Connection) -> None:
    schedule = created(conn)
    make(conn)
    before = occurrences(conn, schedule.id)
    with pytest.raises(InvalidInput):
        edit(conn, schedule, timezone="Mars/Olympus")
    assert occurrences(conn, schedule.id) == before
    assert get_schedule(conn, OPERATOR, schedule.id).timing == schedule.timing


def test_a_removed_schedule_leaves_what_has_started(conn: Connection) -> None:
    schedule = created(conn)
    make(conn)
    trigger_schedule(conn, OPERATOR, schedule.id)
    (started,) = claimed(conn, limit=1)
    delete_schedule(conn, OPERATOR, schedule.id)
    assert [job_id for (job_id,) in conn.execute("SELECT id FROM jobs")] == [started]
    assert get_job(conn, OPERATOR, started).schedule_id == schedule.id
    with pytest.raises(NotFound):
        delete_schedule(conn, OPERATOR, schedule.id)


def test_a_removal_waits_for_a_picker_that_is_making_jobs(conn: Connection, db: Database) -> None:
    """Else these jobs would be left behind by a schedule that is gone."""
    schedule = created(conn)

    def remove() -> None:
        with db.connection() as other:
            delete_schedule(other, OPERATOR, schedule.id)

    def removal_waits() -> bool:
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with db.connection() as other:
            return other.execute(waiting).fetchone() is not None

    removal = Thread(target=remove)
    with conn.transaction():
        assert make_jobs(conn, [take_turn(due) for due in due_schedules(conn, limit=1)])
        removal.start()
        eventually(removal_waits, what="a removal that waits")
    removal.join()
    assert occurrences(conn, schedule.id) == []


# ── callers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stranger_sees_and_moves_nothing(conn: Connection) -> None:
    schedule = created(conn)
    assert list_schedules(conn, STRANGER, PageRequest()).items == []
    for refused in (
        lambda: get_schedule(conn, STRANGER, schedule.id),
        lambda: change_schedule(conn, STRANGER, schedule.id, lambda old: old),
        lambda: delete_schedule(conn, STRANGER, schedule.id),
        lambda: trigger_schedule(conn, STRANGER, schedule.id),
    ):
        with pytest.raises(NotFound):
            refused()
    assert get_schedule(conn, OPERATOR, schedule.id).updated_at == schedule.updated_at
