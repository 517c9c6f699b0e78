"""The life of a job: its states, the events that move it, and every move there is."""

from enum import StrEnum
from typing import Final

from scheduler.domain.errors import IllegalTransition


class JobStatus(StrEnum):
    """Where a job stands. The names are the contract's and the database's."""

    PENDING = "pending"
    PICKED = "picked"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ExecutionStatus(StrEnum):
    """How one attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


class Event(StrEnum):
    """What can happen to a job. Each is one function of the same name in `store/transitions`."""

    CLAIM = "claim"
    """A picker takes a due job."""
    START = "start"
    """An executor begins an attempt."""
    COMPLETE = "complete"
    """The task returned."""
    RETRY_LATER = "retry_later"
    """The attempt failed and attempts remain."""
    FAIL = "fail"
    """The attempt failed and none remain, or the error is permanent."""
    CANCEL = "cancel"
    """A user cancels."""
    GIVE_BACK = "give_back"
    """Claimed but not started: the queue is unreachable, or the executor is stopping."""
    RESCUE = "rescue"
    """The lease ran out: the holder died. The job is tried again."""
    BURY = "bury"
    """The lease ran out during the last attempt that the job had."""
    EXPIRE = "expire"
    """`expires_at` passed before the job could start."""
    RETRY = "retry"
    """A user sends an ended job round again."""


LIVE: Final = frozenset({JobStatus.PICKED, JobStatus.RUNNING})
ENDED: Final = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

TRANSITIONS: Final[dict[tuple[JobStatus, Event], JobStatus]] = {
    (JobStatus.PENDING, Event.CLAIM): JobStatus.PICKED,
    (JobStatus.PENDING, Event.CANCEL): JobStatus.CANCELLED,
    (JobStatus.PENDING, Event.EXPIRE): JobStatus.FAILED,
    (JobStatus.PICKED, Event.START): JobStatus.RUNNING,
    (JobStatus.PICKED, Event.CANCEL): JobStatus.CANCELLED,
    (JobStatus.PICKED, Event.GIVE_BACK): JobStatus.PENDING,
    (JobStatus.PICKED, Event.RESCUE): JobStatus.PENDING,
    (JobStatus.RUNNING, Event.COMPLETE): JobStatus.COMPLETED,
    (JobStatus.RUNNING, Event.RETRY_LATER): JobStatus.PENDING,
    (JobStatus.RUNNING, Event.FAIL): JobStatus.FAILED,
    (JobStatus.RUNNING, Event.CANCEL): JobStatus.CANCELLED,
    (JobStatus.RUNNING, Event.RESCUE): JobStatus.PENDING,
    (JobStatus.RUNNING, Event.BURY): JobStatus.FAILED,
    (JobStatus.FAILED, Event.RETRY): JobStatus.PENDING,
    (JobStatus.CANCELLED, Event.RETRY): JobStatus.PENDING,
}


def next_status(status: JobStatus, event: Event) -> JobStatus:
    """The state that `event` leads to from `status`; raises IllegalTransition where there is no such move."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise IllegalTransition(event=event.value, current_status=status.value) from None


def sources(event: Event) -> frozenset[JobStatus]:
    """The states in which `event` can happen."""
    return frozenset(status for status, each in TRANSITIONS if each is event)
