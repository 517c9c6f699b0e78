"""What jobs come to in a healthy cluster: an API, a picker and an executor, each a process of its own."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast

import pytest
import redis

from scheduler.domain.job import JsonObject
from tests.acceptance.cluster import Cluster, is_gone
from tests.acceptance.neighbours import Mailbox, Website
from tests.eventually import eventually

AT_ONCE = {"backoff": "fixed", "delay_seconds": 0, "jitter": False}


def finished(town: Cluster, job_id: int) -> tuple[Any, Any]:
    """The job as the API shows it once it has completed, and the record of its one attempt."""
    town.reach(job_id, "completed")
    job = town.call("GET", f"/api/jobs/{job_id}").body
    (execution,) = town.call("GET", f"/api/jobs/{job_id}/executions").body["executions"]
    assert (execution["attempt"], execution["status"], execution["error"]) == (1, "completed", None)
    assert execution["result"] == job["result"]
    return job, execution


def test_a_scheduled_job_starts_in_its_time(town: Cluster) -> None:
    now = town.sql("SELECT now()")[0][0]
    due = [now + timedelta(seconds=2 + n / 10) for n in range(10)]
    ids = [town.post_job("ledger_sleep", scheduled_at=each.isoformat()) for each in due]
    lateness = [(town.entry(job_id, "start").at - when).total_seconds() for job_id, when in zip(ids, due, strict=True)]
    print(f"lateness: median {median(lateness) * 1000:.1f} ms, at the most {max(lateness) * 1000:.1f} ms")  # noqa: T201 - seen with -s or -rP
    assert min(lateness) >= 0
    assert max(lateness) < 2


def test_create_folder(town: Cluster) -> None:
    job, execution = finished(town, town.post_job("create_folder", {"path": "reports/2026"}))
    assert (town.folder / "workspace/reports/2026").is_dir()
    assert job["attempt"] == 1
    assert execution["worker"]


def test_write_file(town: Cluster) -> None:
    finished(town, town.post_job("write_file", {"path": "notes/hello.txt", "content": "Grüße"}))
    assert Path(town.folder / "workspace/notes/hello.txt").read_text() == "Grüße"


def test_send_email(town: Cluster, mailbox: Mailbox) -> None:
    data = {"to": "ann@example.com", "subject": "Hello", "message": "Good morning."}
    job, _ = finished(town, town.post_job("send_email", data))
    (envelope,) = [each for each in mailbox.envelopes if b"Good morning." in cast("bytes", each.content)]
    assert envelope.rcpt_tos == ["ann@example.com"]
    assert job["result"]["accepted"] == ["ann@example.com"]


def test_api(town: Cluster, website: Website) -> None:
    data = {"url": f"http://127.0.0.1:{website.port}/hook", "method": "POST", "json": {"hello": "world"}}
    job, _ = finished(town, town.post_job("api", data))
    assert job["result"]["status"] == 200
    (request,) = [each for each in website.requests if each["idempotency-key"] == f"job-{job['id']}"]
    assert request["x-scheduler-attempt"] == "1"


def test_generate_report(town: Cluster) -> None:
    town.reach(town.post_job("noop"), "completed")
    job, _ = finished(
        town,
        town.post_job("generate_report", {"report": "jobs_summary", "path": "reports/jobs.json", "format": "json"}),
    )
    summary = json.loads(Path(job["result"]["path"]).read_text())
    assert summary["task_types"]["noop"] >= 1
    assert summary["status_counts"]["running"] >= 1  # the report itself


@pytest.mark.parametrize("kind", ["ledger_sleep", "ledger_sleep_thread", "ledger_sleep_process"])
def test_a_function_of_ones_own(town: Cluster, kind: str) -> None:
    job, _ = finished(town, town.post_job(kind))
    assert job["result"] == {"attempt": 1}
    assert [each.event for each in town.entries(job["id"])] == ["start", "end"]


def test_a_job_that_fails_twice_completes(town: Cluster) -> None:
    retry = {"backoff": "linear", "delay_seconds": 0.4, "jitter": False}
    job_id = town.post_job("ledger_fail", {"times": 2}, max_attempts=3, retry=retry)
    job = town.reach(job_id, "completed")
    assert (job.attempt, job.result, job.error) == (3, {"attempt": 3}, None)
    assert town.outcomes(job_id) == [(1, "failed"), (2, "failed"), (3, "completed")]
    first, second, third = town.executions(job_id)
    assert second.started_at - first.finished_at >= timedelta(seconds=0.4)
    assert third.started_at - second.finished_at >= timedelta(seconds=0.8)
    assert job.next_run_at - second.finished_at >= timedelta(seconds=0.8)
    assert third.started_at >= job.next_run_at


def test_a_job_that_always_fails_has_failed_after_its_last_attempt(town: Cluster) -> None:
    job_id = town.post_job("ledger_fail", {"times": 9}, max_attempts=2, retry=AT_ONCE)
    job = town.reach(job_id, "failed")
    assert job.error is not None
    assert job.error["message"] == "attempt 2 was to fail"
    assert town.outcomes(job_id) == [(1, "failed"), (2, "failed")]


def test_a_hanging_attempt_is_cancelled_when_its_time_is_up(town: Cluster) -> None:
    job_id = town.post_job("ledger_sleep", {"seconds": [3600, 0]}, timeout_seconds=0.5, retry=AT_ONCE)
    town.entry(job_id, "cancelled")
    town.reach(job_id, "completed")
    assert town.outcomes(job_id) == [(1, "timed_out"), (2, "completed")]


def test_a_busy_process_is_killed_when_its_time_is_up(town: Cluster) -> None:
    town.reach(town.post_job("ledger_sleep_process"), "completed")  # the fork server has made its imports
    job_id = town.post_job("ledger_burn", timeout_seconds=2, max_attempts=1)
    pids = {town.entry(job_id, event).pid for event in ("start", "grandchild")}
    assert len(pids) == 2
    job = town.reach(job_id, "failed")
    assert job.error is not None
    assert job.error["type"] == "timed_out"
    assert town.outcomes(job_id) == [(1, "timed_out")]
    eventually(lambda: all(map(is_gone, pids)), what="the end of the processes")


def test_an_attempt_that_lets_a_cancellation_of_its_own_out_has_failed(town: Cluster) -> None:
    job_id = town.post_job("ledger_cancelled_within", max_attempts=1)
    town.reach(job_id, "failed")
    assert town.outcomes(job_id) == [(1, "failed")]


def test_cancelling_a_pending_job(town: Cluster) -> None:
    job_id = town.post_job("ledger_sleep", delay_seconds=1)
    assert town.call("POST", f"/api/cancel/{job_id}").body["status"] == "cancelled"
    later = town.post_job("ledger_sleep", delay_seconds=1.5)
    town.reach(later, "completed")
    assert (town.job(job_id).status, town.outcomes(job_id), town.entries(job_id)) == ("cancelled", [], [])


@pytest.mark.parametrize("kind", ["ledger_sleep", "ledger_sleep_thread"])
def test_a_running_task_sees_that_it_is_cancelled(town: Cluster, kind: str) -> None:
    job_id = town.post_job(kind, {"seconds": [3600]}, timeout_seconds=3600)
    town.entry(job_id, "start")
    assert town.call("POST", f"/api/cancel/{job_id}").body["status"] == "cancelled"
    town.entry(job_id, "cancelled", within=5)  # a beat without the signal would be 7.5 s away
    assert town.call("POST", f"/api/cancel/{job_id}").status == 409
    if kind == "ledger_sleep_thread":
        town.entry(job_id, "end")  # it returned in spite of it: a late result
    town.reach(town.post_job("ledger_sleep"), "completed")
    assert town.job(job_id).result is None
    assert (town.job(job_id).status, town.outcomes(job_id)) == ("cancelled", [(1, "cancelled")])


def test_a_running_process_is_killed_when_it_is_cancelled(town: Cluster) -> None:
    job_id = town.post_job("ledger_burn", timeout_seconds=3600)
    pids = [town.entry(job_id, event).pid for event in ("start", "grandchild")]
    assert town.call("POST", f"/api/cancel/{job_id}").body["status"] == "cancelled"
    eventually(lambda: all(map(is_gone, pids)), 5, what="the end of the processes")
    assert (town.job(job_id).status, town.outcomes(job_id)) == ("cancelled", [(1, "cancelled")])


def test_rq_shows_who_works(town: Cluster) -> None:
    job_id = town.post_job("ledger_sleep", {"seconds": [3600]}, timeout_seconds=3600)
    town.entry(job_id, "start")
    eventually(lambda: " busy " in rq_info(town), 30, what="a worker at work")
    town.call("POST", f"/api/cancel/{job_id}")
    eventually(lambda: " idle " in rq_info(town), 30, what="an idle worker")


def rq_info(cluster: Cluster) -> str:
    """What RQ's own command says of the workers."""
    command = [sys.executable, "-m", "rq.cli", "info", "--only-workers", "--raw", "--url", cluster.redis_url]
    seen = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ), timeout=60)
    return seen.stdout + " "


def poison(client: "redis.Redis", name: str, **fields: str | bytes) -> None:
    """A message as RQ would hold it, with these fields."""
    if fields:
        client.hset(f"rq:job:{name}", mapping=cast("Any", fields))
    client.lpush("rq:queue:default", name)


def test_poison_in_the_queue_is_dropped(town: Cluster) -> None:
    calling = b'["os.system", null, ["touch %s"], {}]' % str(town.folder / "called").encode()
    with redis.Redis.from_url(town.redis_url) as client:
        client.sadd("rq:queues", "rq:queue:default")
        poison(client, "no-hash")
        poison(client, "no-data", status="queued")
        poison(client, "not-json", data=b"\x80\x04\x95garbage", status="queued")
        poison(client, "calling", data=calling, status="queued")
        poison(client, "no-such-jobs", data=b'["f", null, [[0, -1, 99999999999999999999]], {}]')
        poison(client, "unknown-jobs", data=b'["f", null, [[999999999]], {}]')
        poison(client, "bad-status", data=b'["f", null, [[1]], {}]', status="no such status")
        poison(client, "bad-date", data=b'["f", null, [[1]], {}]', created_at="yesterday")
        poison(client, cast("str", b"\xff\xfe"))
        client.set("rq:job:a-string", "no hash at all")
        poison(client, "a-string")
        town.reach(town.post_job("ledger_sleep"), "completed")
        eventually(lambda: client.llen("rq:queue:default") == 0, what="an empty queue")
    assert not (town.folder / "called").exists()
    assert all(node.is_alive for node in town.nodes)


def test_concurrent_jobs_of_a_key_run_one_after_another(town: Cluster) -> None:
    data: JsonObject = {"seconds": [0.1]}
    ids = [town.post_job("ledger_sleep", data, concurrency_key="one at a time") for _ in range(4)]
    for job_id in ids:
        town.reach(job_id, "completed")
    events = [each.event for each in town.entries() if each.job_id in ids]
    assert events == ["start", "end"] * 4
