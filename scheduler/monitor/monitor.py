"""The life of the monitor."""

from typing import Final

from scheduler.daemon import Stop, Wake, repeat
from scheduler.logs import get_log
from scheduler.monitor.add_up import AddUp
from scheduler.monitor.count import Count
from scheduler.monitor.duty import Duty
from scheduler.monitor.settle import Settle
from scheduler.probes import Pulse
from scheduler.store.connection import Database

log = get_log("monitor")

_SETTLE_EVERY_SECONDS: Final = 2.0
_ADD_UP_EVERY_SECONDS: Final = 5.0
_COUNT_EVERY_SECONDS: Final = 15.0


class Monitor:
    """Does its duties in turn until it is stopped. `run` blocks."""

    def __init__(self, database: Database, stop: Stop, pulse: Pulse) -> None:
        self._stop = stop
        self._pulse = pulse
        self._wake = Wake()
        self._duties = (
            Duty(_SETTLE_EVERY_SECONDS, Settle(database).step),
            Duty(_ADD_UP_EVERY_SECONDS, AddUp(database).step),
            Duty(_COUNT_EVERY_SECONDS, Count(database).step),
        )

    def run(self) -> None:
        self._stop.on_request(self._wake.ring)
        log.info("monitor ready")
        repeat(self._stop, self._wake, self._step, self._pulse)
        log.info("monitor stopped")

    def _step(self) -> float:
        return min([duty.step_if_due() for duty in self._duties])
