"""What a monitor tells, and to whom."""

from pydantic import ValidationError

from scheduler.domain.errors import ConfigurationError
from scheduler.monitor.channels import email, webhook
from scheduler.monitor.monitor import Alerts
from scheduler.monitor.tell import Channel
from scheduler.monitor.watch import Limits
from scheduler.settings import Settings
from scheduler.wiring.common import redis_url
from scheduler.wiring.tasks import smtp_config


def alerts_of(settings: Settings) -> Alerts:
    """The alerts of an installation that has somebody to tell; raises ConfigurationError."""
    limits = Limits(
        failure_rate=settings.alert_failure_rate,
        oldest_due_seconds=settings.alert_oldest_due_seconds,
        schedule_late_seconds=settings.alert_schedule_late_seconds,
    )
    return Alerts(redis_url(settings), limits, _channels(settings))


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
