"""The stage on which histories are played: every act on it is compared with the model, and every rule checked."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from scheduler.domain.job import AttemptKey, NewJob
from scheduler.domain.states import JobStatus
from scheduler.store.connection import Connection
from tests.integration.store.lives import JOB
from tests.model.act import Act, Told
from tests.model.actors import Executor, Lab, cast_in
from tests.model.clock import Lapse
from tests.model.executor_acts import Complete, Fail, Start
from tests.model.invariants import Move, check_holders, check_move
from tests.model.overlap import Overlap, named, possible, surprises, together
from tests.model.picker_acts import Bury, Claim, Rescue
from tests.model.user_acts import Cancel, Create
from tests.model.world import Jobs, Lease, look

T = TypeVar("T")


def pick(choices: Sequence[T], number: int) -> T:
    """One of these; numbers beyond the last begin anew."""
    return choices[number % len(choices)]


class Stage:
    """A database, the actors, and the world as they left it."""

    def __init__(self, lab: Lab, tell: Callable[[str], None] = print) -> None:
        """`tell` is told of each act."""
        lab.empty()
        self._tell = tell
        self._history: list[str] = []
        self.is_sound = True
        self.lab = lab
        self.cast = cast_in(lab)
        self.world = look(lab.observer)

    # ── one act, two acts ────────────────────────────────────────────────────────────────────────────────────

    def act(self, conn: Connection, act: Act, *, heard: bool = True) -> Told:
        """Do it alone, and compare what came of it with the model."""
        self.is_sound = False
        told = act.run(conn)
        self._say(f"# {act} -> {dict(told)}{'' if heard else ', unheard'}")
        before, self.world = self.world, look(self.lab.observer)
        expected, said = act.expect(before.jobs)
        jobs, answer, _ = named((self.world.jobs, told, {}), (act, act))
        assert answer == said, f"{act} answered {answer}, expected {said}"
        assert jobs == expected, _differences(act, jobs, expected)
        check_move(Move(before, self.world, [act]))
        if heard:
            self.cast.hear(act, told, self.world.jobs)
        check_holders(self.world.jobs, self.cast.executors)
        self.is_sound = True
        return told

    def both(self, first: Act, second: Act, overlap: Overlap) -> None:
        """Do these two at once, and compare what came of them with either order."""
        self.is_sound = False
        told = together(self.lab, first, second, overlap)
        self._say(f"# {first} -> {dict(told[0])} | {overlap} | {second} -> {dict(told[1])}")
        before, self.world = self.world, look(self.lab.observer)
        ways = list(possible(before.jobs, first, second, overlap))
        surprise = surprises(ways, named((self.world.jobs, *told), (first, second)))
        history = "\n".join(self._history)  # a race may not come out the same way when it is replayed
        assert not surprise, f"{first} and {second}, {overlap}: {surprise}\n{history}"
        check_move(Move(before, self.world, [first, second]))
        for act, answer in zip((first, second), told, strict=True):
            if act is first and overlap is Overlap.CRASH:
                continue
            self.cast.hear(act, answer, self.world.jobs)
            if isinstance(act, Claim) and answer:
                self.cast.bag.append(tuple(answer))
        check_holders(self.world.jobs, self.cast.executors)
        self.is_sound = True

    def _say(self, line: str) -> None:
        self._history.append(line)
        self._tell(line)

    # ── how a history gets to where something can happen ─────────────────────────────────────────────────────

    def jobs_in(self, *statuses: JobStatus) -> list[int]:
        """The jobs that stand there."""
        return [job_id for job_id, job in self.world.jobs.items() if job.status in statuses]

    def create(self, new: NewJob = JOB) -> int:
        (job_id,) = self.act(self.lab.users[0], Create(new))
        return job_id

    def message(self, number: int, new: NewJob = JOB) -> tuple[int, ...]:
        """A message in the bag: one of those that are there, or that of a new job; of a plain one, if it must wait."""
        for each in (new, JOB):
            if not self.cast.bag:
                self.create(each)
                ids = tuple(self.act(self.lab.pickers[0], Claim(keyed=each.concurrency_key is not None)))
                self.cast.bag += [ids] if ids else []
        return pick(self.cast.bag, number)

    def held_by(self, executor: Executor, number: int, new: NewJob = JOB) -> AttemptKey:
        """An attempt that the executor holds: one that it has, or that of a new job, if need be of a plain one."""
        while not executor.held:
            ids = self.message(number, new)
            self.cast.bag.remove(ids)
            self.act(executor.conn, Start(ids, executor.name))
            new = JOB
        return pick([*executor.held], number)

    def lapse(self, job_id: int, *, unnoticed: bool = False) -> None:
        """Let the lease of a job run out; its holder gives it up in time, or is frozen and does not notice."""
        if self.world.jobs[job_id].lease is Lease.RUNS:
            if unnoticed:
                self.cast.freeze_holders_of(job_id)
            self.cast.time_passes(job_id)
            self.act(self.lab.clock, Lapse(job_id))

    def overtake(self, job_id: int, by: Executor) -> None:
        """Whatever can be rescued is, and claimed again; if this job is among it, `by` starts it."""
        for act in (Rescue(), Bury()):
            self.act(self.lab.upkeep[0], act)
        for keyed in (False, True):
            ids = tuple(self.act(self.lab.pickers[0], Claim(keyed)))
            self.cast.bag += [ids] if ids else []
        self.act(by.conn, Start((job_id,), by.name))

    def new_job_in(self, status: JobStatus, number: int, new: NewJob = JOB) -> None:
        """Lead a new job there, if it is free to go."""
        user, executor = self.lab.users[0], pick(self.cast.executors, number)
        match status:
            case JobStatus.PENDING:
                self.create(new)
            case JobStatus.PICKED:
                self.cast.bag.clear()
                self.message(0, new)
            case JobStatus.RUNNING:
                executor.crash()
                self.held_by(executor, 0, new)
            case JobStatus.CANCELLED:
                self.act(user, Cancel(self.create(new)))
            case JobStatus.COMPLETED | JobStatus.FAILED:
                executor.crash()
                ending = Complete if status is JobStatus.COMPLETED else Fail
                self.act(executor.conn, ending((self.held_by(executor, 0, new),)))

    def job_in(self, status: JobStatus, number: int, new: NewJob = JOB) -> int:
        """A job that stands there: one of those, or a new one; any other, when a new one could not go there."""
        if not self.jobs_in(status):
            self.new_job_in(status, number, new)
        return pick(self.jobs_in(status) or [*self.world.jobs], number)


def _differences(act: Act, seen: Jobs, expected: Jobs) -> str:
    ids = [job_id for job_id in expected.keys() | seen.keys() if expected.get(job_id) != seen.get(job_id)]
    return "; ".join(f"{act}: job {job_id} is {seen.get(job_id)}, expected {expected.get(job_id)}" for job_id in ids)
