"""When to try again: attempt -> delay, or give up."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from scheduler.domain.errors import PermanentError, RetryLater


class Backoff(StrEnum):
    """How the delay grows with the attempts made."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a job waits between its attempts, in seconds."""

    backoff: Backoff = Backoff.EXPONENTIAL
    delay_seconds: float = 5.0
    max_delay_seconds: float = 3600.0
    jitter: bool = True


DEFAULT_RETRY: Final = RetryPolicy()

_MAX_DOUBLINGS: Final = 60
"""Enough for any bound that fits in a float of seconds; keeps 2**attempt from growing without end."""


def retry_delay(policy: RetryPolicy, attempt: int, luck: float) -> float:
    """Seconds to wait after `attempt` (1 for the first) failed; `luck` in [0, 1) decides the jitter.

    With jitter the delay is drawn evenly from its upper half ("equal jitter" of the AWS Architecture
    Blog's "Exponential Backoff And Jitter"): failures of one moment spread out, and none comes back at once.
    """
    match policy.backoff:
        case Backoff.EXPONENTIAL:
            delay = policy.delay_seconds * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS)
        case Backoff.LINEAR:
            delay = policy.delay_seconds * attempt
        case Backoff.FIXED:
            delay = policy.delay_seconds
    delay = min(delay, policy.max_delay_seconds)
    return delay * (0.5 + luck / 2) if policy.jitter else delay


def next_delay(policy: RetryPolicy, attempt: int, max_attempts: int, error: Exception, luck: float) -> float | None:
    """Seconds until the attempt after `attempt`, which failed with `error`; None when there shall be none."""
    if attempt >= max_attempts or isinstance(error, PermanentError):
        return None
    if isinstance(error, RetryLater):
        return error.seconds
    return retry_delay(policy, attempt, luck)
