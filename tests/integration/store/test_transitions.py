"""Each event in each state: what may move does, what may not leaves every column as it was."""

from dataclasses import replace

import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import AttemptKey
from scheduler.domain.states import TRANSITIONS, Event, JobStatus, next_status
from scheduler.store import leases, transitions
from scheduler.store.connection import Connection
from tests.integration.store.lives import (
    JOB,
    LEASE,
    WORKER,
    begun,
    begun_again,
    claimed,
    completed,
    created,
    failed,
    happens,
    job_row,
    key_of,
    lapse,
    led_to,
    pass_expiry,
    records,
    started,
)

ONE_ATTEMPT = replace(JOB, max_attempts=1)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("status", JobStatus)
def test_each_event_in_each_state(conn: Connection, status: JobStatus, event: Event) -> None:
    job_id = led_to(conn, status, ONE_ATTEMPT if event is Event.BURY else JOB)
    if event in {Event.RESCUE, Event.BURY}:
        lapse(conn, job_id)
    if event is Event.EXPIRE:
        pass_expiry(conn, job_id)
    before = job_row(conn, job_id), records(conn, job_id)

    moved = happens(conn, event, job_id)

    assert moved == ((status, event) in TRANSITIONS)
    if moved:
        assert job_row(conn, job_id)["status"] == next_status(status, event)
    else:
        assert (job_row(conn, job_id), records(conn, job_id)) == before


# ── fences ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def overtaken(conn: Connection) -> AttemptKey:
    """The key of an attempt that was given up for dead, and whose job another executor runs by now."""
    key = begun(conn)
    lapse(conn, key.job_id)
    assert transitions.rescue(conn, limit=10, lease_seconds=0).lost == [key.job_id]
    assert begun_again(conn, key.job_id) == AttemptKey(key.job_id, key.run + 1)
    return key


def test_an_overtaken_attempt_records_nothing(conn: Connection, overtaken: AttemptKey) -> None:
    before = job_row(conn, overtaken.job_id), records(conn, overtaken.job_id)
    assert transitions.complete(conn, [completed(overtaken)]) == set()
    assert transitions.retry_later(conn, [failed(overtaken, retry_in=1)]) == set()
    assert transitions.fail(conn, [failed(overtaken)]) == set()
    assert leases.extend(conn, [overtaken], lease_seconds=9999).gone == {overtaken}
    leases.release(conn, [overtaken])
    leases.report_progress(conn, {overtaken: {"fraction": 1}})
    assert (job_row(conn, overtaken.job_id), records(conn, overtaken.job_id)) == before


def test_the_overtaker_records(conn: Connection, overtaken: AttemptKey) -> None:
    overtaker = key_of(conn, overtaken.job_id)
    assert leases.extend(conn, [overtaken, overtaker], lease_seconds=LEASE).gone == {overtaken}
    assert transitions.complete(conn, [completed(overtaken), completed(overtaker)]) == {overtaker}
    assert [record["status"] for record in records(conn, overtaken.job_id)] == ["lost", "completed"]


def test_the_fence_holds_when_a_user_sends_the_job_round_again(conn: Connection) -> None:
    """`attempt` is the same number again, so it alone would let the old holder through."""
    asleep = begun(conn)
    transitions.cancel(conn, OPERATOR, asleep.job_id)
    transitions.retry(conn, OPERATOR, asleep.job_id)
    awake = begun_again(conn, asleep.job_id)
    assert job_row(conn, asleep.job_id)["attempt"] == 1
    assert transitions.complete(conn, [completed(asleep)]) == set()
    assert transitions.complete(conn, [completed(awake)]) == {awake}


def test_a_message_delivered_twice_starts_once(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.PICKED)
    assert started(conn, job_id) is not None
    assert started(conn, job_id) is None
    assert job_row(conn, job_id)["attempt"] == 1


def test_a_message_that_names_a_job_twice_starts_it_once(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.PICKED)
    attempts = transitions.start(conn, queue="default", ids=[job_id, job_id, 2**62], worker=WORKER, lease_seconds=LEASE)
    assert [attempt.key for attempt in attempts] == [AttemptKey(job_id, 1)]


def test_an_outcome_named_twice_is_recorded_once(conn: Connection) -> None:
    key = begun(conn)
    assert transitions.complete(conn, [completed(key), completed(key)]) == {key}
    assert len(records(conn, key.job_id)) == 1


def test_nothing_asked_changes_nothing(conn: Connection) -> None:
    assert transitions.complete(conn, []) == transitions.fail(conn, []) == transitions.retry_later(conn, []) == set()
    assert transitions.give_back(conn, []) == 0
    assert transitions.start(conn, queue="default", ids=[], worker=WORKER, lease_seconds=LEASE) == []
    assert not leases.extend(conn, [], lease_seconds=LEASE).gone
    leases.release(conn, [])
    leases.report_progress(conn, {})


# ── attempts and runs ───────────────────────────────────────────────────────────────────────────────────────────────


def test_each_start_counts_an_attempt_and_a_run(conn: Connection) -> None:
    key = begun(conn)
    assert (job_row(conn, key.job_id)["attempt"], key.run) == (1, 1)
    transitions.retry_later(conn, [failed(key, retry_in=0)])
    again = begun_again(conn, key.job_id)
    assert (job_row(conn, key.job_id)["attempt"], again.run) == (2, 2)


def test_what_a_start_tells_its_executor(conn: Connection) -> None:
    created(conn, replace(JOB, max_attempts=7, timeout_seconds=1.5))
    conn.execute("UPDATE jobs SET next_run_at = now() - interval '100 s'")
    (attempt,) = transitions.start(conn, queue="default", ids=claimed(conn), worker=WORKER, lease_seconds=LEASE)
    assert (attempt.attempt, attempt.max_attempts, attempt.timeout_seconds) == (1, 7, 1.5)
    assert (attempt.task_type, attempt.task_data, attempt.retry) == (JOB.task_type, JOB.task_data, JOB.retry)
    assert attempt.lateness_seconds >= 100
    assert not attempt.blocks_others


@pytest.mark.parametrize(("left", "lasts"), [(0.75, 0.75), (0.25, 1.0)], ids=["kept", "renewed"])
def test_a_start_tells_how_long_its_lease_still_lasts(conn: Connection, left: float, lasts: float) -> None:
    """Not less: the executor would give up work that is its own. Not more: it would go on with what is not."""
    job_id = led_to(conn, JobStatus.PICKED)
    conn.execute("UPDATE jobs SET lease_until = now() + make_interval(secs => %s)", (LEASE * left,))
    (attempt,) = transitions.start(conn, queue="default", ids=[job_id], worker=WORKER, lease_seconds=LEASE)
    assert LEASE * lasts - 1 <= attempt.lease_seconds <= LEASE * lasts


def test_a_claim_that_died_has_used_no_attempt(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.PICKED)
    lapse(conn, job_id)
    assert transitions.rescue(conn, limit=10, lease_seconds=0).picked == [job_id]
    row = job_row(conn, job_id)
    assert (row["attempt"], row["run"], row["error"], records(conn, job_id)) == (0, 0, None, [])


def test_a_rescued_attempt_is_used_and_its_job_is_due_again_at_once(conn: Connection) -> None:
    key = begun(conn)
    conn.execute("UPDATE jobs SET next_run_at = now() - interval '1 day'")
    lapse(conn, key.job_id)
    assert happens(conn, Event.RESCUE, key.job_id)
    row = job_row(conn, key.job_id)
    assert row["attempt"] == 1
    assert row["error"]["type"] == "lost"
    assert row["next_run_at"] == row["updated_at"]
    assert (row["worker"], row["started_at"], row["picked_at"], row["lease_until"]) == (None, None, None, None)


def test_the_last_attempt_is_buried_and_not_rescued(conn: Connection) -> None:
    key = begun(conn, ONE_ATTEMPT)
    lapse(conn, key.job_id)
    assert not happens(conn, Event.RESCUE, key.job_id)
    assert happens(conn, Event.BURY, key.job_id)
    assert job_row(conn, key.job_id)["error"]["type"] == "lost"


def test_an_attempt_before_the_last_is_rescued_and_not_buried(conn: Connection) -> None:
    key = begun(conn)
    lapse(conn, key.job_id)
    assert not happens(conn, Event.BURY, key.job_id)
    assert happens(conn, Event.RESCUE, key.job_id)


def test_leases_that_run_are_left_alone(conn: Connection) -> None:
    key = begun(conn)
    before = job_row(conn, key.job_id)
    assert not happens(conn, Event.RESCUE, key.job_id)
    assert not happens(conn, Event.BURY, key.job_id)
    assert job_row(conn, key.job_id) == before


def test_nobody_is_rescued_within_a_lease_of_the_servers_start(conn: Connection) -> None:
    key = begun(conn)
    lapse(conn, key.job_id)
    years = 100 * 365 * 86_400.0
    rescued = transitions.rescue(conn, limit=10, lease_seconds=years)
    assert (rescued.picked, rescued.lost, transitions.bury(conn, limit=10, lease_seconds=years)) == ([], [], [])


def test_a_rescue_takes_the_longest_lapsed_first_and_no_more_than_asked(conn: Connection) -> None:
    ids = [created(conn) for _ in range(5)]
    claimed(conn)
    for late, job_id in enumerate(ids):
        conn.execute("UPDATE jobs SET lease_until = now() - make_interval(secs => %s) WHERE id = %s", (late, job_id))
    assert sorted(transitions.rescue(conn, limit=2, lease_seconds=0).picked) == ids[3:]


# ── give_back, retry_later, expire ──────────────────────────────────────────────────────────────────────────────────


def test_a_job_given_back_is_as_it_was_before_the_claim(conn: Connection) -> None:
    job_id = created(conn)
    before = job_row(conn, job_id)
    claimed(conn)
    assert transitions.give_back(conn, [job_id]) == 1
    assert {**job_row(conn, job_id), "updated_at": None} == {**before, "updated_at": None}
    assert claimed(conn) == [job_id]


def test_only_what_is_still_picked_is_given_back(conn: Connection) -> None:
    running = begun(conn)
    picked = led_to(conn, JobStatus.PICKED)
    assert transitions.give_back(conn, [running.job_id, picked, 2**40]) == 1
    assert job_row(conn, running.job_id)["status"] == "running"


def test_a_failed_attempt_waits_for_its_backoff(conn: Connection) -> None:
    key = begun(conn)
    assert transitions.retry_later(conn, [failed(key, retry_in=3600)]) == {key}
    row = job_row(conn, key.job_id)
    assert (row["next_run_at"] - row["updated_at"]).total_seconds() == 3600
    assert row["error"] == {"type": "ValueError", "message": "no"}
    assert claimed(conn) == []


def test_an_expired_job_says_so(conn: Connection) -> None:
    job_id = created(conn)
    pass_expiry(conn, job_id)
    assert transitions.expire(conn, limit=10) == [job_id]
    row = job_row(conn, job_id)
    assert row["error"]["type"] == "expired"
    assert row["completed_at"] is not None
    assert records(conn, job_id) == []


def test_a_picked_job_that_expired_is_not_started(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.PICKED)
    pass_expiry(conn, job_id)
    assert started(conn, job_id) is None
    assert job_row(conn, job_id)["status"] == "picked"


def test_jobs_that_may_still_start_do_not_expire(conn: Connection) -> None:
    created(conn)
    conn.execute("UPDATE jobs SET expires_at = now() + interval '1 day'")
    created(conn)
    assert transitions.expire(conn, limit=10) == []
