"""Leases: who holds a job keeps it, who let go or died does not; and the progress that a holder shows."""

import psycopg

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import AttemptKey
from scheduler.domain.states import Event, JobStatus
from scheduler.store import leases, transitions
from scheduler.store.connection import Connection
from scheduler.store.leases import Extension
from tests.integration.store.lives import (
    LEASE,
    begun,
    begun_again,
    claimed,
    completed,
    created,
    failed,
    happens,
    job_row,
    lapse,
    led_to,
    started,
)


def test_a_holder_extends_its_lease(conn: Connection) -> None:
    key = begun(conn)
    lapse(conn, key.job_id)
    assert leases.extend(conn, [key], lease_seconds=60) == Extension(frozenset({key}), frozenset())
    assert not happens(conn, Event.RESCUE, key.job_id)


def test_a_released_lease_is_rescued_at_once(conn: Connection) -> None:
    key = begun(conn)
    leases.release(conn, [key])
    assert happens(conn, Event.RESCUE, key.job_id)


def test_extending_says_which_attempts_are_no_longer_ones_own(conn: Connection) -> None:
    cancelled, ended, unknown = begun(conn), begun(conn), AttemptKey(2**40, 1)
    kept = begun(conn)
    transitions.cancel(conn, OPERATOR, cancelled.job_id)
    transitions.complete(conn, [completed(ended)])
    lost = leases.extend(conn, [kept, cancelled, ended, unknown], lease_seconds=LEASE).gone
    assert lost == {cancelled, ended, unknown}


def test_a_start_renews_a_lease_that_is_short_and_keeps_a_long_one(conn: Connection) -> None:
    job_id = led_to(conn, JobStatus.PICKED)
    fresh = job_row(conn, job_id)["lease_until"]
    started(conn, job_id)
    assert job_row(conn, job_id)["lease_until"] == fresh

    tired = created(conn)
    claimed(conn)
    conn.execute("UPDATE jobs SET lease_until = now() + interval '1 s' WHERE id = %s", (tired,))
    started(conn, tired)
    row = job_row(conn, tired)
    assert (row["lease_until"] - row["started_at"]).total_seconds() == LEASE


def test_progress_is_shown_and_a_new_attempt_begins_without(conn: Connection) -> None:
    key = begun(conn)
    leases.report_progress(conn, {key: {"fraction": 0.5, "message": "half"}})
    assert job_row(conn, key.job_id)["progress"] == {"fraction": 0.5, "message": "half"}
    transitions.retry_later(conn, [failed(key, retry_in=0)])
    begun_again(conn, key.job_id)
    assert job_row(conn, key.job_id)["progress"] is None


def test_of_a_row_that_another_holds_nothing_is_said(conn: Connection, database_url: str) -> None:
    """Not that it was extended: its holder would go on beside whoever rescues it this moment."""
    key = begun(conn)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM jobs WHERE id = %s FOR UPDATE", (key.job_id,))
        assert leases.extend(conn, [key], lease_seconds=60) == Extension(frozenset(), frozenset())
