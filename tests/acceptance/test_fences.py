"""Holders that stand still past their lease, and come back: nothing of theirs is recorded, and nothing starts twice."""

import os
from pathlib import Path

import pytest

from scheduler.domain.job import JsonObject
from tests.acceptance.cluster import Cluster, Node, is_gone
from tests.chaos.wire import Mode, Wire
from tests.eventually import eventually

SLACK = 20.0
"""Of seconds, for a machine that has other things to do."""
LEASE = 2.0
FOREVER_AT_FIRST: JsonObject = {"seconds": [3600, 0]}
TASKS = "tests.acceptance.ledger_tasks,tests.acceptance.blocking_tasks"
TWICE = [(1, "lost"), (2, "completed")]


@pytest.fixture
def cluster(cluster: Cluster) -> Cluster:
    """With tasks that block the loop they run on."""
    cluster.settings["scheduler_task_modules"] = TASKS
    return cluster


# ── a blocked loop ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_handler_that_blocks_the_loop_past_its_time_and_lease(cluster: Cluster) -> None:
    """It is replaced, its late result dropped; a neighbour keeps its lease."""
    _, blocked = cluster.start("picker", "executor")
    neighbour = cluster.create("ledger_sleep", {"seconds": [3]}, timeout_seconds=3600)
    cluster.entry(neighbour, "start")
    job_id = cluster.create("ledger_block", {"seconds": [20, 0]}, timeout_seconds=0.5, max_attempts=9)
    cluster.entry(job_id, "start")
    cluster.start("executor")
    job = cluster.reach(job_id, "completed", within=5.5 + LEASE + SLACK)
    assert [each.event for each in cluster.entries(job_id) if each.attempt == 1] == ["start"]  # it still blocks
    cluster.entry(job_id, "end")
    cluster.reach(neighbour, "completed")
    assert cluster.outcomes(neighbour) == [(1, "completed")]
    until_it_works(cluster, blocked)
    assert cluster.job(job_id) == job
    assert_lost_and_completed(cluster, job_id)


def test_an_attempt_that_a_blocked_loop_could_not_begin_in_time_never_begins(cluster: Cluster) -> None:
    """By the time that the loop is free, another executor runs the job."""
    _, blocked = cluster.start("picker", "executor")
    blocker = cluster.create("ledger_block", {"seconds": [9]}, timeout_seconds=3600)
    cluster.entry(blocker, "start")
    job_id = cluster.create("ledger_sleep", {"seconds": [0]}, max_attempts=9)
    cluster.reach(job_id, "running")
    cluster.start("executor")
    cluster.reach(job_id, "completed", within=LEASE + SLACK)
    cluster.entry(blocker, "end")
    until_it_works(cluster, blocked)
    assert len(cluster.entries(job_id)) == 2  # start and end
    assert_lost_and_completed(cluster, job_id)
    assert cluster.outcomes(blocker) == [(1, "completed")]


def test_an_attempt_begins_only_in_the_first_half_of_its_lease(cluster: Cluster) -> None:
    """The lease would still be held when the loop is free, but might not be any more when the handler is under way."""
    lease = 8.0
    _, late = cluster.start("picker", "executor", lease_seconds=lease)
    blocker = cluster.create("ledger_block", {"seconds": [lease * 0.8]}, timeout_seconds=3600)
    cluster.entry(blocker, "start")
    job_id = cluster.create("ledger_sleep", {"seconds": [0]}, max_attempts=9)
    cluster.reach(job_id, "running")
    cluster.entry(blocker, "end")
    eventually(lambda: "not begun" in late.log, SLACK, what="an executor that says so")
    cluster.reach(job_id, "completed", within=lease + SLACK)
    assert len(cluster.entries(job_id)) == 2  # start and end
    assert_lost_and_completed(cluster, job_id)


# ── SIGSTOP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_process_of_a_frozen_executor_ends_with_its_lease(cluster: Cluster) -> None:
    """Nobody froze the task's own process: it would go on beside the attempt that replaces it."""
    _, frozen = cluster.start("picker", "executor")
    job_id = cluster.create("ledger_sleep_process", FOREVER_AT_FIRST, timeout_seconds=3600)
    child = cluster.entry(job_id, "start").pid
    cluster.start("executor")
    frozen.freeze()
    cluster.entry(job_id, "start", attempt=2)
    assert is_gone(child)
    frozen.thaw()
    cluster.reach(job_id, "completed")
    until_it_works(cluster, frozen)
    assert cluster.outcomes(job_id) == TWICE


def test_a_process_lives_as_long_as_its_lease_is_extended(cluster: Cluster) -> None:
    cluster.start("picker", "executor")
    job_id = cluster.create("ledger_sleep_process", {"seconds": [3 * LEASE]})
    cluster.reach(job_id, "completed")
    assert cluster.outcomes(job_id) == [(1, "completed")]


# ── leases that cannot be extended ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("task", ["ledger_sleep", "ledger_sleep_thread"])
def test_an_executor_whose_connections_went_dead_gives_up(cluster: Cluster, task: str) -> None:
    """They take what it says and answer nothing, while another executor is heard: only its own clock can tell it."""
    with Wire.laid() as wire:
        _, cut_off = cluster.start("picker", "executor", database_url=wire.to(cluster.database_url))
        job_id = cluster.create(task, FOREVER_AT_FIRST, timeout_seconds=3600)
        cluster.entry(job_id, "start")
        cluster.start("picker", "executor")
        wire.become(Mode.DEAD)
        cluster.entry(job_id, "start", attempt=2)
        events = [(each.attempt, each.event) for each in cluster.entries(job_id)]
        assert events.index((1, "cancelled")) < events.index((2, "start"))
        cluster.reach(job_id, "completed")
        wire.become(Mode.WHOLE)
        until_it_works(cluster, cut_off)
    assert cluster.outcomes(job_id) == TWICE


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_SHIFTED = """
import datetime, time
_shift, _time, _datetime = {shift}, time.time, datetime.datetime
class Shifted(_datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
    @classmethod
    def utcnow(cls):
        return cls.fromtimestamp(time.time(), datetime.timezone.utc).replace(tzinfo=None)
time.time = lambda: _time() + _shift
time.time_ns = lambda: int(time.time() * 1e9)
datetime.datetime = Shifted
"""


def shifted(folder: Path, shift: float) -> str:
    """A PYTHONPATH under which a process believes that it is `shift` seconds later."""
    place = folder / f"shifted{shift:+g}"
    place.mkdir()
    (place / "sitecustomize.py").write_text(_SHIFTED.format(shift=shift))
    return os.pathsep.join([str(place), str(Path(__file__).parents[2])])


def test_clocks_that_disagree_by_hours_change_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """A scheduled job starts in its time, a lease is kept, a dead executor's job is rescued, records are in order."""
    early, late = shifted(tmp_path, -7200), shifted(tmp_path, 3600)
    cluster.start("picker", pythonpath=early)
    first = cluster.start_one("executor", pythonpath=late)
    now = cluster.sql("SELECT now()")[0][0]
    when = cluster.sql("SELECT now() + interval '1.5 seconds'")[0][0]
    due = cluster.create("ledger_sleep", scheduled_at=when)
    kept = cluster.create("ledger_sleep", {"seconds": [2 * LEASE]})
    cluster.reach(kept, "completed")
    assert cluster.entry(due, "start").at >= when
    for job_id in (due, kept):
        assert cluster.outcomes(job_id) == [(1, "completed")]
        (execution,) = cluster.executions(job_id)
        assert now <= execution.started_at <= execution.finished_at <= cluster.sql("SELECT now()")[0][0]
    lost = cluster.create("ledger_sleep", FOREVER_AT_FIRST, timeout_seconds=3600)
    cluster.entry(lost, "start")
    first.kill()
    cluster.start_one("executor", pythonpath=early)
    cluster.reach(lost, "completed", within=LEASE + SLACK)
    assert cluster.outcomes(lost) == TWICE


def assert_lost_and_completed(cluster: Cluster, job_id: int) -> None:
    """A blocked executor may have taken the job a second time before it is left alone."""
    statuses = [status for _, status in cluster.outcomes(job_id)]
    assert statuses == ["lost"] * (len(statuses) - 1) + ["completed"]
    assert len(statuses) > 1


def until_it_works(cluster: Cluster, executor: Node) -> None:
    """It has run a job since, so it has recorded what it had to record before."""

    def works() -> bool:
        job_id = cluster.create("ledger_sleep")
        cluster.reach(job_id, "completed", within=LEASE + SLACK)
        return f".{executor.process.pid}." in cluster.executions(job_id)[-1].worker

    eventually(works, 30, what=f"a job on executor {executor.process.pid}")
