"""The life of the monitor."""

from typing import Final

from scheduler.daemon import Stop, Wake, repeat
from scheduler.logs import get_log
from scheduler.monitor.add_up import AddUp
from scheduler.monitor.count import Count
from scheduler.monitor.duty import Duty
from scheduler.monitor.retain import Retain
from scheduler.monitor.server import serve_metrics
from scheduler.monitor.settle import Settle
from scheduler.store.connection import Database

log = get_log("monitor")

_SETTLE_EVERY_SECONDS: Final = 2.0
_ADD_UP_EVERY_SECONDS: Final = 5.0
_COUNT_EVERY_SECONDS: Final = 15.0
_RETAIN_EVERY_SECONDS: Final = 60.0


class Monitor:
    """Does its duties in turn and serves what it knows, until it is stopped. `run` blocks."""

    def __init__(self, database: Database, stop: Stop, *, host: str, port: int, retention_days: float) -> None:
        self._stop = stop
        self._wake = Wake()
        self._duties = (
            Duty(_SETTLE_EVERY_SECONDS, Settle(database).step),
            Duty(_ADD_UP_EVERY_SECONDS, AddUp(database).step),
            Duty(_COUNT_EVERY_SECONDS, Count(database).step),
            Duty(_RETAIN_EVERY_SECONDS, Retain(database, retention_days).step),
        )
        self._server = serve_metrics(host, port)

    def run(self) -> None:
        self._stop.on_request(self._wake.ring)
        log.info("monitor ready", metrics=f"http://{self._server.server_name}:{self._server.server_port}/metrics")
        repeat(self._stop, self._wake, self._step)
        self._server.shutdown()
        log.info("monitor stopped")

    def _step(self) -> float:
        return min([duty.step_if_due() for duty in self._duties])
