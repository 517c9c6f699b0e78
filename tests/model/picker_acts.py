"""What pickers do: claim, give back, and the upkeep of what others left."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import ClassVar

from scheduler.domain.states import LIVE, Event, ExecutionStatus, JobStatus, next_status, sources
from scheduler.store import transitions
from scheduler.store.connection import Connection
from tests.integration.store.lives import AGEING
from tests.model.act import (
    LEASE_SECONDS,
    NO_LIMIT,
    SERVER_UP_SECONDS,
    Act,
    Expected,
    Told,
    each,
    made_ended,
    made_pending,
    recorded,
    turn_now,
)
from tests.model.world import Expiry, Job, Jobs, Lease


@dataclass(frozen=True)
class Claim(Act):
    """A picker claims."""

    event: ClassVar[Event | None] = Event.CLAIM
    passes_over: ClassVar[bool] = True
    keyed: bool
    limit: int = NO_LIMIT

    def run(self, conn: Connection) -> Told:
        claim = transitions.claim_keyed if self.keyed else transitions.claim
        jobs = claim(conn, queue="default", limit=self.limit, lease_seconds=LEASE_SECONDS, ageing_seconds=AGEING)
        return dict.fromkeys((job.id for job in jobs), "claimed")

    def expect(self, jobs: Jobs) -> Expected:
        taken = {(job.owner_id, job.concurrency_key) for job in jobs.values() if job.status in LIVE}
        first: list[int] = []
        for job_id, job in sorted(jobs.items(), key=lambda item: (item[1].turn, item[0])):
            key = (job.owner_id, job.concurrency_key)
            may_start = job.status is JobStatus.PENDING and job.is_due and job.expiry is not Expiry.PAST
            if may_start and (job.concurrency_key is not None) == self.keyed and not (self.keyed and key in taken):
                taken.add(key)
                first.append(job_id)
        return each(jobs, lambda job_id, job: self._claimed(job) if job_id in first[: self.limit] else None)

    def _claimed(self, job: Job) -> tuple[Job, Hashable]:
        return replace(job, status=next_status(job.status, Event.CLAIM), lease=Lease.RUNS), "claimed"


@dataclass(frozen=True)
class GiveBack(Act):
    """Whoever holds claims that were not started gives them back."""

    event: ClassVar[Event | None] = Event.GIVE_BACK
    ids: tuple[int, ...]

    def run(self, conn: Connection) -> Told:
        count = transitions.give_back(conn, self.ids)
        return {self.ids[0]: "given back"} if count and len(self.ids) == 1 else {}  # of many it tells how many

    def expect(self, jobs: Jobs) -> Expected:
        def given_back(job_id: int, job: Job) -> tuple[Job, Hashable] | None:
            applies = job_id in self.ids and job.status in sources(Event.GIVE_BACK)
            return (made_pending(job, Event.GIVE_BACK), "given back") if applies else None

        after, told = each(jobs, given_back)
        return after, told if len(self.ids) == 1 else {}


def _may_be_rescued(job: Job, *, trusted: bool) -> bool:
    return job.lease is Lease.RELEASED or (trusted and job.lease is Lease.LAPSED)


@dataclass(frozen=True)
class Rescue(Act):
    """Upkeep sends jobs round again whose leases have run out."""

    event: ClassVar[Event | None] = Event.RESCUE
    passes_over: ClassVar[bool] = True
    trusted: bool = True

    def run(self, conn: Connection) -> Told:
        rescued = transitions.rescue(conn, limit=NO_LIMIT, lease_seconds=SERVER_UP_SECONDS, trusted=self.trusted)
        return {**dict.fromkeys(rescued.picked, "picked"), **dict.fromkeys(rescued.lost, "lost")}

    def expect(self, jobs: Jobs) -> Expected:
        def rescued(_job_id: int, job: Job) -> tuple[Job, Hashable] | None:
            if not _may_be_rescued(job, trusted=self.trusted):
                return None
            after = made_pending(job, Event.RESCUE)
            if job.status is JobStatus.PICKED:
                return after, "picked"
            if job.is_last_attempt:
                return None
            records = recorded(job, ExecutionStatus.LOST)
            return replace(after, is_due=True, error="lost", records=records, turn=turn_now(job)), "lost"

        return each(jobs, rescued)


@dataclass(frozen=True)
class Bury(Act):
    """Upkeep fails jobs whose leases have run out in their last attempt."""

    event: ClassVar[Event | None] = Event.BURY
    passes_over: ClassVar[bool] = True
    trusted: bool = True

    def run(self, conn: Connection) -> Told:
        buried = transitions.bury(conn, limit=NO_LIMIT, lease_seconds=SERVER_UP_SECONDS, trusted=self.trusted)
        return dict.fromkeys(buried, "buried")

    def expect(self, jobs: Jobs) -> Expected:
        def buried(_job_id: int, job: Job) -> tuple[Job, Hashable] | None:
            is_last = job.status is JobStatus.RUNNING and job.is_last_attempt
            if not (is_last and _may_be_rescued(job, trusted=self.trusted)):
                return None
            return replace(made_ended(job, Event.BURY, "lost"), records=recorded(job, ExecutionStatus.LOST)), "buried"

        return each(jobs, buried)


@dataclass(frozen=True)
class Expire(Act):
    """Upkeep fails pending jobs whose `expires_at` has passed."""

    event: ClassVar[Event | None] = Event.EXPIRE
    passes_over: ClassVar[bool] = True

    def run(self, conn: Connection) -> Told:
        return dict.fromkeys(transitions.expire(conn, limit=NO_LIMIT), "expired")

    def expect(self, jobs: Jobs) -> Expected:
        def expired(_job_id: int, job: Job) -> tuple[Job, Hashable] | None:
            applies = job.status is JobStatus.PENDING and job.expiry is Expiry.PAST
            return (made_ended(job, Event.EXPIRE, "expired"), "expired") if applies else None

        return each(jobs, expired)
