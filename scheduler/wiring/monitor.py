"""The monitor."""

from scheduler.monitor.monitor import Monitor
from scheduler.settings import Settings
from scheduler.store.connection import Database
from scheduler.wiring.common import database_url, schema_is_there, serve, start


def run_monitor(settings: Settings) -> None:
    """Be the monitor until SIGTERM."""
    stop = start("monitor", settings)
    stop.listen(settings.shutdown_grace_seconds)
    pulse = serve(settings)
    database = Database(database_url(settings), name="monitor", max_size=2)
    if schema_is_there(database, stop):
        Monitor(database, stop, pulse).run()
    database.close()
