"""What executors do: start, end, extend and release attempts."""

from abc import abstractmethod
from collections.abc import Hashable, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from scheduler.domain.job import AttemptKey
from scheduler.domain.states import Event, ExecutionStatus, JobStatus, next_status
from scheduler.store import leases, transitions
from scheduler.store.connection import Connection
from tests.integration.store.lives import completed, failed
from tests.model.act import LEASE_SECONDS, Act, Expected, Told, each, made_ended, made_pending, recorded, turn_now
from tests.model.world import Expiry, Job, Jobs, Lease


@dataclass(frozen=True)
class Start(Act):
    """An executor starts the jobs that a message names; it is told the keys of the attempts."""

    event: ClassVar[Event | None] = Event.START
    ids: tuple[int, ...]
    worker: str

    def run(self, conn: Connection) -> Told:
        attempts = transitions.start(
            conn, queue="default", ids=self.ids, worker=self.worker, lease_seconds=LEASE_SECONDS
        )
        assert len({attempt.key for attempt in attempts}) == len(attempts)
        return {attempt.key.job_id: attempt.key for attempt in attempts}

    def expect(self, jobs: Jobs) -> Expected:
        def started(job_id: int, job: Job) -> tuple[Job, Hashable] | None:
            if job_id not in self.ids or job.status is not JobStatus.PICKED or job.expiry is Expiry.PAST:
                return None
            status = next_status(job.status, Event.START)
            after = replace(job, status=status, run=job.run + 1, attempt=job.attempt + 1, lease=Lease.RUNS)
            return after, AttemptKey(job_id, after.run)

        return each(jobs, started)


@dataclass(frozen=True)
class Finish(Act):
    """An executor records how attempts came out; it is told which of them were its own to record."""

    keys: tuple[AttemptKey, ...]

    def expect(self, jobs: Jobs) -> Expected:
        def finished(job_id: int, job: Job) -> tuple[Job, Hashable] | None:
            stands = AttemptKey(job_id, job.run) in self.keys and job.status is JobStatus.RUNNING
            return (self._after(job), AttemptKey(job_id, job.run)) if stands else None

        return each(jobs, finished)

    @abstractmethod
    def _after(self, job: Job) -> Job: ...


def _told_keys(keys: set[AttemptKey]) -> Told:
    return {key.job_id: key for key in keys}


class Complete(Finish):
    """The tasks returned."""

    event: ClassVar[Event | None] = Event.COMPLETE

    def run(self, conn: Connection) -> Told:
        return _told_keys(transitions.complete(conn, [completed(key) for key in self.keys]))

    def _after(self, job: Job) -> Job:
        records = recorded(job, ExecutionStatus.COMPLETED)
        return replace(made_ended(job, Event.COMPLETE, None), records=records)


class TryAgain(Finish):
    """The attempts failed, and the next are due at once."""

    event: ClassVar[Event | None] = Event.RETRY_LATER
    retry_in: ClassVar[float] = 0.0

    def run(self, conn: Connection) -> Told:
        outcomes = [failed(key, retry_in=self.retry_in) for key in self.keys]
        return _told_keys(transitions.retry_later(conn, outcomes))

    def _after(self, job: Job) -> Job:
        records = recorded(job, ExecutionStatus.FAILED)
        after = replace(made_pending(job, Event.RETRY_LATER), records=records, error="ValueError")
        return replace(after, is_due=not self.retry_in, turn=turn_now(job) + Decimal(self.retry_in))


class TryLater(TryAgain):
    """The attempts failed, and the next are due in an hour."""

    retry_in: ClassVar[float] = 3600.0


class Fail(Finish):
    """The attempts failed for good, with a time-out."""

    event: ClassVar[Event | None] = Event.FAIL

    def run(self, conn: Connection) -> Told:
        outcomes = [failed(key, status=ExecutionStatus.TIMED_OUT) for key in self.keys]
        return _told_keys(transitions.fail(conn, outcomes))

    def _after(self, job: Job) -> Job:
        records = recorded(job, ExecutionStatus.TIMED_OUT)
        return replace(made_ended(job, Event.FAIL, "ValueError"), records=records)


class Lent(StrEnum):
    """What a heartbeat is told of an attempt. Of one whose row another holds it is told nothing."""

    EXTENDED = "extended"
    GONE = "gone"


@dataclass(frozen=True)
class Extend(Act):
    """An executor extends the leases of its attempts; it is told of the runs of each job."""

    passes_over: ClassVar[bool] = True
    keys: tuple[AttemptKey, ...]
    worker: str

    def run(self, conn: Connection) -> Told:
        answer = leases.extend(conn, self.keys, lease_seconds=LEASE_SECONDS)
        return _by_job(answer.extended, answer.gone)

    def expect(self, jobs: Jobs) -> Expected:
        extended = {key for key in self.keys if _stands(jobs, key)}
        ids = {key.job_id for key in extended}
        after = {job_id: replace(job, lease=Lease.RUNS) if job_id in ids else job for job_id, job in jobs.items()}
        return after, _by_job(extended, {*self.keys} - extended)

    def told_past(self, jobs: Jobs) -> Told:
        """That earlier runs of a job are gone is seen without its row's lock."""
        return _by_job(set(), {key for key in self.keys if not _stands(jobs, key)})


def _stands(jobs: Jobs, key: AttemptKey) -> bool:
    return jobs[key.job_id].status is JobStatus.RUNNING and jobs[key.job_id].run == key.run


def _by_job(extended: Set[AttemptKey], gone: Set[AttemptKey]) -> Told:
    said = [*((key, Lent.EXTENDED) for key in extended), *((key, Lent.GONE) for key in gone)]
    return {job.job_id: frozenset((key.run, lent) for key, lent in said if key.job_id == job.job_id) for job, _ in said}


@dataclass(frozen=True)
class Release(Act):
    """An executor that leaves lets go of its attempts."""

    keys: tuple[AttemptKey, ...]

    def run(self, conn: Connection) -> Told:
        leases.release(conn, self.keys)
        return {}

    def expect(self, jobs: Jobs) -> Expected:
        ids = {key.job_id for key in self.keys if _stands(jobs, key)}
        return {i: replace(job, lease=Lease.RELEASED) if i in ids else job for i, job in jobs.items()}, {}
