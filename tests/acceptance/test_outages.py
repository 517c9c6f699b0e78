"""PostgreSQL and Redis away, frozen and full, for longer than a lease: jobs wait, results wait, daemons stay."""

# redis-py leaves some of its arguments untyped.
# pyright: reportUnknownMemberType=false

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
import redis

from scheduler.daemon import Stop
from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import DEFAULT_QUEUE, Attempt, AttemptKey, Completed, NewJob, Outcome
from scheduler.domain.schedule import Misfire, NewSchedule, Timing
from scheduler.embedded import Server
from scheduler.executor.hold import Hold
from scheduler.executor.receiver import Receiver
from scheduler.executor.recorder import MAX_WAITING, MAX_WAITING_BYTES, Recorder
from scheduler.executor.slots import Slots
from scheduler.executor.starter import Starter
from scheduler.executor.worker import MessageWorker
from scheduler.queue import push_messages
from scheduler.store.connection import Database
from scheduler.store.schedules import create_schedule
from tests.acceptance.cluster import Answer, Cluster, Node, free_port
from tests.acceptance.own_servers import LEASE, Crowd, OwnServers, cluster_on, paused, running_own_servers, stopped
from tests.eventually import eventually
from tests.servers import Servers, fresh_database

SLACK = 20.0
"""Of seconds, for a machine that has other things to do."""
ROLES = ("api", "picker", "executor", "monitor")


@pytest.fixture(scope="module")
def own() -> Generator[OwnServers]:
    with running_own_servers() as own:
        yield own


@pytest.fixture
def cluster(own: OwnServers, servers: Servers, tmp_path: Path) -> Generator[Cluster]:
    """No process runs yet."""
    with cluster_on(own, servers, tmp_path, api_port=free_port()) as cluster:
        yield cluster


def assert_all_alive(nodes: Sequence[Node]) -> None:
    assert [node.log for node in nodes if not node.is_alive] == []


def post(cluster: Cluster) -> Answer:
    """What the API says to a new job."""
    return cluster.call("POST", "/api/job", {"task": {"type": "ledger_sleep", "data": {}}})


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_postgresql_away_for_longer_than_a_lease(cluster: Cluster, own: OwnServers) -> None:
    """A result waits for it; an attempt that goes on for longer than its lease is given up, and tried again."""
    nodes = cluster.start(*ROLES)
    executor = nodes[2]
    goes_on = cluster.create("ledger_sleep", {"seconds": [3600, 0]}, timeout_seconds=3600)
    in_thread = cluster.create("ledger_sleep_thread", {"seconds": [3600, 0]}, timeout_seconds=3600)
    in_process = cluster.create("ledger_sleep_process", {"seconds": [3600, 0]}, timeout_seconds=3600)
    for job_id in (goes_on, in_thread, in_process):
        cluster.entry(job_id, "start")
    ends = cluster.create("ledger_sleep", {"seconds": [1.2]})
    cluster.entry(ends, "start")
    with stopped(own.postgres):
        cluster.entry(ends, "end")
        eventually(lambda: "results wait for PostgreSQL" in executor.log, what="a result that waits")
        asked = time.monotonic()
        answer = post(cluster)
        print(f"the API answered {answer.status} after {time.monotonic() - asked:.2f} s")  # noqa: T201 - seen with -rP
        assert answer.status == 503
        for job_id in (goes_on, in_thread):
            cluster.entry(job_id, "cancelled", within=LEASE + SLACK)
    assert eventually(lambda: post(cluster).status == 201, SLACK)
    cluster.reach(ends, "completed", within=SLACK)
    assert cluster.outcomes(ends) == [(1, "completed")]
    for job_id in (goes_on, in_thread, in_process):
        cluster.reach(job_id, "completed", within=2 * LEASE + SLACK)
        assert cluster.outcomes(job_id) == [(1, "lost"), (2, "completed")]
    assert_all_alive(nodes)


def test_a_refusal_says_when_to_come_back(cluster: Cluster, own: OwnServers) -> None:
    """And what answers meanwhile is the API, not a page of its server's."""
    api = cluster.start_one("api")
    with stopped(own.postgres):
        body = post(cluster).body
        assert (body["status"], "PostgreSQL" in body["detail"]) == (503, True)
        assert cluster.call("GET", "/healthz").status == 200
        assert cluster.call("GET", "/readyz").status == 503
    eventually(lambda: cluster.call("GET", "/readyz").status == 200, SLACK)
    assert api.is_alive


def test_postgresql_restarted_under_load(cluster: Cluster, own: OwnServers) -> None:
    """At once, as a crash does it, three times."""
    nodes = cluster.start("picker", "executor", "executor", executor_concurrency=5)
    ids = cluster.create_many(200, "ledger_sleep", {"seconds": [0.1]}, max_attempts=20)
    for done in (20, 70, 120):
        eventually(lambda done=done: len(cluster.count("end")) >= done, 60, what=f"{done} jobs done")
        own.postgres.restart(immediate=True)
    eventually(lambda: len(cluster.count("end")) == len(ids), 60, what="the end of every job")
    cluster.all_reach("completed", len(ids), within=2 * LEASE + SLACK)
    rows = cluster.sql("SELECT job_id, count(*) FROM executions WHERE status = 'completed' GROUP BY 1")
    assert Counter(dict(rows)) == Counter(ids)
    recorded = cluster.sql("SELECT job_id, max(attempt), count(*) FROM executions GROUP BY 1")
    assert [row for row in recorded if row[1] != row[2]] == []  # every attempt is on record
    assert_all_alive(nodes)


def test_postgresql_with_no_connection_left(cluster: Cluster, own: OwnServers) -> None:
    """Everybody's are taken, and those that are there are cut: the API says so, and all go on when there are some."""
    nodes = cluster.start(*ROLES)
    job_id = cluster.create("ledger_sleep", {"seconds": [1.5]})
    cluster.entry(job_id, "start")
    crowd = Crowd(own.embedded.database_url)
    with psycopg.connect(cluster.database_url, autocommit=True) as admin:

        def cut_and_crowd() -> bool:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^scheduler '"
            )
            crowd.grow(100)
            return post(cluster).status == 503 and "away" in nodes[1].log

        try:
            eventually(cut_and_crowd, 60, what="an API without a connection")
            cluster.entry(job_id, "end")
        finally:
            crowd.leave()
    eventually(lambda: post(cluster).status == 201, SLACK)
    cluster.reach(job_id, "completed", within=2 * LEASE + SLACK)
    eventually(lambda: set(cluster.statuses()) == {"completed"}, SLACK, what="the end of the others")
    assert_all_alive(nodes)


def test_postgresql_frozen_for_longer_than_a_lease(cluster: Cluster, own: OwnServers) -> None:
    """Nobody can be rescued meanwhile, and nobody is in the first moment after it."""
    nodes = cluster.start("picker", "executor")
    ends = cluster.create("ledger_sleep", {"seconds": [1.0]})
    goes_on = cluster.create("ledger_sleep", {"seconds": [3600, 0]}, timeout_seconds=3600)
    cluster.entry(ends, "start")
    cluster.entry(goes_on, "start")
    with paused(own.postgres):
        cluster.entry(ends, "end")
        cluster.entry(goes_on, "cancelled", within=LEASE + SLACK)
    cluster.reach(ends, "completed", within=SLACK)
    cluster.reach(goes_on, "completed", within=2 * LEASE + SLACK)
    assert cluster.outcomes(ends) == [(1, "completed")]
    assert cluster.outcomes(goes_on) == [(1, "lost"), (2, "completed")]
    assert_all_alive(nodes)


def test_postgresql_that_takes_no_writes_for_a_while(cluster: Cluster, own: OwnServers) -> None:
    """As a primary does that has become a standby, and a managed server whose disk is full."""
    nodes = cluster.start(*ROLES)
    ends = cluster.create("ledger_sleep", {"seconds": [1.0]})
    cluster.entry(ends, "start")
    with read_only(own):
        cluster.entry(ends, "end")
        eventually(lambda: "results wait for PostgreSQL" in nodes[2].log, SLACK, what="a result that waits")
        answer = post(cluster)
        assert (answer.status, "takes no writes" in answer.body["detail"]) == (503, True)
    eventually(lambda: post(cluster).status == 201, SLACK)
    cluster.reach(ends, "completed", within=SLACK)
    assert cluster.outcomes(ends) == [(1, "completed")]
    assert_all_alive(nodes)


@contextmanager
def read_only(own: OwnServers) -> Generator[None]:
    with psycopg.connect(own.embedded.database_url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("away", [stopped, paused], ids=["stopped", "frozen"])
def test_redis_away_for_longer_than_a_lease(
    cluster: Cluster, own: OwnServers, away: Callable[[Server], AbstractContextManager[None]]
) -> None:
    """Jobs are taken and wait; what runs goes on, keeps its lease and is recorded; then the rest runs."""
    nodes = cluster.start(*ROLES)
    running = cluster.create("ledger_sleep", {"seconds": [LEASE + 1.5]})
    cluster.entry(running, "start")
    with away(own.redis):
        taken = [post(cluster).body["id"] for _ in range(3)]
        cluster.reach(running, "completed", within=2 * LEASE + SLACK)
        assert cluster.statuses()["completed"] == 1
        assert cluster.call("POST", f"/api/cancel/{taken[0]}").status == 200
    for job_id in taken[1:]:
        cluster.reach(job_id, "completed", within=2 * LEASE + SLACK)
    for job_id in (running, *taken[1:]):
        assert cluster.outcomes(job_id) == [(1, "completed")]
    assert cluster.entries(taken[0]) == []
    assert_all_alive(nodes)


def test_schedules_miss_nothing_without_redis(cluster: Cluster, own: OwnServers) -> None:
    """Their jobs are made meanwhile, though another is due, which no picker can hand over."""
    picker = cluster.start_one("picker")
    task = NewJob(name="every second", task_type="noop", task_data={})
    timing = Timing(cron="* * * * * *", misfire=Misfire.RUN_ALL)  # a slow machine, too, has to make them all
    with stopped(own.redis):
        cluster.create("noop")
        with cluster.database.connection() as conn:
            schedule = create_schedule(conn, OPERATOR, NewSchedule(timing=timing, job=task))

        def made() -> list[datetime]:
            found = "SELECT occurrence_at FROM jobs WHERE schedule_id = %s ORDER BY 1"
            return [at for (at,) in cluster.sql(found, schedule.id)]

        eventually(lambda: len(made()) > 16, 3 * SLACK, what="the jobs of a quarter of a minute")
    assert {later - earlier for earlier, later in pairwise(made())} == {timedelta(seconds=1)}
    assert_all_alive([picker])


def test_processes_that_start_before_their_servers(cluster: Cluster, own: OwnServers) -> None:
    job_id = cluster.create("ledger_sleep")
    with stopped(own.postgres), stopped(own.redis):
        nodes = [cluster.launch(role) for role in ROLES]
        eventually(lambda: all("waiting to start" in node.log for node in nodes[1:]), 60, what="daemons that wait")
    for node in nodes:
        node.wait_ready()
    cluster.reach(job_id, "completed", within=SLACK)
    assert_all_alive(nodes)


# ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def ended(number: int, result: str | None = None) -> Outcome:
    """How an attempt at a job that nobody knows came out."""
    return Completed(
        key=AttemptKey(number, 1),
        duration_seconds=0.0,
        finished=time.monotonic(),
        logs=(),
        lets_others_begin=False,
        result=result,
    )


def admitted_at_once(_attempts: Sequence[Attempt], _asked: float) -> threading.Event:
    """An event loop that is always free."""
    admitted = threading.Event()
    admitted.set()
    return admitted


@pytest.mark.parametrize(
    ("count", "result"),
    [(2 * MAX_WAITING, None), (70, '"' + "x" * (MAX_WAITING_BYTES // 64) + '"')],
    ids=["many", "large"],
)
def test_what_waits_for_postgresql_is_bounded(own: OwnServers, redis_url: str, count: int, result: str | None) -> None:
    """Once as much waits as may, no message is taken; when all is written, they are again."""
    stop = Stop()
    with (
        fresh_database(own.servers) as url,
        closing(Database(url, name="test")) as database,
        redis.Redis.from_url(redis_url) as client,
    ):
        recorder = Recorder(database, lambda _recorded: None)
        worker = MessageWorker(redis_url, queues=[DEFAULT_QUEUE], name="test", capacity=4)
        slots = Slots(4)
        starter = Starter(worker, database, slots, admitted_at_once, lease_seconds=LEASE)
        receiver = Receiver(worker, starter, Hold(starter, stop), slots=slots, recorder=recorder, stop=stop)
        with stopped(own.postgres):
            recorder.start()
            for number in range(1, count + 1):
                if not recorder.is_full:
                    recorder.add([ended(number, result)])
            assert recorder.is_full
            push_messages(client, DEFAULT_QUEUE, [[1]])
            receiver.start()
            until = time.monotonic() + 1.5
            eventually(lambda: time.monotonic() > until)
            assert client.llen(f"rq:queue:{DEFAULT_QUEUE}") == 1
            assert recorder.is_full
        eventually(lambda: not recorder.is_full, 60, what="results that are written")
        eventually(lambda: client.llen(f"rq:queue:{DEFAULT_QUEUE}") == 0, 30, what="a message that is taken")
        stop.request()
        receiver.join(5)
        assert recorder.close(30) == 0
