"""The whole database at one moment, reduced to what the rules speak of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from scheduler.domain.states import ExecutionStatus, JobStatus
from scheduler.store.connection import Connection
from tests.integration.store.lives import AGEING


class Lease(StrEnum):
    """How the lease of a job stands, by the database's clock."""

    NONE = "none"
    RUNS = "runs"
    LAPSED = "lapsed"
    RELEASED = "released"


class Expiry(StrEnum):
    """How `expires_at` stands, by the database's clock."""

    NONE = "none"
    AHEAD = "ahead"
    PAST = "past"


class Record(NamedTuple):
    """An execution, without its details."""

    run: int
    attempt: int
    status: ExecutionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. `turn` is its place among those that are due, `row` all of its columns as text."""

    status: JobStatus = JobStatus.PENDING
    run: int = 0
    attempt: int = 0
    max_attempts: int
    priority: int
    owner_id: int
    unique_key: str | None
    concurrency_key: str | None
    is_due: bool
    expiry: Expiry
    lease: Lease = Lease.NONE
    error: str | None = None
    records: tuple[Record, ...] = ()
    turn: Decimal = field(compare=False)
    row: str = field(compare=False, default="", repr=False)

    @property
    def is_last_attempt(self) -> bool:
        return self.attempt == self.max_attempts


Jobs: TypeAlias = Mapping[int, Job]


@dataclass(frozen=True, slots=True)
class World:
    """Jobs by their ids, and every execution, all of its columns as text, by its id."""

    jobs: Jobs
    executions: Mapping[int, str]


_JOBS: Final = """
    SELECT id, status::text, run, attempt, max_attempts, priority, owner_id, unique_key, concurrency_key,
           next_run_at <= now(),
           CASE WHEN expires_at IS NULL THEN 'none' WHEN expires_at > now() THEN 'ahead' ELSE 'past' END,
           CASE WHEN lease_until IS NULL THEN 'none' WHEN lease_until = '-infinity' THEN 'released'
                WHEN lease_until <= now() THEN 'lapsed' ELSE 'runs' END,
           error ->> 'type', priority * %s + extract(epoch FROM next_run_at), jobs::text
    FROM jobs ORDER BY id"""

_EXECUTIONS: Final = """
    SELECT id, job_id, run, attempt, status::text, executions::text FROM executions ORDER BY job_id, run, id"""


def look(conn: Connection) -> World:
    """The world as it is now; nobody may be changing it."""
    records: dict[int, list[Record]] = {}
    executions: dict[int, str] = {}
    for execution_id, job_id, run, attempt, status, text in conn.execute(_EXECUTIONS):
        executions[execution_id] = text
        records.setdefault(job_id, []).append(Record(run, attempt, ExecutionStatus(status)))
    jobs = {
        row[0]: Job(
            status=JobStatus(row[1]),
            run=row[2],
            attempt=row[3],
            max_attempts=row[4],
            priority=row[5],
            owner_id=row[6],
            unique_key=row[7],
            concurrency_key=row[8],
            is_due=row[9],
            expiry=Expiry(row[10]),
            lease=Lease(row[11]),
            error=row[12],
            records=tuple(records.pop(row[0], ())),
            turn=row[13],
            row=row[14],
        )
        for row in conn.execute(_JOBS, (AGEING,))
    }
    assert not records, f"executions of jobs that are not there: {records}"
    return World(jobs, executions)
