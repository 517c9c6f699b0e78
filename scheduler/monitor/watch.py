"""Look at what alerts are about; what is bad for long enough becomes a message."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from scheduler.domain.alert import Condition, Level, Reading, judge, level_of
from scheduler.domain.errors import QueueUnavailable
from scheduler.logs import get_log
from scheduler.queue import Signals
from scheduler.store.alerts import Look, keep_look, take_looks
from scheduler.store.connection import Connection, Database
from scheduler.store.vitals import oldest_due_seconds, recent_failures, schedule_late_seconds

log = get_log("alerts")

EVERY_SECONDS: Final = 20.0
FAILURES_WINDOW: Final = timedelta(minutes=15)
FEWEST_ATTEMPTS: Final = 20
"""A rate of fewer says nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be before somebody is told; 0 does not watch it."""

    failure_rate: float
    oldest_due_seconds: float
    schedule_late_seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """The duty of looking; one monitor looks for all."""

    database: Database
    signals: Signals
    limits: Limits
    channels: Collection[str]
    every_seconds: float = EVERY_SECONDS

    def step(self) -> bool:
        """Look at every condition whose time has come; there is never more to do."""
        readers = self._readers()
        with self.database.connection() as conn:
            looks = take_looks(conn, readers, every_seconds=self.every_seconds)
            for look in looks:
                self._judge(conn, look, readers[look.condition](conn))
        return False

    def _judge(self, conn: Connection, look: Look, reading: Reading) -> None:
        alert, news = judge(look.alert, reading.level, look.at)
        keep_look(conn, look, alert, news=news, summary=reading.summary, channels=self.channels)
        if news:
            log.warning("alert", alert=look.condition.value, news=news.value, summary=reading.summary)

    def _readers(self) -> dict[Condition, Callable[[Connection], Reading]]:
        limits = self.limits
        readers: dict[Condition, Callable[[Connection], Reading]] = {
            Condition.NO_PICKER: lambda _: self._alive("picker", self.signals.live_pickers),
            Condition.NO_EXECUTOR: lambda _: self._alive("executor", lambda: self.signals.live_capacity().executors),
        }
        if limits.failure_rate:
            readers[Condition.FAILURE_RATE] = self._failure_rate
        if limits.oldest_due_seconds:
            readers[Condition.OLDEST_DUE] = self._oldest_due
        if limits.schedule_late_seconds:
            readers[Condition.SCHEDULE_LATE] = self._schedule_late
        return readers

    def _alive(self, role: str, count: Callable[[], int]) -> Reading:
        try:
            live = count()
        except QueueUnavailable as away:  # without Redis the living can do nothing either
            return Reading(Level.BAD, f"No {role} can work: {away}")
        if not live:
            return Reading(Level.BAD, f"No {role} is live: start one with `scheduler {role}`.")
        return Reading(Level.GOOD, f"Live {role}s: {live}.")

    def _failure_rate(self, conn: Connection) -> Reading:
        failures, limit = recent_failures(conn, FAILURES_WINDOW), self.limits.failure_rate
        minutes = round(FAILURES_WINDOW.total_seconds() / 60)
        summary = (
            f"Of {failures.ended} attempts in the last {minutes} minutes {failures.failed} failed: "
            f"{failures.rate:.0%}, where {limit:.0%} is the limit."
        )
        is_few = failures.ended < FEWEST_ATTEMPTS
        return Reading(Level.GOOD if is_few else level_of(failures.rate, limit), summary)

    def _oldest_due(self, conn: Connection) -> Reading:
        seconds, limit = max(0.0, oldest_due_seconds(conn)), self.limits.oldest_due_seconds
        summary = f"The oldest due job has waited for {seconds:.0f} seconds to be picked, where {limit:g} is the limit."
        return Reading(level_of(seconds, limit), summary)

    def _schedule_late(self, conn: Connection) -> Reading:
        seconds, limit = max(0.0, schedule_late_seconds(conn)), self.limits.schedule_late_seconds
        summary = f"The job of a schedule is late by {seconds:.0f} seconds, where {limit:g} is the limit."
        return Reading(level_of(seconds, limit), summary)
