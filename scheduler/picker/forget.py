"""Forget what is over: answers to requests that will not be sent again, log-ins, and failures to log in."""

from dataclasses import dataclass
from typing import Final

from scheduler.store import idempotency
from scheduler.store.connection import Database
from scheduler.store.login_failures import forget_failures
from scheduler.store.sessions import forget_sessions

_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Forget:
    """The duty of forgetting."""

    database: Database

    def step(self) -> bool:
        """Forget a batch of each; whether there may be more."""
        with self.database.connection() as conn:
            forgotten = [
                forget(conn, limit=_LIMIT) for forget in (idempotency.forget, forget_sessions, forget_failures)
            ]
        return max(forgotten) == _LIMIT
