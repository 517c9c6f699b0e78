"""Prometheus collectors, by the names that the contract gives them: docs/monitoring.md says who counts what."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from scheduler import __version__

PROCESS: Final = Gauge("scheduler_process_info", "1: what kind of process this is.", ["process", "version"])

JOBS: Final = Gauge("scheduler_jobs", "Jobs in the database, by status.", ["status"])
QUEUE_SIZE: Final = Gauge("scheduler_queue_size", "Jobs that are due or picked, and not started yet.", ["queue"])
OLDEST_DUE: Final = Gauge(
    "scheduler_oldest_due_seconds", "How long the job that waits longest has been due; not for a key.", ["queue"]
)

CREATED: Final = Counter("scheduler_jobs_created_total", "Jobs created, by whom: the API or a schedule.", ["source"])

ACTIVE: Final = Gauge("scheduler_jobs_active", "Attempts that run in this executor.")
PROCESSED: Final = Counter("scheduler_jobs_processed_total", "Attempts that ended and were recorded.")
COMPLETED: Final = Counter("scheduler_jobs_completed_total", "Jobs that completed.")
FAILED: Final = Counter("scheduler_jobs_failed_total", "Jobs that failed for good.")
DURATION: Final = Histogram(
    "scheduler_job_duration_seconds",
    "How long attempts took.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
LATENESS: Final = Histogram(
    "scheduler_job_lateness_seconds",
    "How long after they were due attempts started, by the database's clock.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
LOST: Final = Counter("scheduler_attempts_lost_total", "Attempts whose executor died or lost touch.")

CLAIM_SECONDS: Final = Histogram("scheduler_picker_claim_seconds", "How long claims took.")
BATCH_SIZE: Final = Histogram(
    "scheduler_picker_batch_size", "Jobs in a claim that found some.", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)

SERVER_AWAY: Final = Counter(
    "scheduler_server_away_total", "Steps of a picker or a monitor that PostgreSQL or Redis did not answer.", ["server"]
)


def introduce(process: str) -> None:
    """Say which kind of process these metrics are of."""
    PROCESS.labels(process, __version__).set(1)
