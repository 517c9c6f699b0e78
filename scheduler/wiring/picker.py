"""A picker."""

from scheduler.picker.picker import Picker, PickerConfig
from scheduler.settings import Settings
from scheduler.store.connection import Database
from scheduler.tracing import flush, trace_to
from scheduler.wiring.common import database_url, redis_url, schema_is_there, serve, start, worker


def run_picker(settings: Settings) -> None:
    """Be a picker until SIGTERM."""
    stop = start("picker", settings)
    stop.listen(settings.shutdown_grace_seconds)
    trace_to(settings.otel_exporter_otlp_endpoint, "picker")
    config = PickerConfig(
        worker=worker("picker"),
        redis_url=redis_url(settings),
        poll_seconds=settings.picker_poll_seconds,
        batch_size=settings.picker_batch_size,
        lease_seconds=settings.lease_seconds,
        ageing_seconds=settings.priority_ageing_seconds,
    )
    pulse = serve(settings)
    database = Database(database_url(settings), name="picker", max_size=2, keeps_plans=True)
    if schema_is_there(database, stop):
        Picker(config, database, stop, pulse).run()
    database.close()
    flush()
