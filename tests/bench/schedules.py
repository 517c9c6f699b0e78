"""Recurring schedules: a thousand that are due in the same second, among a hundred thousand that are not."""

from collections.abc import Callable
from typing import Any, Final

import psycopg

from scheduler.domain.schedule import Overlap
from tests.bench.ours import running
from tests.bench.stage import Stage
from tests.integration.picker.crowds import CROWD, DUE, crowd_in

_DUE_IN_SECONDS: Final = 12.0
_PATIENCE_SECONDS: Final = 60.0

_LATENESS: Final = """
    SELECT extract(epoch FROM max(made)) * 1000,
           extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY started)) * 1000,
           extract(epoch FROM max(started)) * 1000
    FROM (
        SELECT jobs.created_at - occurrence_at AS made, executions.started_at - occurrence_at AS started
        FROM jobs JOIN executions ON job_id = jobs.id
    ) AS late"""


def schedules(overlap: Overlap) -> Callable[[Stage, int], dict[str, Any]]:
    """How long after their time the last job is made, and jobs start, in ms; below zero is before it."""

    def run(stage: Stage, jobs: int) -> dict[str, Any]:
        with stage.place() as place, running(place, "picker", "executor") as cluster:
            with psycopg.connect(place.database_url, autocommit=True) as conn:
                crowd_in(conn, later=CROWD, due=0)
                crowd_in(conn, later=0, due=DUE, seconds=_DUE_IN_SECONDS, overlap=overlap)
            cluster.all_reach("completed", DUE, within=_PATIENCE_SECONDS)
            ((made, median, last),) = cluster.sql(_LATENESS)
        return {"last made ms": float(made), "start p50 ms": float(median), "last start ms": float(last)}

    return run
