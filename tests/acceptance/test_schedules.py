"""Schedules in a cluster: one job an occurrence whoever dies, on time, and what an outage makes of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from scheduler.domain.caller import OPERATOR
from scheduler.domain.job import NewJob
from scheduler.domain.schedule import Misfire, NewSchedule, Overlap, Schedule, Timing
from scheduler.store.reads import get_schedule
from scheduler.store.schedules import change_schedule, create_schedule
from tests.acceptance.cluster import Cluster
from tests.eventually import eventually

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def scheduled(cluster: Cluster, cron: str, task_type: str = "noop", data: Any = None, **timing: Any) -> Schedule:
    job = NewJob(name="recurring", task_type=task_type, task_data=data or {})
    with cluster.database.connection() as conn:
        return create_schedule(conn, OPERATOR, NewSchedule(timing=Timing(cron=cron, **timing), job=job))


def occurrences(cluster: Cluster, schedule: Schedule) -> list[datetime]:
    """Those that have a job, one entry a job."""
    rows = cluster.sql("SELECT occurrence_at FROM jobs WHERE schedule_id = %s ORDER BY occurrence_at", schedule.id)
    return [at.astimezone(UTC) for (at,) in rows]


def next_at(cluster: Cluster, schedule: Schedule) -> datetime:
    """The first occurrence that has no job yet."""
    with cluster.database.connection() as conn:
        at = get_schedule(conn, OPERATOR, schedule.id).next_at
    assert at is not None
    return at


def now(cluster: Cluster) -> datetime:
    return cluster.sql("SELECT clock_timestamp()")[0][0].astimezone(UTC)


def test_pickers_that_are_killed_leave_out_and_repeat_nothing(cluster: Cluster) -> None:
    schedules = [
        scheduled(cluster, cron, misfire=Misfire.RUN_ALL)  # so that a slow machine, too, has to make them all
        for cron in ["* * * * * *", "*/2 * * * * *", "@every 1s"] * 20
    ]
    pickers = cluster.start("picker", "picker")
    for _ in range(3):
        made = sum(len(occurrences(cluster, each)) for each in schedules)
        eventually(
            lambda made=made: sum(len(occurrences(cluster, each)) for each in schedules) > made, what="further jobs"
        )
        pickers.pop(0).kill()
        pickers += cluster.start("picker")
    end = now(cluster)
    for each in schedules:
        eventually(lambda each=each: next_at(cluster, each) > end, what="all that was due by then")
        rule, made_at = each.timing.recurrence(each.created_at), occurrences(cluster, each)
        expected = rule.occurrences(each.created_at)
        assert made_at == [next(expected) for _ in made_at]
        assert made_at[-1] <= end + 6 * SECOND


def test_jobs_start_at_their_occurrences_until_a_pause(cluster: Cluster) -> None:
    cluster.start("picker", "executor")
    eager = scheduled(cluster, "* * * * * *", "ledger_sleep")
    careful = scheduled(cluster, "* * * * * *", "ledger_sleep", {"seconds": [2.5]}, overlap=Overlap.SKIP)

    def starts(schedule: Schedule) -> list[tuple[datetime, datetime]]:
        jobs = dict(cluster.sql("SELECT id, occurrence_at FROM jobs WHERE schedule_id = %s", schedule.id))
        entries = [entry for entry in cluster.entries() if entry.event == "start" and entry.job_id in jobs]
        return [(jobs[entry.job_id], entry.at) for entry in entries]

    eventually(lambda: len(starts(eager)) >= 6 and len(starts(careful)) >= 2, 30, what="some runs")
    for each in (eager, careful):
        with cluster.database.connection() as conn:
            change_schedule(conn, OPERATOR, each.id, lambda old: replace(old, enabled=False))
    paused = now(cluster)
    runs = starts(eager)
    lateness = [(started - at).total_seconds() for at, started in runs]
    print(f"lateness of occurrences: at the most {max(lateness) * 1000:.1f} ms")  # noqa: T201 - seen with -s or -rP
    assert min(lateness) >= 0
    assert [at for at, _ in runs] == [runs[0][0] + SECOND * n for n in range(len(runs))]
    careful_runs = [at for at, _ in starts(careful)]
    assert all(later - earlier >= 3 * SECOND for earlier, later in pairwise(careful_runs))
    assert all(at <= paused + SECOND for at in occurrences(cluster, eager))


@pytest.mark.parametrize(("misfire", "late"), [(Misfire.RUN_ONCE, 1), (Misfire.RUN_ALL, 24), (Misfire.SKIP, 0)])
def test_after_a_day_without_pickers(cluster: Cluster, misfire: Misfire, late: int) -> None:
    """The outage is real, its length is not: the schedule is moved a day back while no process runs."""
    schedule = scheduled(cluster, "0 0 * * * *", misfire=misfire)
    upcoming = next_at(cluster, schedule)
    picker, _ = cluster.start("picker", "executor")
    picker.kill()
    first = upcoming - 24 * HOUR
    cluster.sql("UPDATE schedules SET next_at = %s, make_at = %s RETURNING id", first, first)
    cluster.start("picker")

    eventually(lambda: next_at(cluster, schedule) >= upcoming, what="a judgement of what was missed")
    made = [at for at in occurrences(cluster, schedule) if at < upcoming]
    assert made == [first + HOUR * n for n in range(late)]
    if late:
        (job_id,) = cluster.sql("SELECT id FROM jobs ORDER BY occurrence_at LIMIT 1")[0]
        cluster.reach(job_id, "completed")
