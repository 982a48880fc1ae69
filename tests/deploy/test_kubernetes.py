"""The manifests: what Kubernetes accepts, confined, and the same as what compose runs."""

from __future__ import annotations

import json

import pytest
import yaml

from claude_comm.runtime import worker_processes
from claude_comm.runtime.signals import DRAIN_S
from tests.support.deployment import DEPLOY, OURS
from tests.support.homes import REPOSITORY

MANIFESTS = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
WORKLOADS = [manifest for manifest in MANIFESTS if manifest["kind"] in ("Deployment", "StatefulSet")]
PODS = {manifest["metadata"]["name"]: manifest["spec"]["template"]["spec"] for manifest in WORKLOADS}
WORKER_PODS = {name: pod for name, pod in PODS.items() if pod["containers"][0]["image"].startswith("claude-comm:")}


def test_the_manifests_are_what_kubernetes_accepts() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="needs the extra `deploy`")
    for manifest in MANIFESTS:
        validate.validate(manifest, "1.33", strict=True)
    wrong = json.loads(json.dumps(WORKLOADS[0]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, "1.33", strict=True)


def test_every_worker_has_a_workload_that_runs_what_compose_runs() -> None:
    assert set(WORKER_PODS) >= set(worker_processes.WORKERS)
    for name, pod in WORKER_PODS.items():
        (container,) = pod["containers"]
        if name not in OURS:
            continue
        service = OURS[name]
        assert container["image"] == service["image"]
        assert container["args"] == service["command"]
        environ = {variable["name"]: variable["value"] for variable in container["env"]}
        assert {name: value for name, value in service["environment"].items() if name in environ} == {
            name: value for name, value in environ.items() if name != "CLAUDE_COMM_HOME"
        }
        _, *check = service["healthcheck"]["test"]
        assert container["livenessProbe"]["exec"]["command"] == check
        assert container["readinessProbe"]["exec"]["command"] == [*check, "--ready"]
        assert pod["terminationGracePeriodSeconds"] > DRAIN_S


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_confined_and_bounded(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert {"livenessProbe", "readinessProbe"} <= set(container)


def test_volumes_selectors_and_budgets_of_the_manifests_name_what_is_there() -> None:
    for manifest in WORKLOADS:
        spec = manifest["spec"]
        claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
        volumes = {volume["name"] for volume in spec["template"]["spec"].get("volumes", [])} | claims
        for container in spec["template"]["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    labels = [manifest["spec"]["template"]["metadata"]["labels"] for manifest in WORKLOADS]
    for manifest in MANIFESTS:
        if manifest["kind"] in ("PodDisruptionBudget", "Service"):
            selector = manifest["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert any(selector.items() <= label.items() for label in labels), manifest["metadata"]
        if manifest["kind"] == "HorizontalPodAutoscaler":
            assert manifest["spec"]["scaleTargetRef"]["name"] in PODS


def test_what_scales_on_lag_names_a_metric_that_is_measured() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    scalers = [manifest for manifest in MANIFESTS if manifest["kind"] == "HorizontalPodAutoscaler"]
    assert scalers
    for scaler in scalers:
        for metric in scaler["spec"]["metrics"]:
            assert f"`{metric['external']['metric']['name']}`" in page
