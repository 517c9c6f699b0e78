"""What users do to jobs: create, cancel, retry."""

import time
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from scheduler.domain.caller import OPERATOR, Caller
from scheduler.domain.errors import Conflict
from scheduler.domain.job import NewJob
from scheduler.domain.states import ENDED, Event, ExecutionStatus, JobStatus, next_status, sources
from scheduler.store import intake, transitions
from scheduler.store.connection import Connection
from tests.integration.store.lives import AGEING, JOB
from tests.model.act import (
    Act,
    Expected,
    Told,
    made_ended,
    recorded,
    turn_now,
)
from tests.model.world import Expiry, Job, Jobs


@dataclass(frozen=True, repr=False)
class Create(Act):
    """A user asks for a job. Until it has an id the model calls it `name`, which is below zero."""

    new: NewJob
    caller: Caller = OPERATOR
    name: int = -1

    def __repr__(self) -> str:
        asked = {each.name: getattr(self.new, each.name) for each in fields(JOB)}
        unusual = {name: value for name, value in asked.items() if value != getattr(JOB, name)}
        return f"Create({unusual}, owner {self.caller.owner_id})"

    def run(self, conn: Connection) -> Told:
        job, is_new = intake.create_job(conn, self.caller, self.new)
        return {job.id: self.name if is_new else "bears the key"}

    def expect(self, jobs: Jobs) -> Expected:
        new, owner_id = self.new, self.caller.owner_id
        if bearer := _bearer(jobs, owner_id, new.unique_key):
            return jobs, {bearer: "bears the key"}
        job = Job(
            max_attempts=new.max_attempts,
            priority=new.priority,
            owner_id=owner_id,
            unique_key=new.unique_key,
            concurrency_key=new.concurrency_key,
            is_due=not new.delay_seconds,
            expiry=Expiry.AHEAD if new.expires_at else Expiry.NONE,
            turn=Decimal(new.priority * AGEING + time.time() + new.delay_seconds),
        )
        return {**jobs, self.name: job}, {self.name: self.name}


def _bearer(jobs: Jobs, owner_id: int, unique_key: str | None) -> int | None:
    bearers = [
        job_id
        for job_id, job in jobs.items()
        if unique_key is not None and (job.owner_id, job.unique_key) == (owner_id, unique_key)
        if job.status not in ENDED
    ]
    return bearers[0] if bearers else None


@dataclass(frozen=True)
class Cancel(Act):
    """A user cancels a job."""

    event: ClassVar[Event | None] = Event.CANCEL
    job_id: int

    def run(self, conn: Connection) -> Told:
        try:
            return {transitions.cancel(conn, OPERATOR, self.job_id).id: "cancelled"}
        except Conflict:
            return {self.job_id: "refused"}

    def expect(self, jobs: Jobs) -> Expected:
        job = jobs[self.job_id]
        if job.status in ENDED:
            return jobs, {self.job_id: "refused"}
        is_running = job.status is JobStatus.RUNNING
        records = recorded(job, ExecutionStatus.CANCELLED) if is_running else job.records
        after = replace(made_ended(job, Event.CANCEL, job.error), records=records)
        return {**jobs, self.job_id: after}, {self.job_id: "cancelled"}


@dataclass(frozen=True)
class Retry(Act):
    """A user sends a job round again, now or tomorrow."""

    event: ClassVar[Event | None] = Event.RETRY
    job_id: int
    later: bool = False

    def run(self, conn: Connection) -> Told:
        at = datetime.now(UTC) + timedelta(days=1) if self.later else None
        try:
            return {transitions.retry(conn, OPERATOR, self.job_id, at).id: "sent round"}
        except Conflict:
            return {self.job_id: "refused"}

    def expect(self, jobs: Jobs) -> Expected:
        job = jobs[self.job_id]
        if job.status not in sources(Event.RETRY) or _bearer(jobs, job.owner_id, job.unique_key):
            return jobs, {self.job_id: "refused"}
        keeps_expiry = job.expiry is Expiry.AHEAD and not self.later
        after = replace(
            job,
            status=next_status(job.status, Event.RETRY),
            attempt=0,
            is_due=not self.later,
            expiry=Expiry.AHEAD if keeps_expiry else Expiry.NONE,
            error=None,
            turn=turn_now(job),
        )
        return {**jobs, self.job_id: after}, {self.job_id: "sent round"}
