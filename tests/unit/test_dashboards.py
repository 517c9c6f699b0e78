"""What is deployed beside the product asks for metrics that exist."""

import importlib
import json
import re
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml
from prometheus_client import REGISTRY

ROOT: Final = Path(__file__).parents[2]
ALERTS: Final = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD: Final = ROOT / "deploy/grafana/scheduler.json"
DOCUMENT: Final = ROOT / "docs/monitoring.md"
SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
CONTRACT: Final = {
    *("scheduler_jobs_created_total", "scheduler_jobs_processed_total", "scheduler_jobs_completed_total"),
    *("scheduler_jobs_failed_total", "scheduler_job_duration_seconds_bucket", "scheduler_job_lateness_seconds_bucket"),
    *("scheduler_queue_size", "scheduler_jobs", "scheduler_jobs_active", "scheduler_attempts_lost_total"),
    *("scheduler_picker_claim_seconds_bucket", "scheduler_picker_batch_size_bucket"),
}


def metrics() -> set[str]:
    """Every name that a process can answer Prometheus with."""
    importlib.import_module("scheduler.metrics")  # registers ours
    return {family.name + suffix for family in REGISTRY.collect() for suffix in SUFFIXES.get(family.type, ("",))}


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:scheduler|process|python)_[a-z_]+", expression))


def alert_expressions() -> list[str]:
    groups: Any = yaml.safe_load(ALERTS.read_text())
    return [rule["expr"] for group in groups["groups"] for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    panels = cast("list[dict[str, Any]]", json.loads(DASHBOARD.read_text())["panels"])
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_contracts_metrics_exist() -> None:
    assert metrics() >= CONTRACT


@pytest.mark.parametrize("expressions", [alert_expressions(), dashboard_expressions()], ids=["alerts", "dashboard"])
def test_every_query_is_of_metrics_that_exist(expressions: list[str]) -> None:
    assert expressions
    for expression in expressions:
        assert names_in(expression), expression
        assert names_in(expression) <= metrics(), expression


def test_the_document_tells_of_every_metric_of_ours() -> None:
    told = names_in(DOCUMENT.read_text())
    ours = {each.name + ("_total" if each.type == "counter" else "") for each in REGISTRY.collect()}
    assert {name for name in ours if name.startswith("scheduler_")} <= told
