"""When to send a request again, and how long to wait before."""

import random
from dataclasses import dataclass
from typing import Final

from scheduler.client.calls import Answer, Call, Lost

PASSING: Final = frozenset({429, 502, 503, 504})
"""Refusals that another time may not see."""


@dataclass(frozen=True, slots=True)
class Retries:
    """So many attempts in all; waits double from `first_seconds`, never above `longest_seconds`, each with jitter.

    A `Retry-After` is waited for in full. One that is longer than `longest_seconds` is an error at once.
    """

    attempts: int = 6
    first_seconds: float = 0.25
    longest_seconds: float = 30.0

    def pause(self, call: Call[object], attempt: int, heard: Answer | Lost) -> float | None:
        """Seconds to wait before sending `call` again after its `attempt`th time; None when it is not to be."""
        if attempt >= self.attempts or not _may_help(call, heard):
            return None
        backoff = min(self.longest_seconds, self.first_seconds * 2.0 ** (attempt - 1))
        jittered = backoff * random.uniform(0.5, 1)  # noqa: S311 - no secret
        asked = retry_after(heard) if isinstance(heard, Answer) else 0.0
        if asked > self.longest_seconds:
            return None
        return asked + jittered / 2 if asked else jittered


def retry_after(answer: Answer) -> float:
    """Seconds that an answer asks to wait; 0 when it asks for none."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdecimal() else 0.0


def _may_help(call: Call[object], heard: Answer | Lost) -> bool:
    is_repeatable = call.again or call.key is not None or call.method in {"GET", "PATCH", "DELETE"}
    if isinstance(heard, Lost):
        return is_repeatable or not heard.was_sent
    if heard.status not in PASSING:
        return False
    return is_repeatable or heard.status == 429  # what was too much was not begun
