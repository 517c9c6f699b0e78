"""deploy/kubernetes as kustomize renders it: valid to Kubernetes, and everything that it names is there."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast

import kubernetes_validate
import pytest
import yaml

from tests.unit.deploy.program import ROOT, require_command, require_settings

Manifest: TypeAlias = "dict[str, Any]"

KUBERNETES: Final = "1.30"
"""The oldest version that knows all that is used."""
NOT_KUBERNETES: Final = {"ScaledObject"}
OF_PODS: Final = {"Deployment", "StatefulSet", "Job"}


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """The example with all its components."""
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not installed, which brings kustomize")
    command = [kubectl, "kustomize", str(ROOT / "deploy" / "kubernetes" / "example")]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [cast("Manifest", each) for each in yaml.safe_load_all(rendered)]


@pytest.fixture(scope="module")
def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """What runs, by its name: pod templates."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in manifests if each["kind"] in OF_PODS}


def test_kubernetes_takes_it(manifests: list[Manifest]) -> None:
    for manifest in manifests:
        if manifest["kind"] not in NOT_KUBERNETES:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_everything_lies_in_one_namespace(manifests: list[Manifest]) -> None:
    (namespace,) = (each["metadata"]["name"] for each in manifests if each["kind"] == "Namespace")
    assert {each["metadata"]["namespace"] for each in manifests if each["kind"] != "Namespace"} == {namespace}


def test_the_four_processes_and_the_migrations_are_commands(pods: dict[str, Manifest]) -> None:
    commands = {name: _container(pod)["args"] for name, pod in pods.items() if _is_ours(pod)}
    assert commands == {f"scheduler-{each}": [each] for each in ("api", "picker", "executor", "monitor", "migrate")}
    for (command,) in commands.values():
        require_command(command)


def test_settings_come_from_what_there_is(manifests: list[Manifest], pods: dict[str, Manifest]) -> None:
    maps = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    for container in (_container(pod) for pod in pods.values() if _is_ours(pod)):
        named = [source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source]
        (settings,) = (maps[name] for name in named)
        require_settings([*settings, *(variable["name"] for variable in container["env"])])


def test_secrets_are_referred_to_and_their_making_is_documented(pods: dict[str, Manifest]) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    for container in map(_container, pods.values()):
        for source in container.get("envFrom", ()):
            assert "secretRef" not in source or f"generic {source['secretRef']['name']} " in page
        for variable in container["env"]:
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                assert f"generic {reference['name']} " in page
                assert f"--from-literal={reference['key']}=" in page
            else:
                assert "PASSWORD" not in variable["name"]


def test_only_the_api_holds_the_secrets_of_the_api(pods: dict[str, Manifest]) -> None:
    holders = {
        name
        for name, pod in pods.items()
        for variable in _container(pod)["env"]
        if variable.get("valueFrom", {}).get("secretKeyRef", {}).get("name") == "scheduler-api"
    }
    assert holders == {"scheduler-api"}


def test_pods_may_do_no_more_than_they_need(pods: dict[str, Manifest]) -> None:
    for pod in pods.values():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert _container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == {*_container(pod)["resources"]}


def test_the_image_s_user_is_theirs(pods: dict[str, Manifest]) -> None:
    user = {pod["spec"]["securityContext"]["runAsUser"] for pod in pods.values() if _is_ours(pod)}
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    assert [f"USER {number}" in dockerfile for number in user] == [True]


def test_running_tasks_may_end_before_they_are_killed(manifests: list[Manifest], pods: dict[str, Manifest]) -> None:
    (settings,) = (each["data"] for each in manifests if each["kind"] == "ConfigMap")
    grace = float(settings["SHUTDOWN_GRACE_SECONDS"])
    for pod in (pod for pod in pods.values() if _is_ours(pod)):
        before = _container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["spec"]["terminationGracePeriodSeconds"] > grace + before


def test_probes_ask_where_the_process_answers(manifests: list[Manifest], pods: dict[str, Manifest]) -> None:
    (settings,) = (each["data"] for each in manifests if each["kind"] == "ConfigMap")
    for name in ("api", "picker", "executor", "monitor"):
        container = _container(pods[f"scheduler-{name}"])
        (port,) = container["ports"]
        assert port["containerPort"] == int(settings["API_PORT" if name == "api" else "METRICS_PORT"])
        asked = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert {probe: get["path"] for probe, get in asked.items()} == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        assert {get["port"] for get in asked.values()} == {port["name"]}


def test_every_selector_selects_pods(manifests: list[Manifest], pods: dict[str, Manifest]) -> None:
    selectors = [selector for manifest in manifests for selector in _selectors(manifest)]
    assert len(selectors) > 20
    for selector in selectors:
        assert any(selector.items() <= pod["metadata"]["labels"].items() for pod in pods.values()), selector


def test_a_service_leads_to_a_port_of_its_pods(manifests: list[Manifest], pods: dict[str, Manifest]) -> None:
    for service in (each for each in manifests if each["kind"] == "Service"):
        selected = [p for p in pods.values() if service["spec"]["selector"].items() <= p["metadata"]["labels"].items()]
        named = {port["name"] for pod in selected for port in _container(pod)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


def test_a_policy_names_ports_that_there_are(manifests: list[Manifest], pods: dict[str, Manifest]) -> None:
    named = {port["name"] for pod in pods.values() for port in _container(pod).get("ports", ())}
    for policy in (each for each in manifests if each["kind"] == "NetworkPolicy"):
        rules = policy["spec"].get("ingress", ())
        assert {port["port"] for rule in rules for port in rule["ports"]} <= named


def test_what_is_scaled_says_no_number_itself(manifests: list[Manifest]) -> None:
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for each in manifests
        if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    }
    assert scaled == {"scheduler-api", "scheduler-executor"}
    for manifest in (each for each in manifests if each["metadata"]["name"] in scaled):
        assert manifest["kind"] != "Deployment" or "replicas" not in manifest["spec"]


def test_volumes_are_there_where_they_are_mounted(pods: dict[str, Manifest]) -> None:
    for pod in (pod for pod in pods.values() if _is_ours(pod)):
        mounts = {mount["name"] for mount in _container(pod).get("volumeMounts", ())}
        assert mounts == {volume["name"] for volume in pod["spec"].get("volumes", ())}


def _container(pod: Manifest) -> Manifest:
    (container,) = pod["spec"]["containers"]
    return cast("Manifest", container)


def _is_ours(pod: Manifest) -> bool:
    return pod["metadata"]["labels"].get("app.kubernetes.io/name") == "scheduler"


def _selectors(manifest: Manifest) -> Iterator[dict[str, str]]:
    """The labels by which it chooses pods of its own namespace."""
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Service":
            yield spec["selector"]
        case "NetworkPolicy":
            yield spec["podSelector"].get("matchLabels", {})
            peers = [peer for rule in spec.get("ingress", ()) for peer in rule.get("from", ())]
            yield from (peer["podSelector"]["matchLabels"] for peer in peers if "podSelector" in peer)
        case "Deployment" | "StatefulSet" | "PodDisruptionBudget":
            yield spec["selector"]["matchLabels"]
            pod = spec.get("template", {}).get("spec", {})
            yield from (each["labelSelector"]["matchLabels"] for each in pod.get("topologySpreadConstraints", ()))
        case _:
            pass
