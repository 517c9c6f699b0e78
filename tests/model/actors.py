"""Who acts. Each actor has a connection and a memory of its own: what it was told, which may be out of date."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import psycopg

from scheduler.domain.job import AttemptKey
from scheduler.store.connection import Connection
from tests.model.act import Act, Told
from tests.model.executor_acts import Extend, Finish, Lent, Release, Start
from tests.model.world import Jobs

PICKERS: Final = 2
EXECUTORS: Final = 3

_EMPTY: Final = "WITH records AS (DELETE FROM executions) DELETE FROM jobs"
_CLEAN: Final = "TRUNCATE jobs, executions RESTART IDENTITY"
_CLEANED_EVERY: Final = 20
"""To delete few rows is faster than to truncate, until too many dead ones have gathered."""


@dataclass(frozen=True, slots=True)
class Lab:
    """Connections to one database for every actor, for the model itself, and for two that act at once."""

    observer: Connection
    clock: Connection
    pickers: list[Connection]
    executors: list[Connection]
    users: list[Connection]
    upkeep: list[Connection]
    first: Connection
    second: Connection
    threads: ThreadPoolExecutor
    histories: Iterator[int] = field(default_factory=count)

    def empty(self) -> None:
        """Begin a new history."""
        self.observer.execute(_EMPTY if next(self.histories) % _CLEANED_EVERY else _CLEAN)


@contextmanager
def lab_on(url: str) -> Generator[Lab]:
    """A laboratory on a migrated database that is nobody else's."""
    with ExitStack() as stack:

        def connections(count: int) -> list[Connection]:
            return [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(count)]

        observer, clock, first, second = connections(4)
        yield Lab(
            observer=observer,
            clock=clock,
            pickers=connections(PICKERS),
            executors=connections(EXECUTORS),
            users=connections(2),
            upkeep=connections(2),
            first=first,
            second=second,
            threads=stack.enter_context(ThreadPoolExecutor(2)),
        )


@dataclass(slots=True)
class Picker:
    """A picker: what it has claimed and not pushed yet."""

    conn: Connection
    claimed: list[int] = field(default_factory=list[int])


@dataclass(slots=True)
class Executor:
    """An executor: its attempts, and outcomes that it has not heard to be recorded.

    While it is `frozen` its leases may lapse without its noticing; one that is awake gives its attempts up in time,
    by its own clock. The first beat after a freeze ends it. Of each attempt it knows whether it is the job's last.
    """

    name: str
    conn: Connection
    held: dict[AttemptKey, bool] = field(default_factory=dict[AttemptKey, bool])
    ended: list[Finish] = field(default_factory=list[Finish])
    past: dict[AttemptKey, bool] = field(default_factory=dict[AttemptKey, bool])
    """Attempts that it may not go on with, but a handler of which may not have noticed."""
    frozen: bool = False

    def crash(self) -> None:
        """It is started anew, and knows nothing."""
        self.held, self.ended, self.past, self.frozen = {}, [], {}, False

    def give_up(self, key: AttemptKey) -> None:
        if key in self.held:
            self.past[key] = self.held.pop(key)

    def hear_beat(self, told: Told) -> None:
        """What is gone is given up, and by one who was frozen whatever was not extended: its leases may have lapsed."""
        for key in [*self.held]:
            said = told.get(key.job_id)
            is_gone = isinstance(said, frozenset) and (key.run, Lent.GONE) in said
            is_extended = isinstance(said, frozenset) and (key.run, Lent.EXTENDED) in said
            if is_gone or (self.frozen and not is_extended):
                self.give_up(key)
        self.frozen = False

    def beat(self) -> Extend:
        """What its heartbeat asks for: every attempt that runs here or waits to be recorded."""
        waiting = [key for outcome in self.ended for key in outcome.keys]
        return Extend((*self.held, *waiting), self.name)


@dataclass(slots=True)
class Cast:
    """All actors, and the bag of messages between pickers and executors, which promises nothing."""

    pickers: list[Picker]
    executors: list[Executor]
    bag: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])

    def hear(self, act: Act, told: Told, jobs: Jobs) -> None:
        """Let the actors whose memory this concerns hear how an act came out."""
        for executor in self.executors:
            match act:
                case Start(worker=executor.name):
                    keys = [key for key in told.values() if isinstance(key, AttemptKey)]
                    executor.held |= {key: jobs[key.job_id].is_last_attempt for key in keys}
                case Extend(worker=executor.name):
                    executor.hear_beat(told)
                case Finish() | Release():
                    for key in act.keys:
                        executor.give_up(key)
                case _:
                    pass

    def time_passes(self, job_id: int) -> None:
        """Before the lease of a job runs out, its holder's own clock tells it to stop, unless it is frozen."""
        for executor in self.executors:
            if not executor.frozen:
                for key in [key for key in executor.held if key.job_id == job_id]:
                    executor.give_up(key)

    def freeze_holders_of(self, job_id: int) -> None:
        for executor in self.executors:
            executor.frozen |= any(key.job_id == job_id for key in executor.held)

    def holders_of(self, job_id: int) -> list[tuple[Executor, AttemptKey, bool]]:
        """Whoever has, or once had, an attempt at the job; the newest attempt first."""
        found = [
            (executor, key, is_last)
            for executor in self.executors
            for key, is_last in (*executor.held.items(), *executor.past.items())
            if key.job_id == job_id
        ]
        return sorted(found, key=lambda each: -each[1].run)


def cast_in(lab: Lab) -> Cast:
    """The actors, fresh."""
    executors = [Executor(f"executor {number}", conn) for number, conn in enumerate(lab.executors)]
    return Cast([Picker(conn) for conn in lab.pickers], executors)
