"""`kubectl explain` of Sluice's own fields, as a person reads it: golden files."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from api_samples import deployment, route
from sluice.model.keys import API_VERSION, PLURALS
from sluice_sandbox.controlplane.cluster import Cluster

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parent / "golden"
_PROGRESSIVE = "ecsdeployments.spec.strategy.progressive"
EXPLAINED = {
    "deployment-spec": "ecsdeployments.spec",
    "deployment-ecs": "ecsdeployments.spec.ecs",
    "deployment-target-groups": "ecsdeployments.spec.ecs.targetGroups",
    "deployment-health-check": "ecsdeployments.spec.ecs.targetGroups.healthCheck",
    "deployment-logging": "ecsdeployments.spec.ecs.logging",
    "deployment-strategy": "ecsdeployments.spec.strategy",
    "deployment-rolling-update": "ecsdeployments.spec.strategy.rollingUpdate",
    "deployment-progressive": _PROGRESSIVE,
    "deployment-blue-green": f"{_PROGRESSIVE}.blueGreen",
    "deployment-steps": f"{_PROGRESSIVE}.steps",
    "deployment-analysis": f"{_PROGRESSIVE}.analysis",
    "deployment-metrics": f"{_PROGRESSIVE}.analysis.metrics",
    "deployment-hooks": f"{_PROGRESSIVE}.hooks",
    "deployment-freeze-windows": f"{_PROGRESSIVE}.freezeWindows",
    "deployment-status": "ecsdeployments.status",
    "deployment-rollout": "ecsdeployments.status.rollout",
    "deployment-slots": "ecsdeployments.status.slots",
    "route-spec": "serviceroutes.spec",
    "route-parents": "serviceroutes.spec.parentRefs",
    "route-rules": "serviceroutes.spec.rules",
    "route-matches": "serviceroutes.spec.rules.matches",
    "route-test": "serviceroutes.spec.test",
    "route-discovery": "serviceroutes.spec.discovery",
    "route-discovery-namespace": "serviceroutes.spec.discovery.namespaceRef",
    "route-discovery-dns": "serviceroutes.spec.discovery.dns",
    "route-sessions": "serviceroutes.spec.rules.sessionPersistence",
    "route-status-rules": "serviceroutes.status.parents.rules",
    "route-status-backends": "serviceroutes.status.backends",
    "deployment-adopt": "ecsdeployments.spec.adopt",
    "deployment-traffic": "ecsdeployments.status.traffic",
    "deployment-load-balancer-metric": f"{_PROGRESSIVE}.analysis.metrics.loadBalancer",
    "deployment-cloudwatch-metric": f"{_PROGRESSIVE}.analysis.metrics.cloudWatch",
    "deployment-run-task": f"{_PROGRESSIVE}.hooks.runTask",
    "route-backends": "serviceroutes.spec.rules.backendRefs",
    "route-status": "serviceroutes.status",
}


DEADLINE_SECONDS = 30


@pytest.fixture(scope="module")
def documented(control_plane: Cluster) -> Cluster:
    """The control plane once its OpenAPI document has both kinds: it follows the CRDs by moments."""
    end = time.monotonic() + DEADLINE_SECONDS
    path = f"/openapi/v3/apis/{API_VERSION}"
    text = ""
    while time.monotonic() < end:
        _, text = control_plane.exchange("GET", path)
        if all(f"/{plural}" in text for plural in PLURALS.values()):
            return control_plane
    pytest.fail(f"the OpenAPI document has not both kinds after {DEADLINE_SECONDS} s: {text[:200]}")


@pytest.mark.parametrize("name", EXPLAINED)
def test_explain_reads_as_in_the_golden_file(name: str, documented: Cluster) -> None:
    """The text is the one that was reviewed; `python -m sluice.api.crdgen` and this file change together."""
    group = "--api-version=" + API_VERSION
    text = documented.kubectl("explain", EXPLAINED[name], group)
    golden = GOLDEN / f"{name}.txt"
    seen = "\n".join(line.rstrip() for line in text.splitlines()).rstrip() + "\n"
    if not golden.exists():
        golden.write_text(seen, encoding="utf-8")
        pytest.fail(f"{golden.name} was missing and is written now: review and commit it")
    assert seen == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("obj", [deployment(), route()], ids=["Deployment", "ServiceRoute"])
def test_short_names_category_and_columns_are_served(
    obj: dict[str, object], control_plane: Cluster, namespace: str
) -> None:
    """`kubectl get` knows the kind by its short name and category and prints the columns of api.md."""
    kind = str(obj["kind"])
    control_plane.kubectl(
        "apply", "-n", namespace, "-f", "-", stdin=json.dumps({**obj, "metadata": {"name": "web"}})
    )
    short = {"Deployment": "ecsd", "ServiceRoute": "sroute"}[kind]
    wide = control_plane.kubectl("get", short, "-n", namespace, "-o", "wide").splitlines()[0]
    columns = {
        "Deployment": "NAME READY PHASE REVISION STEP WEIGHT DESIRED RUNNING AGE CLUSTER SLOT REASON",
        "ServiceRoute": "NAME READY HOSTS BACKENDS WEIGHTS AGE LISTENER REASON",
    }[kind]
    assert re.sub(r"\s+", " ", wide).strip() == columns
    listed = control_plane.kubectl("get", "sluice", "-n", namespace, "-o", "name")
    assert f"{kind.lower()}.sluice.dev/web" in listed.split()


def test_scale_changes_replicas(control_plane: Cluster, namespace: str) -> None:
    """`kubectl scale` writes spec.replicas through the scale subresource."""
    obj = deployment(replicas=1) | {"metadata": {"name": "web"}}
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(obj))
    control_plane.kubectl("scale", "ecsd/web", "--replicas=4", "-n", namespace)
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/ecsdeployments/web"
    assert control_plane.request("GET", path)["spec"]["replicas"] == 4
