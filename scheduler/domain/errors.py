"""Every error of the product, as one tree.

SchedulerError
├── ConfigurationError        a setting or the environment is wrong; the process cannot start
├── Unavailable               a server is away; try again
│   ├── StoreUnavailable      PostgreSQL
│   └── QueueUnavailable      Redis
├── Busy                      too much of this at once; come back later
├── NotFound                  unknown, or not the caller's to see
├── Conflict                  the job's state does not allow it
│   └── IllegalTransition     no such move in the state machine
├── InvalidInput              the input fails validation; names the field
└── TaskError                 an attempt failed
    ├── PermanentError        and trying again cannot help
    └── RetryLater            and asks for its own delay
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST_DELAY_SECONDS: Final = 10 * 366 * 86_400.0


class SchedulerError(Exception):
    """The root: whatever this product raises on purpose."""


class ConfigurationError(SchedulerError):
    """A setting or the environment is wrong; the message names it and says what to do."""


class Unavailable(SchedulerError):
    """A server that we need does not answer; nothing is lost, try again."""

    server = "unknown"  # which one: a label of metrics


class StoreUnavailable(Unavailable):
    """PostgreSQL does not answer."""

    server = "postgresql"


class QueueUnavailable(Unavailable):
    """Redis does not answer."""

    server = "redis"


class Busy(SchedulerError):
    """As much of this is under way as may be at once; try again later."""


class NotFound(SchedulerError):
    """There is no such thing, or the caller may not see it: the two are not told apart."""


class Conflict(SchedulerError):
    """The present state of a thing does not allow what was asked."""

    def __init__(self, detail: str, *, current_status: str | None = None) -> None:
        super().__init__(detail)
        self.current_status = current_status


_DONE_TO_JOBS: Final = {"cancel": "be cancelled", "retry": "be retried", "give_back": "be given back"}


class IllegalTransition(Conflict):
    """The state machine has no such move."""

    def __init__(self, *, event: str, current_status: str) -> None:
        move = _DONE_TO_JOBS.get(event, event.replace("_", " "))
        super().__init__(f"A {current_status} job cannot {move}.", current_status=current_status)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of an input: where it is, what is wrong, and a stable word for the kind of fault."""

    loc: tuple[str | int, ...]
    msg: str
    type: str


class InvalidInput(SchedulerError):
    """The input fails validation; each fault names its field."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, e.loc))}: {e.msg}" for e in errors))
        self.errors = tuple(errors)


class TaskError(SchedulerError):
    """An attempt failed. `type` is the stable word that a job's `error.type` shows."""

    type = "task_error"

    def __init__(self, message: str, *, type: str | None = None) -> None:  # noqa: A002 - the contract's field name
        super().__init__(message)
        if type is not None:
            self.type = type


class PermanentError(TaskError):
    """Trying again cannot help: the job fails at once, whatever attempts remain."""

    type = "permanent"


class RetryLater(TaskError):
    """The attempt failed and the next shall wait `seconds` (ten years at most) instead of the job's own backoff."""

    type = "retry_later"

    def __init__(self, seconds: float, message: str = "The task asked to be tried again later.") -> None:
        super().__init__(message)
        self.seconds = min(max(0.0, seconds), LONGEST_DELAY_SECONDS)
