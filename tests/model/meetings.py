"""Who may meet over a job: every act that has to do with it, as it stands."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from scheduler.domain.caller import Caller
from scheduler.domain.job import AttemptKey
from scheduler.domain.states import Event, JobStatus
from tests.integration.store.lives import JOB, keyed
from tests.model.act import Act
from tests.model.executor_acts import Complete, Fail, Finish, Release, Start, TryAgain, TryLater
from tests.model.picker_acts import Bury, Claim, Expire, GiveBack, Rescue
from tests.model.stage import Stage, pick
from tests.model.user_acts import Cancel, Create, Retry

ENDINGS: Final[Sequence[type[Finish]]] = (Complete, TryAgain, TryLater, Fail)

KINDS: Final = {
    "plain": JOB,
    "one attempt": replace(JOB, max_attempts=1),
    "keyed": keyed("a"),
    "unique": replace(JOB, concurrency_key="a", unique_key="once"),
}


def acts_on(stage: Stage, job_id: int, place: int) -> list[Act]:
    """What may be done that has to do with this job; `place` 0 and 1 are different actors."""
    job = stage.world.jobs[job_id]
    acts: list[Act] = [Cancel(job_id), *_holders_acts(stage, job_id)]
    if job.unique_key is not None:
        new = replace(JOB, unique_key=job.unique_key, concurrency_key=job.concurrency_key)
        acts.append(Create(new, Caller(job.owner_id), name=-1 - place))
    claim = Claim(job.concurrency_key is not None)
    match job.status:
        case JobStatus.PENDING:
            acts += [claim, Expire()]
        case JobStatus.PICKED:
            ids = next((ids for ids in stage.cast.bag if job_id in ids), (job_id,))
            acts += [Start(ids, pick(stage.cast.executors, place).name), GiveBack((job_id,)), Rescue(), claim]
        case JobStatus.RUNNING:
            acts += [Rescue(), Bury(), claim]
        case _:
            acts += [Retry(job_id), Retry(job_id, later=True)]
    return acts


def _holders_acts(stage: Stage, job_id: int) -> list[Act]:
    """What executors may do with their newest attempts at this job: end, go on, leave."""
    acts: list[Act] = []
    for executor, key, is_last in stage.cast.holders_of(job_id)[:2]:
        acts += [ending_of(ending, key, is_last=is_last) for ending in (Complete, TryAgain, Fail)]
        if key in executor.held:
            acts += [executor.beat(), Release((key,))]
    return acts


def ending_of(ending: type[Finish], key: AttemptKey, *, is_last: bool) -> Finish:
    """An outcome as an executor makes it: there is no next attempt after the last."""
    return Fail((key,)) if is_last and ending.event is Event.RETRY_LATER else ending((key,))
