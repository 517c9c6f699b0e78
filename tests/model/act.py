"""What can be done to jobs. Each act runs one statement of the store, and says beside it what that should do.

`expect` is the model: pure, over the jobs as they were. What a statement answers is reduced to `Told`: for each job
that it speaks of, what it says.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar, Final, TypeAlias

from scheduler.domain.states import Event, ExecutionStatus, next_status
from scheduler.store.connection import Connection
from tests.integration.store.lives import AGEING
from tests.model.world import Job, Jobs, Lease, Record

Told: TypeAlias = Mapping[int, Hashable]
Expected: TypeAlias = tuple[Jobs, Told]

LEASE_SECONDS: Final = 3600.0
"""Longer than any history takes: a lease lapses when the model's clock says so."""

SERVER_UP_SECONDS: Final = 0.001
"""The lease that upkeep is told: a rescue waits that long after the start of the server."""

NO_LIMIT: Final = 100


class Act(ABC):
    """One statement."""

    event: ClassVar[Event | None] = None
    passes_over: ClassVar[bool] = False
    """It leaves rows alone that another holds: doing nothing to them is right as well."""

    @abstractmethod
    def run(self, conn: Connection) -> Told:
        """Do it."""

    @abstractmethod
    def expect(self, jobs: Jobs) -> Expected:
        """What becomes of these jobs, and what it says of them, if nobody else acts."""

    def told_past(self, jobs: Jobs) -> Told:  # noqa: ARG002 - most say nothing then
        """What it says all the same where it passes over each row of these."""
        return {}


def each(jobs: Jobs, does: Callable[[int, Job], tuple[Job, Hashable] | None]) -> Expected:
    """What becomes of each job by itself; None for one that is left alone."""
    moved = {job_id: result for job_id, job in jobs.items() if (result := does(job_id, job)) is not None}
    after = {**jobs, **{job_id: job for job_id, (job, _) in moved.items()}}
    return after, {job_id: said for job_id, (_, said) in moved.items()}


def turn_now(job: Job) -> Decimal:
    """Its turn, if it falls due this moment."""
    return Decimal(job.priority * AGEING + time.time())


def made_pending(job: Job, event: Event) -> Job:
    return replace(job, status=next_status(job.status, event), lease=Lease.NONE)


def made_ended(job: Job, event: Event, error: str | None) -> Job:
    return replace(job, status=next_status(job.status, event), lease=Lease.NONE, error=error)


def recorded(job: Job, status: ExecutionStatus) -> tuple[Record, ...]:
    return (*job.records, Record(job.run, job.attempt, status))
