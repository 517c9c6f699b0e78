"""What must hold whatever was done, in whichever order, and whoever died: the one place where it is stated.

Each function states one rule in its first line, and knows nothing of how the store goes about it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.domain.job import AttemptKey
from scheduler.domain.states import ENDED, LIVE, TRANSITIONS, ExecutionStatus, JobStatus
from tests.model.act import Act
from tests.model.actors import Executor
from tests.model.executor_acts import Extend, Finish
from tests.model.user_acts import Retry
from tests.model.world import Expiry, Job, Jobs, World


@dataclass(frozen=True, slots=True)
class Move:
    """The world before and after some acts: one, or two at once."""

    before: World
    after: World
    acts: Sequence[Act]

    def changes(self) -> list[tuple[int, Job, Job]]:
        """Every job that was there before, then and now."""
        return [(job_id, job, self.after.jobs[job_id]) for job_id, job in self.before.jobs.items()]


# ── of every move ───────────────────────────────────────────────────────────────────────────────────────────────────


def no_job_vanishes(move: Move) -> None:
    """A job that was there is there."""
    assert move.before.jobs.keys() <= move.after.jobs.keys()


def executions_are_append_only(move: Move) -> None:
    """A record stays as it was written."""
    assert move.before.executions.items() <= move.after.executions.items()


def moves_are_legal(move: Move) -> None:
    """A status changes along TRANSITIONS, as often as there were acts at the most; new jobs are pending."""
    for job_id, then, now in move.changes():
        reached = {then.status}
        for _ in move.acts:
            reached |= {to for (status, _), to in TRANSITIONS.items() if status in reached}
        assert now.status in reached, f"job {job_id}: {then.status} -> {now.status}"
    if len(move.acts) == 1:
        assert all(move.after.jobs[new].status is JobStatus.PENDING for new in _new(move))


def _new(move: Move) -> Collection[int]:
    return move.after.jobs.keys() - move.before.jobs.keys()


def runs_only_grow(move: Move) -> None:
    """`run` never decreases, and grows by one with each start."""
    for job_id, then, now in move.changes():
        starts = now.run - then.run
        assert 0 <= starts <= len(move.acts), f"job {job_id}: run {then.run} -> {now.run}"


def ended_jobs_stay(move: Move) -> None:
    """A job that has ended changes by a user's retry alone, and a completed one never."""
    retried = {act.job_id for act in move.acts if isinstance(act, Retry)}
    for job_id, then, now in move.changes():
        if then.status in ENDED and not (job_id in retried and then.status is not JobStatus.COMPLETED):
            assert now.row == then.row, f"job {job_id} had ended: {then.row} -> {now.row}"


def latecomers_change_nothing(move: Move) -> None:
    """Who names a run that is over, or a job that has ended, changes no column of it."""
    match move.acts:
        case [(Finish() | Extend()) as act]:
            stands = {key.job_id for key in act.keys if _stands(move.before.jobs, key)}
            for job_id, then, now in move.changes():
                assert job_id in stands or now.row == then.row, f"job {job_id}: {then.row} -> {now.row}"
        case _:
            pass


def _stands(jobs: Jobs, key: AttemptKey) -> bool:
    job = jobs[key.job_id]
    return job.status is JobStatus.RUNNING and job.run == key.run


ALWAYS_OF_A_MOVE: Final[Sequence[Callable[[Move], None]]] = (
    no_job_vanishes,
    executions_are_append_only,
    moves_are_legal,
    runs_only_grow,
    ended_jobs_stay,
    latecomers_change_nothing,
)


# ── of every world ──────────────────────────────────────────────────────────────────────────────────────────────────


def one_live_job_a_concurrency_key(jobs: Jobs) -> None:
    """At most one job of an owner's concurrency_key is picked or running."""
    live = [job for job in jobs.values() if job.status in LIVE and job.concurrency_key is not None]
    _are_unique([(job.owner_id, job.concurrency_key) for job in live])


def one_unfinished_job_a_unique_key(jobs: Jobs) -> None:
    """At most one job that has not ended bears an owner's unique_key."""
    unfinished = [job for job in jobs.values() if job.status not in ENDED and job.unique_key is not None]
    _are_unique([(job.owner_id, job.unique_key) for job in unfinished])


def _are_unique(keys: Sequence[tuple[int, str | None]]) -> None:
    assert max(Counter(keys).values(), default=0) <= 1, Counter(keys).most_common(1)


def every_run_is_recorded_once(jobs: Jobs) -> None:
    """Each run that is over has one execution, and the one under way none."""
    for job_id, job in jobs.items():
        over = job.run - (job.status is JobStatus.RUNNING)
        assert [record.run for record in job.records] == [*range(1, over + 1)], f"job {job_id}: {job}"


def records_tell_how_it_ended(jobs: Jobs) -> None:
    """A completed job has one completed run, its last; no other job has any."""
    for job_id, job in jobs.items():
        ends = [record.status for record in job.records]
        completed = int(job.status is JobStatus.COMPLETED)
        assert ends.count(ExecutionStatus.COMPLETED) == completed, f"job {job_id}: {job}"
        assert not completed or ends[-1] is ExecutionStatus.COMPLETED, f"job {job_id}: {job}"


def attempts_are_bounded(jobs: Jobs) -> None:
    """No job has more attempts than it may, and one that waits has at least one left."""
    for job_id, job in jobs.items():
        assert 0 <= job.attempt <= min(job.max_attempts, job.run), f"job {job_id}: {job}"
        waits = job.status in {JobStatus.PENDING, JobStatus.PICKED}
        assert not (waits and job.is_last_attempt), f"job {job_id} can never start again: {job}"


ALWAYS_OF_A_WORLD: Final[Sequence[Callable[[Jobs], None]]] = (
    one_live_job_a_concurrency_key,
    one_unfinished_job_a_unique_key,
    every_run_is_recorded_once,
    records_tell_how_it_ended,
    attempts_are_bounded,
)


# ── of those who hold attempts ──────────────────────────────────────────────────────────────────────────────────────


def one_live_attempt_a_job(jobs: Jobs, executors: Sequence[Executor]) -> None:
    """Of all executors that are awake at most one goes on with a job: the one whose run it is.

    Except that whoever holds a job that a user has cancelled hears of it with its next beat.
    """
    going_on = [key for executor in executors if not executor.frozen for key in executor.held]
    for job_id, job in jobs.items():
        cancelled = {record.run for record in job.records if record.status is ExecutionStatus.CANCELLED}
        runs = [key.run for key in going_on if key.job_id == job_id and key.run not in cancelled]
        assert runs in ([], [job.run]), f"job {job_id}: runs {runs} go on: {job}"
        assert not runs or job.status is JobStatus.RUNNING, f"job {job_id}: run {runs} goes on: {job}"


ALWAYS_OF_HOLDERS: Final[Sequence[Callable[[Jobs, Sequence[Executor]], None]]] = (one_live_attempt_a_job,)


# ── in the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def whatever_was_due_has_ended(jobs: Jobs) -> None:
    """No job is left that is due, has expired, or is in anybody's hands."""
    for job_id, job in jobs.items():
        waits_for_later = job.status is JobStatus.PENDING and not job.is_due and job.expiry is not Expiry.PAST
        assert job.status in ENDED or waits_for_later, f"job {job_id} is stuck: {job}"


# ── all of them ─────────────────────────────────────────────────────────────────────────────────────────────────────


def check_move(move: Move) -> None:
    """Every rule about a move and about the world that it led to."""
    for holds in ALWAYS_OF_A_MOVE:
        holds(move)
    for must_hold in ALWAYS_OF_A_WORLD:
        must_hold(move.after.jobs)


def check_holders(jobs: Jobs, executors: Sequence[Executor]) -> None:
    """Every rule about those who hold attempts."""
    for holds in ALWAYS_OF_HOLDERS:
        holds(jobs, executors)
