"""More work than there is room for, beside people who look at the tables for long: nothing grows without bound."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Final, cast

import psycopg
import pytest
import redis

from scheduler.queue import MESSAGES_AHEAD
from scheduler.tasks.context import MAX_LOG_BYTES
from tests.acceptance.cluster import Cluster, Node

BURST: Final = 5_000
READERS: Final = 4
LEAST_SECONDS_BETWEEN_REPORTS: Final = 0.25
COUNT_REPORTS: Final = """
    CREATE TABLE reports (progress jsonb);
    CREATE FUNCTION count_report() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO reports VALUES (NEW.progress); RETURN NEW; END';
    CREATE TRIGGER count_reports AFTER UPDATE OF progress ON jobs FOR EACH ROW
        WHEN (NEW.progress IS NOT NULL) EXECUTE FUNCTION count_report()"""
_PICKERS: Final = 2
_MESSAGE: Final = 100
_BATCH: Final = 4 * _MESSAGE
_HEADROOM_BYTES: Final = 64 * 1024 * 1024


def test_a_burst_beside_an_open_transaction_and_long_readers(cluster: Cluster) -> None:
    cluster.settings["lease_seconds"] = 30
    cluster.settings["picker_batch_size"] = _BATCH
    nodes = cluster.start(*["picker"] * _PICKERS, "executor", executor_concurrency=2 * _MESSAGE)
    first = cluster.create_many(BURST // 10, "noop")
    cluster.all_reach("completed", len(first), within=60)
    before = [resident(node) for node in nodes]
    with open_transaction(cluster), long_readers(cluster), deepest_queue(cluster) as deepest:
        cluster.create_many(BURST, "noop")
        cluster.all_reach("completed", len(first) + BURST, within=90)
    # Each picker may find half of it gone at the same moment, and then push a whole batch.
    assert 0 < deepest() <= MESSAGES_AHEAD + (_PICKERS - 1) * _BATCH // _MESSAGE
    assert [node.log for node in nodes if not node.is_alive] == []
    for node, bytes_before in zip(nodes, before, strict=True):
        assert resident(node) < bytes_before + _HEADROOM_BYTES


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_task_that_never_stops_talking_costs_little(cluster: Cluster, kind: str) -> None:
    """A gigabyte of log, and progress as fast as it can be said."""
    _, executor = cluster.start("picker", "executor")
    with psycopg.connect(cluster.database_url) as conn:
        conn.execute(COUNT_REPORTS)
    before = resident(executor)
    job_id = cluster.create(
        f"ledger_chatter_{kind}", {"lines": 1_000_000 if kind == "process" else 100_000, "seconds": 3}
    )
    job = cluster.reach(job_id, "completed", within=90)
    assert cast("int", job.result) > 1_000
    seconds = cluster.executions(job_id)[0].duration_ms / 1000
    ((reports,),) = cluster.sql("SELECT count(*) FROM reports")
    assert 1 <= reports <= seconds / LEAST_SECONDS_BETWEEN_REPORTS + 2
    assert sum(map(len, cluster.executions(job_id)[0].logs)) < MAX_LOG_BYTES + 1_000
    assert resident(executor) < before + _HEADROOM_BYTES


@contextmanager
def open_transaction(cluster: Cluster) -> Generator[None]:
    """Somebody who looked, and keeps the transaction open."""
    with psycopg.connect(cluster.database_url) as onlooker:
        onlooker.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        onlooker.execute("SELECT count(*) FROM jobs")
        yield


@contextmanager
def long_readers(cluster: Cluster) -> Generator[None]:
    """Some who read the whole table, again and again."""
    ended = threading.Event()

    def read() -> None:
        with psycopg.connect(cluster.database_url, autocommit=True) as conn:
            while not ended.wait(0.05):
                conn.execute("SELECT count(*), max(updated_at) FROM jobs WHERE task_data::text LIKE '%nobody%'")

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(ended.set)
        yield


@contextmanager
def deepest_queue(cluster: Cluster) -> "Generator[Depth]":
    """How many messages waited in Redis at the most, as often as one can look."""
    depth = Depth()
    ended = threading.Event()

    def look() -> None:
        with redis.Redis.from_url(cluster.redis_url) as client:
            while not ended.wait(0.002):
                depth.most = max(depth.most, client.llen("rq:queue:default"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield depth
    finally:
        ended.set()
        thread.join()


class Depth:
    most = 0

    def __call__(self) -> int:
        return self.most


def resident(node: Node) -> int:
    """Bytes of memory that a process holds."""
    with open(f"/proc/{node.process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096
