"""Queues that are held back: no more is claimed of them than their limits leave, whoever tries at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.job import NewJob
from scheduler.domain.queue import NewWorker, RateLimit
from scheduler.store import backlog, transitions
from scheduler.store.connection import Connection
from scheduler.store.intake import create_job, create_jobs
from scheduler.store.queues import limit_rate, limit_running, queue_states, set_paused
from scheduler.store.rollup import roll_up
from scheduler.store.transitions import Held
from scheduler.store.workers import GONE_SECONDS, depart, live_workers, report, running_jobs
from tests.eventually import eventually
from tests.integration.store.lives import (
    AGEING,
    LEASE,
    WORKER,
    begun,
    claimed,
    claimed_keyed,
    completed,
    created,
    failed,
    job_row,
    key_of,
    started,
)

PICKERS = 6
NOTE = NewJob(task_type="note", task_data={})
KEYED = NewJob(task_type="note", task_data={}, concurrency_key="k")


def claimed_held(conn: Connection, limit: int = 10) -> Held:
    return transitions.claim_held(conn, queue="default", limit=limit, lease_seconds=LEASE, ageing_seconds=AGEING)


@pytest.mark.parametrize("new", [NOTE, KEYED])
def test_nothing_of_a_paused_queue_is_claimed_until_it_is_resumed(conn: Connection, new: NewJob) -> None:
    job_id = created(conn, new)
    set_paused(conn, "default", paused=True)
    assert (claimed(conn), claimed_keyed(conn), claimed_held(conn)) == ([], [], Held([]))
    set_paused(conn, "default", paused=False)
    assert claimed(conn) + claimed_keyed(conn) == [job_id]


def test_other_queues_go_on(conn: Connection) -> None:
    set_paused(conn, "mail", paused=True)
    assert claimed(conn) == []
    job_id = created(conn)
    assert claimed(conn) == [job_id]


def test_what_was_claimed_of_a_queue_is_taken_back_and_what_runs_is_left(conn: Connection) -> None:
    running = begun(conn)
    picked = created(conn)
    assert claimed(conn) == [picked]
    elsewhere = created(conn, NewJob(task_type="note", task_data={}, queue="mail"))
    assert claimed(conn, queue="mail") == [elsewhere]
    assert transitions.take_back(conn, "default") == 1
    rows = [job_row(conn, each)["status"] for each in (running.job_id, picked, elsewhere)]
    assert rows == ["running", "pending", "picked"]
    assert started(conn, picked) is None  # its message is still on its way


def test_what_was_being_claimed_while_its_queue_was_paused_does_not_start(conn: Connection) -> None:
    job_id, elsewhere = created(conn), created(conn, NewJob(task_type="note", task_data={}, queue="mail"))
    assert (claimed(conn), claimed(conn, queue="mail")) == ([job_id], [elsewhere])
    set_paused(conn, "default", paused=True)  # before that claim was committed: nothing to take back was seen
    assert started(conn, job_id) is None
    assert backlog.due_later(conn, "default", [job_id]) == {}
    assert transitions.give_back_paused(conn, "default", [job_id, elsewhere]) == 1
    assert [job_row(conn, each)["status"] for each in (job_id, elsewhere)] == ["pending", "picked"]


def test_a_queue_with_places_for_few_gives_as_many_with_a_key_or_without(conn: Connection) -> None:
    limit_running(conn, "default", 2)
    create_jobs(conn, OPERATOR, [NOTE, NOTE, KEYED])
    assert claimed(conn) == []  # the way round the limits is shut
    first = [job.id for job in claimed_held(conn).claimed]
    assert len(first) == 2
    assert claimed_held(conn) == Held([])
    for each in first:
        started(conn, each)
        transitions.complete(conn, [completed(key_of(conn, each))])
    (last,) = claimed_held(conn).claimed
    assert last.id not in first


def test_an_attempt_that_has_one_of_few_places_says_that_others_wait_for_its_end(conn: Connection) -> None:
    limit_running(conn, "default", 1)
    create_job(conn, OPERATOR, NOTE)
    (job,) = claimed_held(conn).claimed
    (attempt,) = transitions.start(conn, queue="default", ids=[job.id], worker=WORKER, lease_seconds=LEASE)
    assert attempt.blocks_others


def test_a_rate_says_when_there_will_be_more(conn: Connection) -> None:
    limit_rate(conn, "default", RateLimit(2, 0.5))
    create_jobs(conn, OPERATOR, [NOTE] * 5)
    assert len(claimed_held(conn).claimed) == 2
    held = claimed_held(conn)
    assert held.claimed == []
    assert held.more_in is not None
    assert 0 < held.more_in <= 0.5
    time.sleep(held.more_in)  # the database's clock decides, and nothing can be polled for it
    assert len(claimed_held(conn).claimed) == 2
    limit_rate(conn, "default", None)
    assert len(claimed(conn)) == 1


def race(url: str, until: float) -> None:
    """Claim, run and complete for as long as that, as a picker and an executor do."""
    with psycopg.connect(url, autocommit=True) as conn:
        while time.monotonic() < until:
            ids = [job.id for job in claimed_held(conn, limit=5).claimed]
            attempts = (
                transitions.start(conn, queue="default", ids=ids, worker=WORKER, lease_seconds=LEASE) if ids else []
            )
            transitions.complete(conn, [completed(each.key) for each in attempts])


def raced(url: str, seconds: float) -> list[int]:
    """How many jobs were live at each look, while many raced."""
    until, seen = time.monotonic() + seconds, list[int]()

    def watch() -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            while time.monotonic() < until:
                row = conn.execute("SELECT count(*) FROM jobs WHERE lease_until IS NOT NULL").fetchone()
                seen.append(row[0] if row else 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(PICKERS) as pool:
        for each in [pool.submit(race, url, until) for _ in range(PICKERS)]:
            each.result()
    watcher.join()
    return seen


def test_many_pickers_together_keep_to_the_places(conn: Connection, database_url: str) -> None:
    limit_running(conn, "default", 3)
    create_jobs(conn, OPERATOR, [NOTE] * 2_000)
    seen = raced(database_url, 1.5)
    assert max(seen) == 3
    assert len(seen) > 50


KEEP_CLAIMS = """
    CREATE TABLE kept (at timestamptz, jobs integer);
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO kept VALUES (NEW.at, NEW.jobs); RETURN NEW; END';
    CREATE TRIGGER keep AFTER INSERT ON queue_claims FOR EACH ROW EXECUTE FUNCTION keep()"""

MOST_IN_A_STRETCH = """
    SELECT max(total), (SELECT sum(jobs) FROM kept) FROM (
        SELECT (SELECT sum(jobs) FROM kept AS later WHERE later.at >= first.at
                AND later.at < first.at + make_interval(secs => %s)) AS total
        FROM kept AS first) AS stretches"""


def test_many_pickers_together_keep_to_the_rate_in_every_stretch_of_time(conn: Connection, database_url: str) -> None:
    conn.execute(KEEP_CLAIMS)
    limit_rate(conn, "default", RateLimit(10, 0.4))
    create_jobs(conn, OPERATOR, [NOTE] * 200)
    raced(database_url, 2.0)
    most, all_of_them = conn.execute(MOST_IN_A_STRETCH, (0.4,)).fetchone() or (0, 0)
    assert most == 10
    assert 40 <= all_of_them <= 60


def test_states_tell_what_waits_runs_and_has_ended(conn: Connection) -> None:
    done, broken, _running = begun(conn), begun(conn), begun(conn)
    transitions.complete(conn, [completed(done)])
    transitions.fail(conn, [failed(broken)])
    created(conn)
    assert claimed(conn)
    create_jobs(conn, OPERATOR, [NOTE, NOTE, NewJob(task_type="note", task_data={}, delay_seconds=3600)])
    limit_running(conn, "default", 5)
    limit_rate(conn, "default", RateLimit(7, 60))
    set_paused(conn, "empty", paused=True)

    def added_up() -> bool:
        """An attempt is added up once every transaction has ended that was open with it: other tests' too."""
        roll_up(conn)
        return queue_states(conn, OPERATOR, "default")[0].failed_24h == 1

    eventually(added_up)
    state, empty = queue_states(conn, OPERATOR)
    assert (state.name, state.pending_due, state.pending_later, state.picked, state.running) == ("default", 2, 1, 1, 1)
    assert (state.completed_24h, state.failed_24h, state.controls.paused) == (1, 1, False)
    assert (state.controls.max_running, state.controls.rate_limit) == (5, RateLimit(7, 60))
    assert state.oldest_due_seconds is not None
    assert (empty.name, empty.controls.paused, empty.pending_due, empty.oldest_due_seconds) == ("empty", True, 0, None)
    (own,) = [each for each in queue_states(conn, Caller(owner_id=7)) if each.name == "default"]
    assert (own.pending_due, own.running, own.completed_24h, own.controls.max_running) == (0, 0, 0, 5)
    assert [each.name for each in queue_states(conn, OPERATOR, "unheard-of")] == ["unheard-of"]


def test_workers_live_as_long_as_they_say_so(conn: Connection) -> None:
    executor = NewWorker(
        name=WORKER, kind="executor", host="h", pid=1, version="1", queues=("mail", "default"), capacity=100
    )
    picker = NewWorker(name="p", kind="picker", host="h", pid=2, version="1")
    for each in (executor, picker, executor):
        report(conn, each)
    running = begun(conn)
    seen = live_workers(conn)
    assert [(each.name, each.queues, each.capacity, each.running) for each in seen] == [
        (WORKER, ("mail", "default"), 100, 1),
        ("p", (), None, 0),
    ]
    assert running_jobs(conn, OPERATOR, limit=5) == {WORKER: [running.job_id]}
    assert running_jobs(conn, Caller(owner_id=7), limit=5) == {}
    conn.execute("UPDATE workers SET seen_at = now() - make_interval(secs => %s) WHERE name = 'p'", (GONE_SECONDS + 1,))
    assert [each.name for each in live_workers(conn)] == [WORKER]
    report(conn, executor)
    assert conn.execute("SELECT count(*) FROM workers").fetchone() == (1,)
    depart(conn, WORKER)
    assert live_workers(conn) == []
