"""The machine that makes up histories: hypothesis chooses who does what to which job, and when somebody dies.

Its choices are plain numbers, taken modulo what there is to choose from: a history can be replayed although what
the database answered may differ from one time to the next (`Overlap.RACE`). Where there is nothing to choose from,
a rule first leads a job to where it can act.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from scheduler.domain.caller import Caller
from scheduler.domain.job import AttemptKey, NewJob
from scheduler.domain.states import Event, JobStatus, sources
from scheduler.store import backlog
from tests.integration.store.lives import JOB, keyed
from tests.model.act import NO_LIMIT
from tests.model.actors import Executor, Lab
from tests.model.clock import Lapse, passing
from tests.model.executor_acts import Complete, Finish, Release, Start
from tests.model.invariants import whatever_was_due_has_ended
from tests.model.meetings import ENDINGS, KINDS, acts_on, ending_of
from tests.model.overlap import Overlap
from tests.model.picker_acts import Bury, Claim, Expire, GiveBack, Rescue
from tests.model.stage import Stage, pick
from tests.model.user_acts import Cancel, Create, Retry
from tests.model.world import Lease

ANY = st.integers(0, 59)
"""A choice among few: 60 falls evenly on 2, 3, 4, 5 and 6 of them."""

OWNERS: Final = (Caller(0), Caller(1))

MEETING_PLACES: Final = (
    JobStatus.PENDING,
    *[JobStatus.PICKED] * 2,
    *[JobStatus.RUNNING] * 4,
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
)


def a_job(
    *,
    unique_key: str | None,
    concurrency_key: str | None,
    priority: int,
    max_attempts: int,
    delay_seconds: float,
    expires: bool,
) -> NewJob:
    """A job as a user asks for it."""
    return replace(
        JOB,
        unique_key=unique_key,
        concurrency_key=concurrency_key,
        priority=priority,
        max_attempts=max_attempts,
        delay_seconds=delay_seconds,
        expires_at=datetime.now(UTC) + timedelta(days=1) if expires else None,
    )


JOBS = st.builds(
    a_job,
    unique_key=st.sampled_from([None, None, "once"]),
    concurrency_key=st.sampled_from([None, "a", "b"]),
    priority=st.integers(1, 9),
    max_attempts=st.integers(1, 3),
    delay_seconds=st.sampled_from([0.0, 0.0, 0.0, 7200.0]),
    expires=st.booleans(),
)


class Fate(StrEnum):
    """What becomes of a claim after it has committed."""

    PUSHED = "pushed"
    SPLIT = "split"  # into a message for each job
    CRASHED = "crashed"
    GIVEN_BACK = "given back"
    UNCERTAIN = "uncertain"  # pushed, but it did not look so: given back as well


class Delivery(StrEnum):
    """What becomes of a message that an executor takes."""

    STARTED = "started"
    AGAIN = "again"  # and it stays in the bag
    UNHEARD = "unheard"  # the executor dies before it hears that it has started
    LOST = "lost"
    GIVEN_BACK = "given back"  # the executor is stopping, and Redis is away


class LifeOfJobs(RuleBasedStateMachine):
    """Histories of a few jobs among two pickers, three executors, two users and two who keep things up."""

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self.stage = Stage(lab, note)
        self.lab = lab
        self.cast = self.stage.cast

    # ── users ────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(user=ANY, owner=st.sampled_from(OWNERS), jobs=st.lists(JOBS, min_size=1, max_size=3))
    def create(self, user: int, owner: Caller, jobs: list[NewJob]) -> None:
        for new in jobs:
            self.stage.act(pick(self.lab.users, user), Create(new, owner))

    @rule(user=ANY, status=st.sampled_from(JobStatus), job=ANY)
    def cancel(self, user: int, status: JobStatus, job: int) -> None:
        self.stage.act(pick(self.lab.users, user), Cancel(self.stage.job_in(status, job)))

    @rule(user=ANY, job=ANY, later=st.booleans(), anything=st.booleans())
    def retry(self, user: int, job: int, later: bool, anything: bool) -> None:
        self.stage.job_in(JobStatus.CANCELLED, job)
        jobs = self.stage.jobs_in(*(JobStatus if anything else sources(Event.RETRY)))
        self.stage.act(pick(self.lab.users, user), Retry(pick(jobs, job), later))

    # ── pickers ──────────────────────────────────────────────────────────────────────────────────────────────

    @rule(
        picker=ANY,
        key=st.sampled_from([None, "a"]),
        limit=st.sampled_from([1, 2, NO_LIMIT]),
        fate=st.sampled_from(Fate),
    )
    def claim(self, picker: int, key: str | None, limit: int, fate: Fate) -> None:
        conn = pick(self.cast.pickers, picker).conn
        waiting = [self.stage.world.jobs[job_id].concurrency_key for job_id in self.stage.jobs_in(JobStatus.PENDING)]
        if key not in waiting:
            self.stage.create(keyed(key) if key else JOB)
        ids = tuple(self.stage.act(conn, Claim(key is not None, limit)))
        if fate in {Fate.PUSHED, Fate.UNCERTAIN} and ids:
            self.cast.bag.append(ids)
        if fate is Fate.SPLIT:
            self.cast.bag += [(job_id,) for job_id in ids]
        if fate in {Fate.GIVEN_BACK, Fate.UNCERTAIN} and ids:
            self.stage.act(conn, GiveBack(ids))

    # ── executors ────────────────────────────────────────────────────────────────────────────────────────────

    @rule(executor=ANY, message=ANY, delivery=st.sampled_from(Delivery))
    def receive(self, executor: int, message: int, delivery: Delivery) -> None:
        mine = self._executor(executor)
        ids = self.stage.message(message)
        if delivery is not Delivery.AGAIN:
            self.cast.bag.remove(ids)
        if delivery is Delivery.GIVEN_BACK:
            self.stage.act(mine.conn, GiveBack(ids))
        elif delivery is not Delivery.LOST:
            self.stage.act(mine.conn, Start(ids, mine.name), heard=delivery is not Delivery.UNHEARD)
        if delivery is Delivery.UNHEARD:
            mine.crash()

    @rule(executor=ANY, attempt=ANY, ending=st.sampled_from(ENDINGS), recorded=st.booleans())
    def end(self, executor: int, attempt: int, ending: type[Finish], recorded: bool) -> None:
        """An attempt ends, and is recorded at once, or waits."""
        mine = self._executor(executor)
        key = self.stage.held_by(mine, attempt)
        mine.ended.append(ending_of(ending, key, is_last=mine.held[key]))
        mine.give_up(key)
        if recorded:
            self._record(mine)

    @rule(executor=ANY, heard=st.booleans())
    def record(self, executor: int, heard: bool) -> None:
        """What has ended is recorded; once more the next time, if the executor did not hear of it."""
        mine = self._executor(executor)
        waiting = list(mine.ended)
        self._record(mine)
        mine.ended = [] if heard else waiting

    def _record(self, executor: Executor) -> None:
        """One statement for each way to end, as the recorder does it."""
        for ending in ENDINGS:
            keys = tuple(key for outcome in executor.ended if type(outcome) is ending for key in outcome.keys)
            if keys:
                self.stage.act(executor.conn, ending(keys))
        executor.ended = []

    @rule(executor=ANY, attempt=ANY, ending=st.sampled_from(ENDINGS))
    def come_late(self, executor: int, attempt: int, ending: type[Finish]) -> None:
        """An outcome of an attempt that its executor had to give up, or has recorded already."""
        mine = self._executor(executor)
        if not mine.past:
            key = self.stage.held_by(mine, attempt)
            self.stage.lapse(key.job_id)
            mine.give_up(key)
        key = pick(list(mine.past), attempt)
        self.stage.act(mine.conn, ending_of(ending, key, is_last=mine.past[key]))

    @rule(executor=ANY)
    def beat(self, executor: int) -> None:
        mine = self._executor(executor)
        if not mine.ended:
            self.stage.held_by(mine, 0)
        self.stage.act(mine.conn, mine.beat())

    @rule(executor=ANY, attempt=ANY, overtaken_by=st.one_of(st.none(), ANY))
    def freeze_past_its_lease(self, executor: int, attempt: int, overtaken_by: int | None) -> None:
        """An executor is stopped, or cut off, longer than its lease; perhaps another has its job by then."""
        job_id = self.stage.held_by(self._executor(executor), attempt).job_id
        self.stage.lapse(job_id, unnoticed=True)
        if overtaken_by is not None:
            self.stage.overtake(job_id, self._executor(overtaken_by))

    @rule(executor=ANY)
    def crash(self, executor: int) -> None:
        self._executor(executor).crash()

    @rule(executor=ANY)
    def leave(self, executor: int) -> None:
        """An executor whose grace is over lets go of its attempts."""
        mine = self._executor(executor)
        self.stage.act(mine.conn, Release(tuple(mine.held)))
        mine.crash()

    def _executor(self, number: int) -> Executor:
        return pick(self.cast.executors, number)

    # ── upkeep and time ──────────────────────────────────────────────────────────────────────────────────────

    @rule(upkeep=ANY, trusted=st.booleans())
    def rescue(self, upkeep: int, trusted: bool) -> None:
        for act in (Rescue(trusted), Bury(trusted)):
            self.stage.act(pick(self.lab.upkeep, upkeep), act)

    @rule(upkeep=ANY)
    def expire(self, upkeep: int) -> None:
        self.stage.act(pick(self.lab.upkeep, upkeep), Expire())

    @rule(event=ANY, seconds=st.integers(0, 600))
    def time_passes(self, event: int, seconds: int) -> None:
        if acts := passing(self.stage.world.jobs, seconds):
            act = pick(acts, event)
            if isinstance(act, Lapse):
                self.stage.lapse(act.job_id)
            else:
                self.stage.act(self.lab.clock, act)

    # ── two at once ──────────────────────────────────────────────────────────────────────────────────────────

    @rule(
        status=st.sampled_from(MEETING_PLACES),
        kind=st.sampled_from([*KINDS]),
        job=ANY,
        lapsed=st.booleans(),
        unnoticed=st.booleans(),
        acts=st.tuples(ANY, ANY),
        overlap=st.sampled_from(Overlap),
    )
    def meet(
        self,
        status: JobStatus,
        kind: str,
        job: int,
        lapsed: bool,
        unnoticed: bool,
        acts: tuple[int, int],
        overlap: Overlap,
    ) -> None:
        """Two acts meet that have to do with one job; its lease may have run out, and its holder not have noticed."""
        job_id = self.stage.job_in(status, job, KINDS[kind])
        if lapsed:
            self.stage.lapse(job_id, unnoticed=unnoticed)
        first, second = (pick(acts_on(self.stage, job_id, place), number) for place, number in enumerate(acts))
        self.stage.both(first, second, overlap)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────

    def teardown(self) -> None:
        """Everybody dies and all messages are lost; then one healthy picker and executor see every due job to its end.

        In as many rounds as there are jobs: those of one concurrency_key go one at a time.
        """
        if not self.stage.is_sound:  # an act has failed: nothing that follows means anything
            return
        for executor in self.cast.executors:
            executor.crash()
        for job_id, job in self.stage.world.jobs.items():
            if job.lease is Lease.RUNS:
                self.stage.act(self.lab.clock, Lapse(job_id))
        for act in (Rescue(), Bury(), Expire()):
            self.stage.act(self.lab.upkeep[0], act)
        for _ in self.stage.world.jobs:
            self._healthy_round()
        whatever_was_due_has_ended(self.stage.world.jobs)

    def _healthy_round(self) -> None:
        picker, healthy = self.lab.pickers[0], self.cast.executors[0]
        for has_key, look_ahead in ((False, backlog.upcoming), (True, backlog.upcoming_keyed)):
            if any(each.seconds <= 0 for each in look_ahead(picker)):  # a picker claims only where it sees work
                ids = tuple(self.stage.act(picker, Claim(has_key, limit=2)))
                told = self.stage.act(healthy.conn, Start(ids, healthy.name))
                keys = tuple(key for key in told.values() if isinstance(key, AttemptKey))
                self.stage.act(healthy.conn, Complete(keys))
