"""The life of the monitor."""

from typing import Final

from scheduler.daemon import Stop, Wake, repeat
from scheduler.logs import get_log
from scheduler.metrics import JOBS
from scheduler.monitor.server import serve_metrics
from scheduler.store.connection import Database
from scheduler.store.counts import jobs_by_status

log = get_log("monitor")

_EVERY_SECONDS: Final = 15.0


class Monitor:
    """Counts jobs every quarter of a minute and serves what it knows, until it is stopped. `run` blocks."""

    def __init__(self, database: Database, stop: Stop, *, host: str, port: int) -> None:
        self._database = database
        self._stop = stop
        self._wake = Wake()
        self._server = serve_metrics(host, port)

    def run(self) -> None:
        self._stop.on_request(self._wake.ring)
        log.info("monitor ready", metrics=f"http://{self._server.server_name}:{self._server.server_port}/metrics")
        repeat(self._stop, self._wake, self._step)
        self._server.shutdown()
        log.info("monitor stopped")

    def _step(self) -> float:
        with self._database.connection() as conn:
            for status, count in jobs_by_status(conn).items():
                JOBS.labels(status.value).set(count)
        return _EVERY_SECONDS
