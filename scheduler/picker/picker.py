"""The life of a picker: its duties in turn, until it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.daemon import Stop, Wake, keep_what_is_there, repeat
from scheduler.domain.errors import QueueUnavailable
from scheduler.domain.queue import NewWorker
from scheduler.logs import get_log
from scheduler.picker.claim import Claim
from scheduler.picker.expire import Expire
from scheduler.picker.forget import Forget
from scheduler.picker.recurring import Recurring
from scheduler.picker.report import Report
from scheduler.picker.rescue import Rescue
from scheduler.picker.sparing import Sparing
from scheduler.probes import Pulse
from scheduler.queue import Listener, Outbox
from scheduler.store.connection import Database
from scheduler.store.workers import REPORT_SECONDS

log = get_log("picker")

_FORGET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PickerConfig:
    """How one picker runs."""

    worker: NewWorker
    redis_url: str
    poll_seconds: float
    batch_size: int
    lease_seconds: float
    ageing_seconds: float


class Periodic:
    """A duty to do every so often, less often if it takes long, and at once again while it says that there is more."""

    def __init__(self, every_seconds: float, step: Callable[[], bool]) -> None:
        self._step = step
        self._sparing = Sparing(every_seconds=every_seconds)

    def step_if_due(self) -> None:
        if self._sparing.may_begin():
            with self._sparing:
                has_more = self._step()
            if has_more:
                self._sparing.at_once()


class Picker:
    """Makes the jobs of schedules, claims, rescues, expires and forgets until it is stopped. `run` blocks."""

    def __init__(self, config: PickerConfig, database: Database, stop: Stop, pulse: Pulse) -> None:
        self._config = config
        self._stop = stop
        self._pulse = pulse
        self._wake = Wake()
        self._outbox = Outbox(config.redis_url)
        self._recurring = Recurring(database)
        self._claim = Claim(
            database,
            self._outbox,
            batch_size=config.batch_size,
            lease_seconds=config.lease_seconds,
            ageing_seconds=config.ageing_seconds,
        )
        self._rescue_seconds = min(config.poll_seconds, config.lease_seconds / 4)
        self._report = Report(database, config.worker)
        self._upkeep = (
            Periodic(self._rescue_seconds, Rescue(database, lease_seconds=config.lease_seconds).step),
            Periodic(config.poll_seconds, Expire(database).step),
            Periodic(_FORGET_SECONDS, Forget(database).step),
            Periodic(REPORT_SECONDS, self._report.step),
        )

    def run(self) -> None:
        wake_ups = Listener(self._config.redis_url, "wake", lambda _: self._wake_up())
        wake_ups.start()
        self._stop.on_request(self._wake.ring)
        keep_what_is_there()
        log.info("picker ready", poll_seconds=self._config.poll_seconds)
        repeat(self._stop, self._wake, self._step, self._pulse)
        wake_ups.stop()
        self._outbox.close()
        self._report.depart()
        log.info("picker stopped")

    def _wake_up(self) -> None:
        self._claim.expect_work()
        self._wake.ring()

    def _step(self) -> float:
        for duty in self._upkeep:
            duty.step_if_due()
        try:
            pause = self._claim.step()  # first: jobs wait for it
        except QueueUnavailable:
            self._make_jobs_of_schedules()
            raise
        return min(pause, self._recurring.step(), self._rescue_seconds)

    def _make_jobs_of_schedules(self) -> None:
        """All that are due: they need no Redis, and would count as missed when it is back."""
        while self._recurring.step() <= 0 and not self._stop.requested.is_set():
            pass
