"""What is left of a job when its processes are stopped, killed or frozen at the worst moment."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import signal
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import cast

import psycopg
import pytest
import redis

from scheduler.domain.job import DEFAULT_QUEUE, JsonObject
from scheduler.queue import push_messages
from tests.acceptance.cluster import Cluster, Node, free_port, is_gone
from tests.acceptance.neighbours import Wire
from tests.eventually import eventually

GRACE = 5.0
SLACK = 20.0
"""Of seconds, for a machine that has other things to do."""
FOREVER_AT_FIRST: JsonObject = {"seconds": [3600, 0]}


def holding(cluster: Cluster, job_id: int) -> "AbstractContextManager[psycopg.Connection]":
    """A transaction that locks the job's row until it is left."""
    connection = psycopg.connect(cluster.database_url)
    connection.execute("SELECT FROM jobs WHERE id = %s FOR UPDATE", (job_id,))
    return connection


def blocked_executors(cluster: Cluster) -> list[int]:
    """The server processes of executors that wait for a lock."""
    rows = cluster.sql(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'scheduler executor' AND wait_event_type = 'Lock'"
    )
    return [row[0] for row in rows]


# ── SIGTERM ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_executor_that_is_asked_to_stop_finishes_its_tasks(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor")
    job_id = cluster.create("ledger_sleep", {"seconds": [1.5]})
    cluster.entry(job_id, "start")
    executor.terminate()
    assert executor.exit_code(GRACE + SLACK) == 0
    assert (cluster.job(job_id).status, cluster.outcomes(job_id)) == ("completed", [(1, "completed")])


def test_a_task_that_outlasts_the_grace_goes_to_another_executor_at_once(cluster: Cluster) -> None:
    """The lease is an hour: only its release can bring the job back."""
    cluster.settings["lease_seconds"] = 3600
    cluster.settings["shutdown_grace_seconds"] = 1
    _, first, second = cluster.start("picker", "executor", "executor")
    job_id = cluster.create("ledger_sleep", FOREVER_AT_FIRST, timeout_seconds=7200)
    cluster.entry(job_id, "start")
    holder = next(node for node in (first, second) if f".{node.process.pid}." in started_by(cluster, job_id))
    holder.terminate()
    assert holder.exit_code(1 + SLACK) == 0
    cluster.entry(job_id, "cancelled")
    cluster.entry(job_id, "start", attempt=2)
    cluster.reach(job_id, "completed")
    assert cluster.outcomes(job_id) == [(1, "lost"), (2, "completed")]


def test_one_that_waits_for_a_place_goes_to_another_executor(cluster: Cluster) -> None:
    cluster.settings["lease_seconds"] = 3600
    cluster.settings["shutdown_grace_seconds"] = 1
    _, first = cluster.start("picker", "executor", executor_processes=1)
    inside = cluster.create("ledger_sleep_process", FOREVER_AT_FIRST, timeout_seconds=7200)
    cluster.entry(inside, "start")
    waiting = cluster.create("ledger_sleep_process")
    cluster.reach(waiting, "running")
    first.terminate()
    assert first.exit_code(1 + SLACK) == 0
    cluster.start("executor")
    for job_id in (inside, waiting):
        cluster.reach(job_id, "completed")
        assert cluster.outcomes(job_id) == [(1, "lost"), (2, "completed")]
    assert [entry.attempt for entry in cluster.entries(waiting)] == [2, 2]


def started_by(cluster: Cluster, job_id: int) -> str:
    """The name of the executor that runs the job."""
    return cluster.sql("SELECT worker FROM jobs WHERE id = %s", job_id)[0][0]


def test_an_executor_leaves_in_time_whatever_its_tasks_do(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor", shutdown_grace_seconds=1)
    tasks = ("ledger_stubborn", "ledger_stubborn_thread", "ledger_stubborn_pool", "ledger_burn")
    ids = [cluster.create(task, timeout_seconds=3600) for task in tasks]
    pids = [cluster.entry(job_id, "start").pid for job_id in ids]
    executor.terminate()
    assert executor.exit_code(1 + SLACK) == 0
    eventually(lambda: all(map(is_gone, pids)), what="the end of the tasks' processes")


def test_a_second_sigterm_ends_the_grace(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor", shutdown_grace_seconds=3600)
    job_id = cluster.create("ledger_sleep", FOREVER_AT_FIRST, timeout_seconds=3600)
    cluster.entry(job_id, "start")
    executor.terminate()
    eventually(lambda: '"stopping"' in executor.log, what="a stop under way")
    executor.terminate()
    assert executor.exit_code(SLACK) == 0


def test_a_picker_that_is_asked_to_stop_leaves_nothing_behind(cluster: Cluster) -> None:
    picker, _ = cluster.start("picker", "executor")
    ids = cluster.create_many(1000, "ledger_sleep")
    eventually(lambda: cluster.statuses()["completed"] > 0, 30, what="the first job")
    picker.terminate()
    assert picker.exit_code(SLACK) == 0
    cluster.start("picker")
    cluster.all_reach("completed", len(ids), within=60)


def test_every_process_stops_when_it_is_asked_to(cluster: Cluster) -> None:
    nodes = cluster.start("picker", "executor", "monitor")
    for node in nodes:
        node.process.send_signal(signal.SIGINT if node.role == "monitor" else signal.SIGTERM)
    assert [node.exit_code(SLACK) for node in nodes] == [0, 0, 0]


# ── by its own tasks ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("task", ["ledger_exit", "ledger_system_exit"])
def test_an_attempt_that_exits_fails_alone(cluster: Cluster, task: str) -> None:
    cluster.start("picker", "executor")
    neighbour = cluster.create("ledger_sleep", {"seconds": [5]})
    cluster.entry(neighbour, "start")
    job_id = cluster.create(task, {"code": 3}, max_attempts=1)
    job = cluster.reach(job_id, "failed")
    assert job.error is not None
    assert "3" in cast("str", job.error["message"])
    assert cluster.outcomes(job_id) == [(1, "failed")]
    cluster.reach(neighbour, "completed")
    assert cluster.outcomes(neighbour) == [(1, "completed")]


@pytest.mark.parametrize("task", ["ledger_stubborn", "ledger_stubborn_thread", "ledger_stubborn_pool"])
def test_a_task_that_ignores_the_end_of_its_time_gives_up_its_slot(cluster: Cluster, task: str) -> None:
    cluster.start("picker", "executor", executor_concurrency=1)
    job_id = cluster.create(task, timeout_seconds=0.5, max_attempts=1)
    after = cluster.create("ledger_sleep")
    cluster.reach(job_id, "failed")
    assert cluster.outcomes(job_id) == [(1, "timed_out")]
    cluster.reach(after, "completed")


def test_a_picked_job_that_is_cancelled_never_starts(cluster: Cluster) -> None:
    cluster.settings["api_port"] = free_port()
    _, executor, _ = cluster.start("picker", "executor", "api")
    until_it_works(cluster, executor)
    executor.freeze()
    job_id = cluster.create("ledger_sleep")
    cluster.reach(job_id, "picked")
    assert cluster.call("POST", f"/api/cancel/{job_id}").body["status"] == "cancelled"
    executor.thaw()
    until_it_works(cluster, executor)
    assert (cluster.job(job_id).status, cluster.outcomes(job_id), cluster.entries(job_id)) == ("cancelled", [], [])


# ── SIGKILL ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("deliver", [False, True], ids=["not-pushed", "pushed"])
def test_a_picker_killed_between_claim_and_push(cluster: Cluster, deliver: bool) -> None:
    """It hangs in the push, after its claim has committed; `pushed`: the message arrives, its answer does not."""
    with Wire(cluster.redis_url, deliver=deliver).laid() as wire:
        executor, picker = cluster.launch("executor"), cluster.launch("picker", redis_url=wire.url)
        executor.wait_ready()
        picker.wait_ready()
        job_id = cluster.create("ledger_sleep")
        assert wire.cut.wait(30)
        picker.kill()
    if deliver:
        cluster.reach(job_id, "completed")
    else:
        assert cluster.job(job_id).status == "picked"
    another = cluster.create("ledger_sleep")
    cluster.start("picker")
    for each in (job_id, another):
        cluster.reach(each, "completed", within=2 + SLACK)
        assert (cluster.count("start")[each], cluster.outcomes(each)) == (1, [(1, "completed")])


def test_an_executor_killed_in_the_middle_of_tasks(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor")
    kinds = ("ledger_sleep", "ledger_sleep_thread", "ledger_sleep_process")
    ids = [cluster.create(kind, FOREVER_AT_FIRST, timeout_seconds=3600) for kind in kinds]
    last = cluster.create("ledger_sleep", {"seconds": [3600]}, timeout_seconds=3600, max_attempts=1)
    pids = [cluster.entry(job_id, "start").pid for job_id in (*ids, last)]
    executor.kill()
    eventually(lambda: all(map(is_gone, pids)), what="the end of the task's process with its executor")
    cluster.start("executor")
    for job_id in ids:
        cluster.reach(job_id, "completed", within=2 + 0.5 + SLACK)
        assert cluster.outcomes(job_id) == [(1, "lost"), (2, "completed")]
        assert cluster.count("start")[job_id] == 2
    buried = cluster.reach(last, "failed")
    assert buried.error is not None
    assert buried.error["type"] == "lost"
    assert cluster.outcomes(last) == [(1, "lost")]


@pytest.mark.parametrize("committed", [False, True], ids=["before-the-start", "before-it-knows-of-the-start"])
def test_an_executor_killed_between_pop_and_start(cluster: Cluster, committed: bool) -> None:
    """Its start hangs on a lock when it is killed; then it is undone, or commits for nobody."""
    _, executor = cluster.start("picker", "executor")
    until_it_works(cluster, executor)
    executor.freeze()
    job_id = cluster.create("ledger_sleep")
    cluster.reach(job_id, "picked")
    with holding(cluster, job_id):
        executor.thaw()
        (server,) = eventually(lambda: blocked_executors(cluster), 30, what="a start that waits for the lock")
        executor.kill()
        if not committed:
            cluster.sql("SELECT pg_terminate_backend(%s, 5000)", server)
    cluster.start("executor")
    cluster.reach(job_id, "completed", within=2 + SLACK)
    assert cluster.outcomes(job_id) == ([(1, "lost"), (2, "completed")] if committed else [(1, "completed")])
    assert cluster.count("start")[job_id] == 1


# ── SIGSTOP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frozen_executor_that_comes_back_records_nothing(cluster: Cluster) -> None:
    _, frozen = cluster.start("picker", "executor")
    job_id = cluster.create("ledger_sleep", {"seconds": [2, 0]})
    cluster.entry(job_id, "start")
    frozen.freeze()
    other = cluster.start_one("executor")
    job = cluster.reach(job_id, "completed", within=2 + SLACK)
    expected = [(1, "lost"), (2, "completed")]
    assert (job.result, cluster.outcomes(job_id)) == ({"attempt": 2}, expected)
    frozen.thaw()
    eventually(lambda: {each.event for each in cluster.entries(job_id) if each.attempt == 1} > {"start"}, 30)
    other.kill()
    until_it_works(cluster, frozen)
    assert (cluster.job(job_id), cluster.outcomes(job_id)) == (job, expected)


def test_a_result_that_a_frozen_executor_still_had_to_record_is_dropped(cluster: Cluster) -> None:
    """Its write waits for a lock and is undone; when it wakes up, it writes again, while the next attempt runs."""
    cluster.settings["lease_seconds"] = 4  # the lock keeps it from being extended, and it has to outlast the task
    _, frozen = cluster.start("picker", "executor")
    job_id = cluster.create("ledger_sleep", {"seconds": [1, 4]})
    cluster.entry(job_id, "start")
    with holding(cluster, job_id):
        (server,) = eventually(lambda: blocked_executors(cluster), 30, what="a record that waits for the lock")
        cluster.entry(job_id, "end")
        frozen.freeze()
        cluster.sql("SELECT pg_terminate_backend(%s, 5000)", server)
    cluster.start("executor")
    cluster.entry(job_id, "start", attempt=2)
    frozen.thaw()
    eventually(lambda: "late results dropped" in frozen.log, 30, what="a late result")
    assert cluster.reach(job_id, "completed").result == {"attempt": 2}
    assert cluster.outcomes(job_id) == [(1, "lost"), (2, "completed")]


def test_a_message_delivered_three_times_starts_its_job_once(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor")
    until_it_works(cluster, executor)
    executor.freeze()
    job_id = cluster.create("ledger_sleep", {"seconds": [1]})
    cluster.reach(job_id, "picked")
    with redis.Redis.from_url(cluster.redis_url) as client:
        push_messages(client, DEFAULT_QUEUE, [[job_id]] * 3)
    executor.thaw()
    cluster.reach(job_id, "completed")
    until_it_works(cluster, executor)
    assert cluster.outcomes(job_id) == [(1, "completed")]
    assert cluster.count("start")[job_id] == 1


def until_it_works(cluster: Cluster, executor: Node) -> None:
    """Pickers know of it then, and what it had to record before is recorded."""
    job_id = cluster.create("ledger_sleep")
    cluster.reach(job_id, "completed", within=2 + SLACK)
    assert f".{executor.process.pid}." in cluster.executions(job_id)[-1].worker


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_leases_shorter_than_a_poll_run_out_all_the_same(cluster: Cluster) -> None:
    _, executor = cluster.start("picker", "executor", lease_seconds=2, picker_poll_seconds=2)
    job_id = cluster.create("ledger_sleep", FOREVER_AT_FIRST)
    cluster.entry(job_id, "start")
    executor.kill()
    cluster.start("executor", lease_seconds=2)
    cluster.reach(job_id, "completed", within=2 + 2 + SLACK)


def test_a_lease_lasts_as_long_as_its_task(cluster: Cluster) -> None:
    cluster.start("picker", "executor")
    job_id = cluster.create("ledger_sleep", {"seconds": [5]})
    job = cluster.reach(job_id, "completed")
    assert cluster.outcomes(job_id) == [(1, "completed")]
    assert job.started_at is not None
    assert job.completed_at is not None
    assert job.completed_at - job.started_at >= timedelta(seconds=5)
