"""The chart's admission policies, as a person with kubectl meets them."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from integration.chart.helm import CHART, GROUP_PATH, deployment, eventually
from sluice.runtime.apiserver import ApiServer, configuration
from sluice.runtime.clock import SystemClock
from sluice.runtime.kube import KubernetesApi
from sluice.telemetry.metrics import RuntimeMetrics
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.resolve import locate

pytestmark = pytest.mark.integration
_GENERATED = yaml.safe_load((CHART / "files" / "warnings.yaml").read_text(encoding="utf-8"))
WARNED = [item["message"] for item in _GENERATED]
VALUES = {
    "exec": {"command": ["true"]},
    "httpGet": {"path": "/", "port": 8080},
    "httpHeaders": [{"name": "Accept", "value": "text/html"}],
    "tcpSocket": {"port": 8080},
    "grpc": {"port": 8080},
    "service": "shop",
    "terminationGracePeriodSeconds": 5,
    "runAsNonRoot": True,
    "type": "RuntimeDefault",
    "imagePullPolicy": "IfNotPresent",
    "priorityClassName": "high",
    "priority": 5,
}
"""What makes use of a field, by its last name."""
BESIDE: dict[str, dict[str, Any]] = {
    "service": {"port": 8080},
    "httpHeaders": {"port": 8080},
    "terminationGracePeriodSeconds": {"exec": {"command": ["true"]}},
}
"""What a field needs beside it."""
QUIET = {"readinessProbe": {"httpGet": {"path": "/", "port": 8080}}, "imagePullPolicy": "Always"}


def using(path: str, name: str, namespace: str) -> dict[str, Any]:
    """Return a Deployment that uses the field at `path`."""
    obj = deployment(name, namespace=namespace)
    pod = obj["spec"]["template"]["spec"]
    pod["initContainers"] = [{"name": "side", "image": "side:1", "restartPolicy": "Always"}]
    at: Any = obj
    *parents, leaf = path.removesuffix("[]").split(".")
    for parent in parents:
        at = at[parent.removesuffix("[]")][0] if parent.endswith("[]") else at.setdefault(parent, {})
    at.update(copy.deepcopy(BESIDE.get(leaf, {})) | {leaf: VALUES[leaf]})
    return obj


def warnings(cluster: Cluster, *objects: Mapping[str, Any], kubeconfig: Path | None = None) -> list[str]:
    """Return what kubectl warns of when the objects are applied, without keeping them."""
    done = subprocess.run(
        [str(locate(["kubectl"])["kubectl"]), "apply", "--dry-run=server", "-f", "-"],
        input="\n---\n".join(json.dumps(obj) for obj in objects),
        env={**os.environ, "KUBECONFIG": str(kubeconfig or cluster.kubeconfig), "KUBERC": "off"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Warning:")]


def test_kubectl_warns_of_every_field_that_means_something_else(
    control_plane: Cluster, namespace: str, release: str
) -> None:
    """Each line of the translation table that always warns does so at `kubectl apply`, and only it."""
    del release
    paths = [message.split(": ")[0] for message in WARNED]
    objects = [using(path, f"web-{index}", namespace) for index, path in enumerate(paths)]
    eventually(lambda: warnings(control_plane, objects[0]), "the policy counts")

    said = warnings(control_plane, *objects)

    missing = [message for message in WARNED if not any(message in line for line in said)]
    assert missing == []
    # kubectl says each text once, also where a field lies inside of one that is warned of.
    assert len(said) == len(WARNED), said


def test_kubectl_is_quiet_about_what_means_the_same(
    control_plane: Cluster, namespace: str, release: str
) -> None:
    """Values that make no difference on ECS, and task definitions, bring no warning."""
    del release
    noisy = using("spec.template.spec.priority", "noisy", namespace)
    eventually(lambda: warnings(control_plane, noisy), "the policy counts")
    quiet = deployment("quiet", namespace=namespace)
    quiet["spec"]["template"]["spec"]["containers"][0] |= QUIET
    raw = deployment("raw", namespace=namespace)
    del raw["spec"]["template"]
    container = {"name": "main", "image": "shop:1", "essential": True}
    raw["spec"]["taskDefinition"] = {"containerDefinitions": [container], "cpu": "256", "memory": "512"}
    assert warnings(control_plane, quiet, raw) == []


def test_nobody_but_the_operator_writes_status(
    control_plane: Cluster, namespace: str, release: str, tmp_path: Path
) -> None:
    """Even the administrator is refused, with the reason; the operator's account is not."""
    objects = f"{GROUP_PATH}/namespaces/{namespace}/ecsdeployments"
    control_plane.request("POST", objects, body=deployment("web"))
    change = json.dumps({"status": {"observedGeneration": 1}})

    def refused() -> str:
        status, text = control_plane.exchange(
            "PATCH", f"{objects}/web/status", payload=change, content_type="application/merge-patch+json"
        )
        return text if status == 403 else ""

    text = eventually(refused, "the policy counts")
    assert "status is written by the operator alone" in text
    assert f"system:serviceaccount:{namespace}:{release}" in text

    file = control_plane.kubeconfig_for_service_account(tmp_path / "operator", release, namespace=namespace)
    server = ApiServer(configuration(str(file)), pool=1, metrics=RuntimeMetrics(CollectorRegistry()))
    try:
        operator = KubernetesApi(server, clock=SystemClock())
        operator.patch_status(control_plane.request("GET", f"{objects}/web"), {"observedGeneration": 2})
    finally:
        server.close()
    assert control_plane.request("GET", f"{objects}/web")["status"] == {"observedGeneration": 2}
