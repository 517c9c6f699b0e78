"""Everything runs through PgBouncer in transaction mode, where each transaction may be on another connection."""

import dataclasses
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from scheduler.domain.job import JsonObject
from scheduler.store.connection import Database
from scheduler.store.migrate import migrate, migrations
from tests.acceptance.cluster import Cluster, free_port, running_cluster
from tests.acceptance.pgbouncer import PROGRAM, before
from tests.eventually import eventually
from tests.servers import Servers, fresh_database

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")

AT_ONCE = {"backoff": "fixed", "delay_seconds": 0, "jitter": False}


@pytest.fixture
def pooled(servers: Servers, redis_url: str, tmp_path: Path) -> Generator[Cluster]:
    """A cluster whose processes know PostgreSQL by PgBouncer alone."""
    with (
        running_cluster(
            servers, redis_url, tmp_path, api_port=free_port(), lease_seconds=2, picker_poll_seconds=0.5
        ) as cluster,
        before(cluster.database_url) as url,
    ):
        cluster.settings["database_url"] = url.geturl()
        yield cluster


def test_jobs_of_every_life_end_right(pooled: Cluster) -> None:
    _, _, victim, _ = pooled.start("api", "picker", "executor", "monitor", alert_webhook_url="http://127.0.0.1:1/")
    lost = pooled.post_job("ledger_sleep", {"seconds": [60, 0]})
    cancelled = pooled.post_job("ledger_sleep", {"seconds": [60]})
    pooled.entry(lost, "start")
    pooled.entry(cancelled, "start")
    assert pooled.call("POST", f"/api/cancel/{cancelled}").status == 200
    pooled.entry(cancelled, "cancelled")
    victim.kill()
    pooled.start("executor")
    many = [pooled.post_job("ledger_sleep") for _ in range(30)]
    keyed = [pooled.post_job("ledger_sleep", concurrency_key="k") for _ in range(5)]
    retried = pooled.post_job("ledger_fail", {"times": 2}, retry=AT_ONCE)
    failed = pooled.post_job("ledger_fail", {"times": 9}, retry=AT_ONCE, max_attempts=2)
    late = pooled.post_job("ledger_sleep_process", {"seconds": [60]}, timeout_seconds=1, max_attempts=1)
    nothing: JsonObject = {}
    schedule = {"name": "tick", "cron": "* * * * * *", "task": {"type": "noop", "data": nothing}}
    assert pooled.call("POST", "/api/schedules", schedule).status == 201

    for job_id in (lost, retried, *many, *keyed):
        pooled.reach(job_id, "completed")
    assert pooled.outcomes(lost) == [(1, "lost"), (2, "completed")]
    assert pooled.outcomes(retried) == [(1, "failed"), (2, "failed"), (3, "completed")]
    pooled.reach(failed, "failed")
    pooled.reach(late, "failed")
    assert pooled.outcomes(late) == [(1, "timed_out")]
    assert pooled.job(cancelled).status == "cancelled"
    assert pooled.count("end").total() == len({lost, retried, *many, *keyed})
    eventually(lambda: len(pooled.sql("SELECT FROM jobs WHERE schedule_id IS NOT NULL AND status = 'completed'")) > 1)
    eventually(lambda: pooled.sql("SELECT FROM jobs WHERE settled"), 30, what="the monitor settles")
    assert pooled.sql("SELECT FROM alerts WHERE NOT is_firing")  # and watches
    for path in ("/api/jobs?sort=priority", "/api/stats", f"/api/jobs/{lost}/executions", "/readyz"):
        assert pooled.call("GET", path).status == 200
    for node in pooled.nodes:
        assert '"level":"error"' not in node.log
        assert "server away" not in node.log


def test_of_many_at_once_one_migrates_and_no_lock_stays(servers: Servers) -> None:
    with fresh_database(dataclasses.replace(servers, template="template0")) as url, before(url) as pooled:
        with ThreadPoolExecutor(3) as threads:
            answers = [each.result() for each in [threads.submit(migrate, pooled.geturl()) for _ in range(3)]]
        assert sorted(answers) == [[], [], [each.name for each in migrations()]]
        with psycopg.connect(url) as conn:
            locks = "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
            rows = conn.execute(f"{locks} WHERE locktype = 'advisory' AND datname = current_database()").fetchall()
        assert rows == [(0,)]


def test_only_a_pooled_connection_goes_without_prepared_statements(servers: Servers) -> None:
    with fresh_database(servers) as url, before(url) as pooled:
        for each, prepares in ((url, True), (pooled.geturl(), False)):
            database = Database(each, name="test")
            with database.connection() as conn:
                assert (conn.prepare_threshold is not None) is prepares
            database.close()
