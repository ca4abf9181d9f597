"""What the API server makes of manifests that several managers apply, and of an object nobody looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from integration.chart.helm import GROUP_PATH, deployment
from sluice.model.conditions import conditions
from sluice.runtime.apiserver import ApiServer, configuration
from sluice.runtime.clock import SystemClock
from sluice.runtime.kube import KubernetesApi
from sluice.telemetry.metrics import RuntimeMetrics
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.errors import CommandFailed
from unit.gitops.kstatus import kstatus

pytestmark = pytest.mark.integration
ARGO_CD, SCALER = "argocd-controller", "kube-controller-manager"


class Desk:
    """One namespace: kubectl as a person or a controller, and the operator's own client."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        """Connect."""
        self.cluster, self.namespace = cluster, namespace
        self._server = ApiServer(
            configuration(str(cluster.kubeconfig)), pool=1, metrics=RuntimeMetrics(CollectorRegistry())
        )
        self.operator = KubernetesApi(self._server, clock=SystemClock())

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def apply(self, obj: dict[str, Any], *flags: str) -> str:
        """Apply a manifest."""
        return self.cluster.kubectl(
            "--namespace", self.namespace, "apply", *flags, "-f", "-", stdin=json.dumps(obj)
        )

    def get(self) -> dict[str, Any]:
        """Return the Deployment `web` with its managed fields."""
        path = f"{GROUP_PATH}/namespaces/{self.namespace}/ecsdeployments/web"
        found: dict[str, Any] = self.cluster.request("GET", path)
        return found

    def answer(self, *, replicas: int = 1) -> dict[str, Any]:
        """Write a status as the operator does; return the object."""
        obj = self.get()
        generation = obj["metadata"]["generation"]
        told = conditions(
            ready=True, reason="Available", message="as it should be", generation=generation, now=0
        )
        status = {"observedGeneration": generation, "replicas": replicas, "conditions": told}
        return dict(self.operator.patch_status(obj, status))


@pytest.fixture
def desk(control_plane: Cluster, namespace: str) -> Iterator[Desk]:
    """A desk of the test's namespace."""
    made = Desk(control_plane, namespace)
    yield made
    made.close()


def as_manager(name: str, *more: str) -> tuple[str, ...]:
    """Return the flags of a server-side apply."""
    return ("--server-side", f"--field-manager={name}", *more)


def test_an_object_that_nobody_has_looked_at_says_so(desk: Desk) -> None:
    """The API server's default keeps kstatus from taking it for done; Git's side never sees a change."""
    desk.apply(deployment("web"))
    assert desk.get()["status"] == {"observedGeneration": -1}
    assert kstatus(desk.get()) == "InProgress"
    assert "unchanged" in desk.apply(deployment("web"))
    difference = desk.cluster.kubectl(
        "--namespace", desk.namespace, "diff", "-f", "-", stdin=json.dumps(deployment("web"))
    )
    assert difference == ""
    desk.answer()
    assert kstatus(desk.get()) == "Current"


@pytest.mark.parametrize("flags", [(), as_manager(ARGO_CD)], ids=["client-side", "server-side"])
def test_a_new_generation_is_in_progress_in_the_very_answer(desk: Desk, flags: tuple[str, ...]) -> None:
    """Ready of the older generation is still there, and misleads nobody who reads it right."""
    desk.apply(deployment("web"), *flags)
    desk.answer()
    changed = deployment("web")
    changed["spec"]["replicas"] = 2
    answered = json.loads(desk.apply(changed, *flags, "-o", "json"))
    (ready,) = answered["status"]["conditions"]
    assert (ready["status"], ready["observedGeneration"], answered["metadata"]["generation"]) == (
        "True",
        1,
        2,
    )
    assert kstatus(answered) == "InProgress"


def test_kubectl_wait_does_not_trust_an_older_ready(desk: Desk) -> None:
    """Right after an apply it waits for the operator, however Ready the object was before."""
    desk.apply(deployment("web"))
    desk.answer()
    wait = ("--namespace", desk.namespace, "wait", "--for=condition=Ready", "ecsd/web")
    assert "condition met" in desk.cluster.kubectl(*wait, "--timeout=10s")
    changed = deployment("web")
    changed["spec"]["replicas"] = 2
    desk.apply(changed)
    with pytest.raises(CommandFailed) as refused:
        desk.cluster.kubectl(*wait, "--timeout=1s")
    assert "timed out" in refused.value.stderr
    desk.answer(replicas=2)
    assert "condition met" in desk.cluster.kubectl(*wait, "--timeout=10s")


def test_the_operator_owns_status_and_its_finalizer_alone(desk: Desk) -> None:
    """Whatever it writes, no manager of the spec ever meets it in a conflict."""
    desk.apply(deployment("web"), *as_manager(ARGO_CD))
    desk.operator.set_finalizers(desk.get(), ["sluice.dev/finalizer"])
    desk.answer()
    for entry in desk.get()["metadata"]["managedFields"]:
        if entry["manager"] == "sluice":
            owned = {name for name in entry["fieldsV1"] if name != "f:metadata"}
            assert owned <= {"f:status"}
            assert set(entry["fieldsV1"].get("f:metadata", {})) <= {"f:finalizers"}
            assert entry.get("subresource") == ("status" if owned else None)
    changed = deployment("web")
    changed["spec"]["replicas"] = 5
    desk.apply(changed, *as_manager(ARGO_CD))
    found = desk.get()
    assert found["spec"]["replicas"] == 5
    assert found["status"]["conditions"]
    assert found["metadata"]["finalizers"] == ["sluice.dev/finalizer"]
    desk.operator.set_finalizers(found, [])


def test_a_conflict_is_told_with_field_and_manager_and_has_two_solutions(desk: Desk) -> None:
    """An autoscaler took replicas: Git insists (--force-conflicts), or leaves the field out."""
    whole = deployment("web")
    desk.apply(whole, *as_manager(ARGO_CD))
    scaled = {name: whole[name] for name in ("apiVersion", "kind", "metadata")} | {"spec": {"replicas": 7}}
    with pytest.raises(CommandFailed) as taken:
        desk.apply(scaled, *as_manager(SCALER))
    assert f'conflict with "{ARGO_CD}"' in taken.value.stderr
    assert ".spec.replicas" in taken.value.stderr
    desk.apply(scaled, *as_manager(SCALER, "--force-conflicts"))
    assert desk.get()["spec"]["replicas"] == 7

    whole["spec"]["replicas"] = 2
    with pytest.raises(CommandFailed, match="replicas"):
        desk.apply(whole, *as_manager(ARGO_CD))
    assert desk.get()["spec"]["replicas"] == 7

    desk.apply(whole, *as_manager(ARGO_CD, "--force-conflicts"))
    assert desk.get()["spec"]["replicas"] == 2

    desk.apply(scaled, *as_manager(SCALER, "--force-conflicts"))
    del whole["spec"]["replicas"]
    image = whole["spec"]["template"]["spec"]["containers"][0]
    image["image"] = "shop:2"
    desk.apply(whole, *as_manager(ARGO_CD))
    found = desk.get()["spec"]
    assert found["replicas"] == 7
    assert found["template"]["spec"]["containers"][0]["image"] == "shop:2"


def test_a_persons_word_is_nobodys_conflict(desk: Desk) -> None:
    """Annotations of verbs are a person's (or an action's): applying the manifest again leaves them."""
    desk.apply(deployment("web"), *as_manager(ARGO_CD))
    desk.cluster.kubectl("--namespace", desk.namespace, "annotate", "ecsd", "web", "sluice.dev/abort=r1")
    changed = deployment("web", annotations={"team": "shop"})
    desk.apply(changed, *as_manager(ARGO_CD))
    assert desk.get()["metadata"]["annotations"] == {"sluice.dev/abort": "r1", "team": "shop"}
