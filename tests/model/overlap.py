"""Two acts at once: what may come of them is what comes of one after the other, in either order, and nothing else.

Each job is judged by itself: in READ COMMITTED the order may differ from job to job.
"""

from collections.abc import Hashable, Iterator
from concurrent.futures import Future, wait
from enum import StrEnum
from threading import Barrier
from typing import Final, TypeAlias

from scheduler.domain.states import JobStatus
from scheduler.store.connection import Connection
from tests.eventually import eventually
from tests.model.act import Act, Expected, Told
from tests.model.actors import Lab
from tests.model.picker_acts import Claim
from tests.model.user_acts import Create
from tests.model.world import Job, Jobs

Possible: TypeAlias = tuple[Jobs, Told, Told]

_WAITS: Final = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
_PATIENCE_SECONDS: Final = 30.0


class Overlap(StrEnum):
    """How two acts meet."""

    COMMIT = "commit"
    """The second comes after the first has run, and before it commits."""
    CRASH = "crash"
    """The same, and the first's connection breaks: it rolls back."""
    RACE = "race"
    """Both at one moment: the machine decides."""


def together(lab: Lab, first: Act, second: Act, overlap: Overlap) -> tuple[Told, Told]:
    """Let two acts meet; what each was told."""
    if overlap is Overlap.RACE:
        barrier = Barrier(2)
        racers = [
            lab.threads.submit(_at_once, barrier, conn, act) for conn, act in ((lab.first, first), (lab.second, second))
        ]
        return racers[0].result(_PATIENCE_SECONDS), racers[1].result(_PATIENCE_SECONDS)
    with lab.first.transaction(force_rollback=overlap is Overlap.CRASH):
        told = first.run(lab.first)
        other = lab.threads.submit(second.run, lab.second)
        eventually(lambda: _ends(other) or _waits(lab), what="the second act ends, or waits for the first")
    return told if overlap is Overlap.COMMIT else {}, other.result(_PATIENCE_SECONDS)


def _at_once(barrier: Barrier, conn: Connection, act: Act) -> Told:
    barrier.wait(_PATIENCE_SECONDS)
    return act.run(conn)


def _ends(act: "Future[Told]") -> bool:
    return bool(wait([act], timeout=0.003).done)


def _waits(lab: Lab) -> bool:
    return lab.observer.execute(_WAITS, (lab.second.info.backend_pid,)).fetchone() == (True,)


def possible(jobs: Jobs, first: Act, second: Act, overlap: Overlap) -> Iterator[Possible]:
    """Every way in which these two may come out."""
    after_second, second_alone = second.expect(jobs)
    if overlap is Overlap.CRASH:
        yield after_second, {}, second_alone
        if second.passes_over:
            yield jobs, {}, second.told_past(jobs)
        return
    after_first, first_alone = first.expect(jobs)
    both, second_told = second.expect(after_first)
    yield both, first_alone, second_told
    both, first_told = first.expect(after_second)
    yield both, first_told, second_alone
    if second.passes_over:
        yield after_first, first_alone, second.told_past(jobs)
    if overlap is Overlap.RACE:
        if first.passes_over:
            yield after_second, first.told_past(jobs), second_alone
        if isinstance(first, Claim):
            both, first_told = _by_an_older_clock(first, jobs, after_second)
            yield both, first_told, second_alone
        if isinstance(second, Claim):
            both, second_told = _by_an_older_clock(second, jobs, after_first)
            yield both, first_alone, second_told


def _by_an_older_clock(claim: Claim, before: Jobs, jobs: Jobs) -> Expected:
    """What a claim does that sees what the other did, but read the clock before: what is due since then is not yet.

    It may take another job of the key that the other has freed.
    """
    due_since = {job_id: job for job_id, job in jobs.items() if job.is_due and job != before.get(job_id)}
    due_since = {job_id: job for job_id, job in due_since.items() if job.status is JobStatus.PENDING}
    after, told = claim.expect({job_id: job for job_id, job in jobs.items() if job_id not in due_since})
    return {**after, **due_since}, told


Outcome: TypeAlias = tuple[Job | None, Hashable, Hashable]


def surprises(ways: list[Possible], came: Possible) -> dict[int, tuple[Outcome, list[Outcome]]]:
    """The jobs that came out as in none of these ways: how they did, and how they might have."""
    ids = set[int]().union(*(jobs.keys() | told.keys() | heard.keys() for jobs, told, heard in [*ways, came]))
    outcomes = {job_id: (_of(job_id, came), [_of(job_id, way) for way in ways]) for job_id in ids}
    return {job_id: (seen, allowed) for job_id, (seen, allowed) in outcomes.items() if seen not in allowed}


def _of(job_id: int, way: Possible) -> Outcome:
    jobs, first_told, second_told = way
    return jobs.get(job_id), first_told.get(job_id), second_told.get(job_id)


def named(came: Possible, acts: tuple[Act, Act]) -> Possible:
    """The same with new jobs under the names that the model has for them."""
    jobs, *tolds = came
    names = {
        job_id: act.name
        for act, told in zip(acts, tolds, strict=True)
        for job_id, said in told.items()
        if isinstance(act, Create) and said == act.name
    }
    first_told, second_told = ({names.get(job_id, job_id): said for job_id, said in told.items()} for told in tolds)
    return {names.get(job_id, job_id): job for job_id, job in jobs.items()}, first_told, second_told
