"""Many jobs, and servers that fail under them: each job runs, and where nothing dies it runs once."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest
import redis

from tests.acceptance.cluster import Cluster
from tests.eventually import eventually

MANY: Final = 10_000


def test_two_pickers_and_two_executors_run_each_job_once(cluster: Cluster) -> None:
    cluster.settings["lease_seconds"] = 30
    ids = cluster.create_many(MANY, "ledger_sleep")
    cluster.start("picker", "picker", "executor", "executor")
    cluster.all_reach("completed", MANY, within=120)
    once = Counter(ids)
    assert cluster.count("start") == once
    assert cluster.count("end") == once
    workers = Counter(
        dict(cluster.sql("SELECT worker, count(*) FROM executions WHERE status = 'completed' GROUP BY 1"))
    )
    assert workers.total() == MANY
    assert len(workers) == 2


def test_redis_flushed_under_load(cluster: Cluster) -> None:
    cluster.start("picker", "executor", "executor", executor_concurrency=10)
    ids = cluster.create_many(300, "ledger_sleep", {"seconds": [0.1]}, max_attempts=20)
    with redis.Redis.from_url(cluster.redis_url) as client:
        for done in (30, 100, 200):
            eventually(lambda done=done: cluster.statuses()["completed"] >= done, 60, what=f"{done} jobs done")
            client.flushdb()
    cluster.all_reach("completed", len(ids), within=60)
    assert_recorded_once(cluster, ids)
    assert cluster.count("end") == Counter(ids)  # no attempt was lost with the messages


def test_connections_to_postgresql_killed_under_load(cluster: Cluster) -> None:
    nodes = cluster.start("picker", "executor", "executor")
    with repeatedly(lambda: kill_backends(cluster)) as killed:
        ids = cluster.create_many(1500, "ledger_sleep", max_attempts=100)
        eventually(lambda: killed() >= 10 and cluster_is_done(cluster, len(ids)), 90, what="the end of all jobs")
    assert [node.log for node in nodes if not node.is_alive] == []
    assert_recorded_once(cluster, ids)
    assert set(cluster.count("end")) == set(ids)


@pytest.mark.parametrize("name", [b"no-queue", b"rq:queue:\xff\xfe"])
def test_poison_among_the_queues_is_survived(cluster: Cluster, name: bytes) -> None:
    cluster.start("picker", "executor")
    with redis.Redis.from_url(cluster.redis_url) as client:
        client.sadd("rq:queues", name)
        for _ in range(2):
            cluster.reach(cluster.create("ledger_sleep"), "completed")


def assert_recorded_once(cluster: Cluster, ids: list[int]) -> None:
    """Each job has exactly one record of an attempt that completed."""
    rows = cluster.sql("SELECT job_id, count(*) FROM executions WHERE status = 'completed' GROUP BY 1")
    assert Counter(dict(rows)) == Counter(ids)


def cluster_is_done(cluster: Cluster, count: int) -> bool:
    return cluster.statuses() == {"completed": count}


def kill_backends(cluster: Cluster) -> int:
    """Kill the server processes of all the daemons; how many there were."""
    with psycopg.connect(cluster.database_url, autocommit=True) as admin:
        killed = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name ~ '^scheduler (picker|executor)'"
        )
        return killed.rowcount


@contextmanager
def repeatedly(act: Callable[[], int], every: float = 1.0) -> Generator[Callable[[], int]]:
    """Act again and again beside the block; gives what tells the sum of the answers."""
    ended, sums = threading.Event(), [0]

    def run() -> None:
        while not ended.wait(every):
            sums.append(sums[-1] + act())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lambda: sums[-1]
    finally:
        ended.set()
        thread.join()
