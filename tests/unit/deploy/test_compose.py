"""docker-compose.yml, read as the Compose specification reads it; no Docker runs here."""

import re
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml
from compose_spec import PyOptions

from tests.unit.deploy.program import ROOT, require_command, require_settings

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::(?P<how>[-?])(?P<text>[^}]*))?\}")
TEXT: Final = _VARIABLE.sub(
    lambda found: found["text"] if found["how"] == "-" else "x" * 32, (ROOT / "docker-compose.yml").read_text("utf-8")
)
COMPOSE: Final = cast("dict[str, Any]", yaml.safe_load(TEXT))
SERVICES: Final = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
OURS: Final = {name: service for name, service in SERVICES.items() if service["image"] == "scheduler"}
PROCESSES: Final = ("api", "picker", "executor", "monitor")


def test_it_follows_the_specification() -> None:
    PyOptions(apply_merge=True).from_yaml(TEXT).validate()


def test_all_four_processes_run_after_the_migrations() -> None:
    assert {*OURS} == {*PROCESSES, "migrate"}
    for name in PROCESSES:
        assert OURS[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", OURS)
def test_a_process_is_a_command_with_settings_that_there_are(name: str) -> None:
    (command,) = OURS[name]["command"]
    assert command == name
    require_command(command)
    require_settings(OURS[name]["environment"])


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_asked_where_it_answers(name: str) -> None:
    environment = OURS[name]["environment"]
    port = 3000 if name == "api" else environment["METRICS_PORT"]
    assert environment["PROBE_PORT"] == port
    assert "healthcheck" not in OURS[name]  # the image brings it


def test_running_tasks_may_end_before_they_are_killed() -> None:
    for service in OURS.values():
        grace = int(str(service["stop_grace_period"]).removesuffix("s"))
        assert grace > service["environment"]["SHUTDOWN_GRACE_SECONDS"]


def test_nothing_is_published_beyond_this_host() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(published) == 5
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_only_the_api_holds_the_secrets_of_the_api() -> None:
    secrets = {"JWT_SECRET", "ADMIN_PASSWORD", "METRICS_TOKEN"}
    assert {name for name, service in OURS.items() if secrets & {*service["environment"]}} == {"api"}


def test_every_file_and_volume_that_is_mounted_is_there() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", ())]
    named = {source for source, *_ in mounts if not source.startswith(".")}
    assert named == {*COMPOSE["volumes"]}
    assert [source for source, *_ in mounts if source.startswith(".") and not (ROOT / source).exists()] == []


def test_grafana_finds_prometheus_and_its_dashboards() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "scheduler.yml").read_text("utf-8"))["providers"]
    assert f"./deploy/grafana:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]


def test_prometheus_asks_the_processes_that_there_are() -> None:
    path = next(word for word in SERVICES["prometheus"]["command"] if word.startswith("--config.file="))
    assert "./deploy/prometheus:/etc/prometheus:ro" in SERVICES["prometheus"]["volumes"]
    configuration = yaml.safe_load((ROOT / "deploy" / "prometheus" / Path(path).name).read_text("utf-8"))
    looked_up = {
        (name, lookup["port"])
        for job in configuration["scrape_configs"]
        for lookup in job["dns_sd_configs"]
        for name in lookup["names"]
    }
    assert looked_up == {(name, OURS[name]["environment"]["PROBE_PORT"]) for name in PROCESSES}
    assert [name for name in configuration["rule_files"] if not (ROOT / "deploy" / "prometheus" / name).exists()] == []
