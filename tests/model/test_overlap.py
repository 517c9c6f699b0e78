"""Every two acts that can meet over a job do, in transactions that overlap: what comes of it is one of the orders."""

from itertools import product

import pytest

from scheduler.domain.states import LIVE, JobStatus
from tests.model.actors import lab_on
from tests.model.clock import PassExpiry
from tests.model.meetings import KINDS, acts_on
from tests.model.overlap import Overlap
from tests.model.stage import Stage


@pytest.mark.parametrize(
    ("status", "kind"),
    [*product(JobStatus, ["plain", "unique"]), (JobStatus.RUNNING, "one attempt")],
)
def test_any_two_acts_come_out_as_in_one_of_the_orders(database_url: str, status: JobStatus, kind: str) -> None:
    lateness = (False, True) if status in LIVE or status is JobStatus.PENDING else (False,)
    with lab_on(database_url) as lab:

        def led(*, late: bool) -> tuple[Stage, int]:
            """A job that stands there alone; `late`: its lease or its `expires_at` has passed."""
            stage = Stage(lab)
            job_id = stage.job_in(status, 0, KINDS[kind])
            if late and status in LIVE:
                stage.lapse(job_id, unnoticed=True)
            elif late:
                stage.act(lab.clock, PassExpiry(job_id))
            return stage, job_id

        for late in lateness:
            count = len(acts_on(*led(late=late), place=0))
            for first, second in ((first, second) for first in range(count) for second in range(count)):
                for overlap in (Overlap.COMMIT, Overlap.CRASH):
                    stage, job_id = led(late=late)
                    stage.both(acts_on(stage, job_id, 0)[first], acts_on(stage, job_id, 1)[second], overlap)
