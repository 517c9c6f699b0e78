"""The monitor."""

from pydantic import ValidationError

from scheduler.domain.errors import ConfigurationError
from scheduler.monitor.monitor import Alerts, Monitor, MonitorConfig
from scheduler.monitor.tell import Channel, email, webhook
from scheduler.monitor.watch import Limits
from scheduler.settings import Settings
from scheduler.store.connection import Database
from scheduler.wiring.common import database_url, redis_url, schema_is_there, serve, start
from scheduler.wiring.tasks import smtp_config


def run_monitor(settings: Settings) -> None:
    """Be the monitor until SIGTERM."""
    stop = start("monitor", settings)
    stop.listen(settings.shutdown_grace_seconds)
    pulse = serve(settings)
    config = MonitorConfig(
        retention_days=settings.retention_days,
        alerts=_alerts(settings),
    )
    database = Database(database_url(settings), name="monitor", max_size=2)
    if schema_is_there(database, stop):
        Monitor(config, database, stop, pulse).run()
    database.close()


def _alerts(settings: Settings) -> Alerts | None:
    """None when there is nobody to tell; raises ConfigurationError."""
    channels = _channels(settings)
    if not channels:
        return None
    limits = Limits(
        failure_rate=settings.alert_failure_rate,
        oldest_due_seconds=settings.alert_oldest_due_seconds,
        schedule_late_seconds=settings.alert_schedule_late_seconds,
    )
    return Alerts(redis_url(settings), limits, channels)


def _channels(settings: Settings) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    if url := settings.alert_webhook_url.get_secret_value():
        channels["webhook"] = webhook(url)
    if settings.alert_email_to:
        try:
            channels["email"] = email(smtp_config(settings), [*settings.alert_email_to])
        except ValidationError:
            raise ConfigurationError("ALERT_EMAIL_TO: each has to be an address, as ops@example.com is.") from None
    return channels
