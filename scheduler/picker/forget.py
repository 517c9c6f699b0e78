"""Forget the answers of requests that will not be sent again."""

from dataclasses import dataclass
from typing import Final

from scheduler.store import idempotency
from scheduler.store.connection import Database

_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Forget:
    """The duty of forgetting idempotency keys."""

    database: Database

    def step(self) -> bool:
        """Forget a batch; whether there may be more."""
        with self.database.connection() as conn:
            return idempotency.forget(conn, limit=_LIMIT) == _LIMIT
