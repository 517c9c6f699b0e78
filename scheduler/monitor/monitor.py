"""The life of the monitor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.daemon import Stop, Wake, repeat
from scheduler.logs import get_log
from scheduler.monitor.add_up import AddUp
from scheduler.monitor.count import Count
from scheduler.monitor.duty import Duty
from scheduler.monitor.retain import Retain
from scheduler.monitor.settle import Settle
from scheduler.monitor.tell import Channel, Tell
from scheduler.monitor.watch import EVERY_SECONDS, Limits, Watch
from scheduler.probes import Pulse
from scheduler.queue import Signals
from scheduler.store.connection import Database

log = get_log("monitor")

_SETTLE_EVERY_SECONDS: Final = 2.0
_ADD_UP_EVERY_SECONDS: Final = 5.0
_COUNT_EVERY_SECONDS: Final = 15.0
_RETAIN_EVERY_SECONDS: Final = 60.0
_TELL_EVERY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Whom to tell what: channels by their names, and the limits."""

    redis_url: str
    limits: Limits
    channels: Mapping[str, Channel]


@dataclass(frozen=True, slots=True)
class MonitorConfig:
    """How one monitor runs; without `alerts` nobody is told anything."""

    retention_days: float
    alerts: Alerts | None


class Monitor:
    """Does its duties in turn until it is stopped. `run` blocks."""

    def __init__(self, config: MonitorConfig, database: Database, stop: Stop, pulse: Pulse) -> None:
        self._stop = stop
        self._pulse = pulse
        self._wake = Wake()
        self._duties = [
            Duty(_SETTLE_EVERY_SECONDS, Settle(database).step),
            Duty(_ADD_UP_EVERY_SECONDS, AddUp(database).step),
            Duty(_COUNT_EVERY_SECONDS, Count(database).step),
            Duty(_RETAIN_EVERY_SECONDS, Retain(database, config.retention_days).step),
        ]
        if alerts := config.alerts:
            watch = Watch(database, Signals(alerts.redis_url), alerts.limits, alerts.channels.keys())
            self._duties += [
                Duty(EVERY_SECONDS, watch.step),
                Duty(_TELL_EVERY_SECONDS, Tell(database, alerts.channels).step),
            ]

    def run(self) -> None:
        self._stop.on_request(self._wake.ring)
        log.info("monitor ready")
        repeat(self._stop, self._wake, self._step, self._pulse)
        log.info("monitor stopped")

    def _step(self) -> float:
        return min([duty.step_if_due() for duty in self._duties])
