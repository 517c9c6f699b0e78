"""The monitor."""

from scheduler.monitor.monitor import Monitor, MonitorConfig
from scheduler.settings import Settings
from scheduler.store.connection import Database
from scheduler.wiring.common import database_url, schema_is_there, serve, start


def run_monitor(settings: Settings) -> None:
    """Be the monitor until SIGTERM."""
    stop = start("monitor", settings)
    stop.listen(settings.shutdown_grace_seconds)
    pulse = serve(settings)
    alerts = None
    if settings.alert_webhook_url or settings.alert_email_to:
        from scheduler.wiring.alerts import alerts_of  # with HTTP and mail, 10 MB

        alerts = alerts_of(settings)
    config = MonitorConfig(retention_days=settings.retention_days, alerts=alerts)
    database = Database(database_url(settings), name="monitor", max_size=2)
    if schema_is_there(database, stop):
        Monitor(config, database, stop, pulse).run()
    database.close()
