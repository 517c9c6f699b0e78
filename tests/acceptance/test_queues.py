"""Queues that are held back, with real pickers and executors."""

from itertools import pairwise

from scheduler.store.queues import limit_running
from tests.acceptance.cluster import Cluster, free_port
from tests.eventually import eventually

JOBS = 6


def test_one_at_a_time_over_all_executors_and_promptly(cluster: Cluster) -> None:
    """A picker would look again after its poll, or a quarter of a lease: whoever ends one has to wake it."""
    cluster.settings |= {"picker_poll_seconds": 30, "lease_seconds": 120}
    with cluster.database.connection() as conn:
        limit_running(conn, "default", 1)
    cluster.start("picker", "picker", "executor", "executor")
    cluster.create_many(JOBS, "ledger_sleep", {"seconds": [0.3]})
    cluster.all_reach("completed", JOBS, within=40)
    spans = cluster.sql("SELECT started_at, finished_at FROM executions ORDER BY started_at")
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert (spans[-1][1] - spans[0][0]).total_seconds() < 15


def test_a_pause_stops_starts_and_a_resume_goes_on_at_once(cluster: Cluster) -> None:
    cluster.settings |= {"api_port": free_port(), "picker_poll_seconds": 30}
    cluster.start("api", "picker", "executor", executor_concurrency=1)
    first = cluster.post_job("ledger_sleep", {"seconds": [4.0]})
    cluster.entry(first, "start")
    rest = [cluster.post_job("ledger_sleep") for _ in range(3)]
    assert cluster.call("POST", "/api/queues/default/pause").body["paused"]
    cluster.reach(first, "completed")
    assert [cluster.job(each).status.value for each in rest] == ["pending"] * 3
    cluster.call("POST", "/api/queues/default/resume")
    cluster.all_reach("completed", 4, within=20)


def test_workers_are_listed_with_their_queues_and_the_dead_disappear(cluster: Cluster) -> None:
    cluster.settings["api_port"] = free_port()
    cluster.start("api", "picker")
    bound = cluster.start_one("executor", executor_queues="mail,default", executor_concurrency=7)

    def seen() -> dict[str, tuple[list[str], int | None]]:
        workers = cluster.call("GET", "/api/workers").body["workers"]
        return {each["kind"]: (each["queues"], each["capacity"]) for each in workers}

    eventually(lambda: seen() == {"picker": ([], None), "executor": (["mail", "default"], 7)})
    elsewhere = cluster.post_job("noop", queue="other")
    served = cluster.post_job("noop", queue="mail")
    cluster.reach(served, "completed")
    assert cluster.job(elsewhere).status.value in {"pending", "picked"}
    bound.kill()
    cluster.sql("UPDATE workers SET seen_at = seen_at - interval '18 s' WHERE kind = 'executor' RETURNING 1")
    eventually(lambda: "executor" not in seen())
