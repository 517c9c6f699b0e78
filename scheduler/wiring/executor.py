"""An executor."""

import asyncio
import os
import sys

import uvloop

from scheduler.executor.executor import Executor, ExecutorConfig
from scheduler.executor.process import preload
from scheduler.logs import log_everywhere
from scheduler.settings import Settings
from scheduler.store.connection import Database
from scheduler.tracing import flush, trace_to
from scheduler.wiring.common import database_url, redis_url, schema_is_there, serve, start, worker
from scheduler.wiring.tasks import task_registry


def run_executor(settings: Settings) -> None:
    """Be an executor until SIGTERM."""
    stop = start("executor", settings)
    stop.listen(settings.shutdown_grace_seconds)
    trace_to(settings.otel_exporter_otlp_endpoint, "executor")
    this = worker("executor", queues=settings.executor_queues, capacity=settings.executor_concurrency)
    log_everywhere(worker=this.name)
    config = ExecutorConfig(
        redis_url=redis_url(settings),
        worker=this,
        concurrency=settings.executor_concurrency,
        threads=settings.executor_threads or settings.executor_concurrency,
        processes=settings.executor_processes or settings.executor_concurrency,
        lease_seconds=settings.lease_seconds,
        grace_seconds=settings.shutdown_grace_seconds,
    )
    reports = Database(database_url(settings), name="reports", max_size=1, timeout=10)  # leases never wait for them
    registry = task_registry(settings, reports)
    preload(settings.task_modules)
    pulse = serve(settings)
    database = Database(database_url(settings), name="executor", max_size=4, keeps_plans=True)
    if schema_is_there(database, stop):
        # The runner is not closed: that would wait for tasks that ignore their cancellation.
        executor = Executor(config, database, registry, stop, pulse)
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(executor.run())
    database.close()
    reports.close()
    flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nor does it wait for threads that tasks left behind: all that matters is recorded
