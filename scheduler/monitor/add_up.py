"""Add up ended attempts for statistics."""

from dataclasses import dataclass
from typing import Final

from scheduler.domain.statistics import LONGEST_WINDOW_HOURS
from scheduler.store.connection import Database
from scheduler.store.rollup import forget_slots, roll_up

_KEPT_HOURS: Final = LONGEST_WINDOW_HOURS + 24


@dataclass(frozen=True, slots=True)
class AddUp:
    """The duty of adding up."""

    database: Database

    def step(self) -> bool:
        """Add up a batch, or forget what is too old for any window; whether there is more to add."""
        with self.database.connection() as conn:
            has_more = roll_up(conn)
            if not has_more:
                forget_slots(conn, hours=_KEPT_HOURS)
        return has_more
