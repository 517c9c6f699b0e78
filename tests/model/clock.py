"""Time, as the model lets it pass: without waiting, for the one job that it is about.

The database's clock decides what is due or past, and nobody may turn it. So a moment that an hour of waiting would
bring into the past is moved there by hand. Nothing else of the product compares moments of different jobs, the order
of claims aside, which the model knows (`Job.turn`).
"""

from dataclasses import dataclass, replace
from typing import Final

from scheduler.domain.states import ENDED, JobStatus
from scheduler.store.connection import Connection
from tests.integration.store.lives import lapse, pass_expiry
from tests.model.act import Act, Expected, Told
from tests.model.world import Expiry, Jobs, Lease

_FALL_DUE: Final = "UPDATE jobs SET next_run_at = now() - make_interval(secs => %s) WHERE id = %s"


@dataclass(frozen=True)
class Lapse(Act):
    """The lease of a job runs out."""

    job_id: int

    def run(self, conn: Connection) -> Told:
        lapse(conn, self.job_id)
        return {}

    def expect(self, jobs: Jobs) -> Expected:
        job = jobs[self.job_id]
        lease = Lease.NONE if job.lease is Lease.NONE else Lease.LAPSED
        return {**jobs, self.job_id: replace(job, lease=lease)}, {}


@dataclass(frozen=True)
class FallDue(Act):
    """A pending job has been due for so many seconds."""

    job_id: int
    seconds: int

    def run(self, conn: Connection) -> Told:
        conn.execute(_FALL_DUE, (self.seconds, self.job_id))
        return {}

    def expect(self, jobs: Jobs) -> Expected:
        return {**jobs, self.job_id: replace(jobs[self.job_id], is_due=True)}, {}


@dataclass(frozen=True)
class PassExpiry(Act):
    """The `expires_at` of a job passes."""

    job_id: int

    def run(self, conn: Connection) -> Told:
        pass_expiry(conn, self.job_id)
        return {}

    def expect(self, jobs: Jobs) -> Expected:
        return {**jobs, self.job_id: replace(jobs[self.job_id], expiry=Expiry.PAST)}, {}


def passing(jobs: Jobs, seconds: int) -> list[Act]:
    """What time can bring about."""
    acts: list[Act] = []
    for job_id, job in jobs.items():
        if job.lease is Lease.RUNS:
            acts.append(Lapse(job_id))
        if job.status is JobStatus.PENDING:
            acts.append(FallDue(job_id, seconds))
        if job.expiry is Expiry.AHEAD and job.status not in ENDED:
            acts.append(PassExpiry(job_id))
    return acts
