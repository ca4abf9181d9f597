"""Install, upgrade and uninstall against an API server of their own: definitions, objects and finalizers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.helm import (
    CHART,
    CRD_PATH,
    FINALIZER,
    GROUP_PATH,
    PASSING,
    Helm,
    definitions,
    deployment,
    eventually,
    remove_finalizer,
)
from sluice.runtime.kube_lease import FINALIZERS_NOTE
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed, RequestRefused

pytestmark = pytest.mark.integration
SAY = "--set=installationId=test"
CRD = f"{CRD_PATH}/ecsdeployments.sluice.dev"
LEASE = "sluice"
OBJECTS = f"{GROUP_PATH}/namespaces/default/ecsdeployments"


def install(helm: Helm, namespace: str, *values: str, chart: Path = CHART) -> None:
    """Install the release `sluice`."""
    helm.run("install", "sluice", str(chart), "--namespace", namespace, SAY, *values)


def columns(cluster: Cluster) -> list[str]:
    """Return the printer columns of Deployments."""
    (version,) = cluster.request("GET", CRD)["spec"]["versions"]
    return [column["name"] for column in version["additionalPrinterColumns"]]


def create(cluster: Cluster, name: str, **metadata: Any) -> str:
    """Create a Deployment of ours as soon as its definition is served; return its path."""

    def try_it() -> bool:
        try:
            cluster.request("POST", OBJECTS, body=deployment(name, **metadata))
        except RequestRefused as refused:
            if refused.status not in PASSING:
                raise
            return False
        return True

    eventually(try_it, "the definition is served")
    return f"{OBJECTS}/{name}"


def note(cluster: Cluster, namespace: str, finalizers: int) -> None:
    """Leave on the Lease what the leader notes there."""
    metadata = {
        "name": LEASE,
        "namespace": namespace,
        "annotations": {FINALIZERS_NOTE: str(finalizers)},
    }
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def guarded(cluster: Cluster, namespace: str) -> bool:
    """Tell whether the policy refuses to delete the Lease (asked without doing it)."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}?dryRun=All"
    status, text = cluster.exchange("DELETE", path)
    assert status == 200 or "the operator is still needed" in text, text
    return status == 403


def refusal(helm: Helm, namespace: str) -> str:
    """Try to uninstall; return why it was refused, '' when it went through."""
    try:
        helm.run("uninstall", "sluice", "--namespace", namespace)
    except CommandFailed as failure:
        return failure.stderr
    return ""


def left(cluster: Cluster, namespace: str) -> list[str]:
    """Return what of the release is in the cluster, definitions aside, and the Lease."""
    kinds = (
        "serviceaccounts,configmaps,services,deployments,poddisruptionbudgets,roles,rolebindings,clusterroles,"
        "clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
    )
    label = "--selector=app.kubernetes.io/instance=sluice"
    found = cluster.kubectl("get", kinds, "--namespace", namespace, label, "-o", "name").split()
    return [*found, *cluster.kubectl("get", "leases", "--namespace", namespace, "-o", "name").split()]


def test_an_upgrade_of_the_chart_upgrades_the_definitions(
    own_plane: Cluster, own_helm: Helm, system: str, tmp_path: Path
) -> None:
    """A definition that changed reaches the cluster with `helm upgrade`, and objects stay."""
    old = tmp_path / "chart"
    shutil.copytree(CHART, old)
    file = old / "files" / "crds" / "sluice.dev_ecsdeployments.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    (version,) = document["spec"]["versions"]
    gone = version["additionalPrinterColumns"].pop()["name"]
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    install(own_helm, system, chart=old)
    before = columns(own_plane)
    uid = own_plane.request("GET", create(own_plane, "web"))["metadata"]["uid"]

    own_helm.run("upgrade", "sluice", str(CHART), "--namespace", system, SAY)

    assert columns(own_plane) == [*before, gone]
    assert own_plane.request("GET", f"{OBJECTS}/web")["metadata"]["uid"] == uid


def test_uninstall_is_refused_while_finalizers_are_left(
    own_plane: Cluster, own_helm: Helm, system: str
) -> None:
    """Helm shows how many objects are left and what to do; the release stays whole and can be upgraded."""
    install(own_helm, system)
    note(own_plane, system, 2)
    before = left(own_plane, system)
    eventually(lambda: guarded(own_plane, system), "the policy counts")

    text = refusal(own_helm, system)

    assert "2 custom resources of sluice.dev have Sluice's finalizer" in text
    assert "helm uninstall --no-hooks" in text
    assert own_helm.status("sluice", system) == "deployed"
    assert left(own_plane, system) == before
    own_helm.run("upgrade", "sluice", str(CHART), "--namespace", system, SAY, "--set=replicaCount=1")


def test_a_namespace_that_is_deleted_takes_the_lease_along(
    own_plane: Cluster, own_helm: Helm, system: str
) -> None:
    """The guard does not hang the deletion of its own namespace."""
    install(own_helm, system)
    note(own_plane, system, 2)
    eventually(lambda: guarded(own_plane, system), "the policy counts")
    own_plane.request("DELETE", f"/api/v1/namespaces/{system}")
    eventually(lambda: not guarded(own_plane, system), "the Lease may go")


def test_uninstall_leaves_only_definitions(own_plane: Cluster, own_helm: Helm, system: str) -> None:
    """With no finalizer left nothing of the release stays but the definitions, which Helm names."""
    install(own_helm, system)
    note(own_plane, system, 1)
    eventually(lambda: guarded(own_plane, system), "the policy counts")
    note(own_plane, system, 0)

    text = own_helm.run("uninstall", "sluice", "--namespace", system)

    assert "[CustomResourceDefinition] ecsdeployments.sluice.dev" in text
    assert left(own_plane, system) == []
    assert sorted(definitions(own_plane)) == ["ecsdeployments", "serviceroutes"]


def test_uninstall_without_hooks_keeps_objects_until_an_operator_is_back(
    own_plane: Cluster, own_helm: Helm, system: str
) -> None:
    """Objects survive; one that is deleted meanwhile waits, and a new release finds both."""
    install(own_helm, system)
    kept = create(own_plane, "kept", finalizers=[FINALIZER])
    waiting = create(own_plane, "waiting", finalizers=[FINALIZER])
    note(own_plane, system, 2)

    own_helm.run("uninstall", "sluice", "--namespace", system, "--no-hooks")
    own_plane.request("DELETE", waiting)

    assert "deletionTimestamp" not in own_plane.request("GET", kept)["metadata"]
    assert own_plane.request("GET", waiting)["metadata"]["deletionTimestamp"]
    install(own_helm, system)
    assert own_plane.request("GET", kept)["metadata"]["finalizers"] == [FINALIZER]
    # The new release's guard works too.
    eventually(lambda: guarded(own_plane, system), "the policy counts again")
    assert "2 custom resources" in refusal(own_helm, system)
    # What the operator does once AWS is clean, or a person who gives the AWS objects up (docs/uninstall.md).
    remove_finalizer(own_plane, waiting)
    with pytest.raises(RequestRefused, match="404"):
        own_plane.request("GET", waiting)


def test_another_release_needs_to_be_told_about_the_definitions(
    own_plane: Cluster, own_helm: Helm, system: str
) -> None:
    """Definitions have one owner: Helm refuses a second until it is told to leave or to take them."""
    install(own_helm, system)
    with pytest.raises(CommandFailed, match="cannot be imported into the current release"):
        own_helm.run("install", "second", str(CHART), "--namespace", system, "--set=installationId=two")
    beside = ["--set=installationId=two,crds.install=false,lease.name=two"]
    own_helm.run("install", "second", str(CHART), "--namespace", system, *beside)
    assert own_helm.status("second", system) == "deployed"


def test_definitions_from_kubectl_can_be_taken_over(own_plane: Cluster, own_helm: Helm, system: str) -> None:
    """Who began with `kubectl apply -f crds/` moves to the chart with --take-ownership."""
    own_plane.kubectl("apply", "--server-side", "-f", str(CHART / "files" / "crds"))
    own_helm.run("install", "sluice", str(CHART), "--namespace", system, SAY, "--take-ownership")
    labels = own_plane.request("GET", CRD)["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
