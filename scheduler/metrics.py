"""Prometheus collectors, by the names that the contract gives them."""

from typing import Final

from prometheus_client import Gauge

JOBS: Final = Gauge("scheduler_jobs", "Jobs in the database, by status.", ["status"])
