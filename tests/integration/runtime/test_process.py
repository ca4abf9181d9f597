"""`sluice operator` as its own process: start, probes, hand-over of the Lease, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cluster_desk import deployment_body, until

from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.plane import ControlPlane

pytestmark = pytest.mark.integration

DEFAULT = "sluice.dev/v1alpha1/namespaces/default"
QUICK = {
    "SLUICE_LEASE_DURATION": "11s",
    "SLUICE_LEASE_RENEW_DEADLINE": "8s",
    "SLUICE_LEASE_RETRY_PERIOD": "500ms",
}


class Operator:
    """A running operator and what it logs."""

    def __init__(self, kubeconfig: Path, folder: Path, *, name: str, **environment: str) -> None:
        """Start one; AWS is a port where nobody listens."""
        self._log = folder / f"{name}.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SLUICE_", "KUBE"))}
        settings = {
            "KUBECONFIG": str(kubeconfig),
            "SLUICE_INSTALLATION_ID": "test",
            "SLUICE_REGION": "eu-west-1",
            "SLUICE_ENDPOINT_URL": "http://127.0.0.1:9",
            "SLUICE_HTTP_PORT": "0",
            "SLUICE_WORKERS": "2",
        }
        with self._log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from sluice.cli.main import main; main()", "operator"],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                env=inherited | QUICK | settings | environment,
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return the log so far, without lines that are no JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> dict[str, Any] | None:
        """Return the first line with that event."""
        assert self.process.poll() is None or event == "ended", self._log.read_text()
        return next((line for line in self.lines() if line["event"] == event), None)

    def probe(self, path: str) -> int:
        """Return the status of a probe."""
        port = until(lambda: self.logged("http_bound"), "the port")["port"]
        with urllib3.PoolManager() as pool:
            return pool.request("GET", f"http://127.0.0.1:{port}{path}", retries=False, timeout=5).status

    def text(self) -> str:
        """Return all it logged."""
        return self._log.read_text()

    def stop(self) -> None:
        """Kill what still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def operators(control_plane: Cluster, namespace: str, tmp_path: Path) -> Iterator[Any]:
    """Start operators by name; what still runs at the end is killed."""
    started: list[Operator] = []

    def start(name: str, **environment: str) -> Operator:
        scope = {"SLUICE_LEASE_NAMESPACE": namespace, "SLUICE_WATCH_NAMESPACES": namespace}
        operator = Operator(control_plane.kubeconfig, tmp_path, name=name, **(scope | environment))
        started.append(operator)
        return operator

    yield start
    for operator in started:
        if operator.process.poll() is None:
            operator.stop()
            operator.process.wait(10)


def holder(cluster: Cluster, namespace: str) -> str:
    """Return who holds the Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/sluice"
    lease: dict[str, Any] = cluster.request("GET", path)
    return str(lease["spec"]["holderIdentity"])


def test_a_leader_hands_over_cleanly(operators: Any, control_plane: Cluster, namespace: str) -> None:
    """A standby is ready; SIGTERM ends the leader with 0 and the standby leads without any wait."""
    first = operators("first")
    until(lambda: first.logged("workers_started"), "the first to lead")
    assert (first.probe("/healthz"), first.probe("/readyz")) == (200, 200)
    second = operators("second")
    until(lambda: second.logged("store_complete"), "the store of the standby")
    until(lambda: second.probe("/readyz") == 200, "the standby to be ready")
    assert second.logged("workers_started") is None
    leading = holder(control_plane, namespace)
    assert first.end() == 0
    assert first.logged("ended") is not None
    taken = until(lambda: second.logged("lease_taken"), "the standby to take the Lease")
    until(lambda: second.logged("workers_started"), "the standby to work")
    assert taken["settles_in"] == 0
    assert holder(control_plane, namespace) not in ("", leading)
    assert second.end() == 0
    assert holder(control_plane, namespace) == ""


def test_a_killed_leader_is_replaced_after_its_lease_and_a_pause(operators: Any) -> None:
    """Nobody released the Lease, so a write may be under way: the successor takes it and waits."""
    first = operators("first")
    until(lambda: first.logged("workers_started"), "the first to lead")
    second = operators("second")
    until(lambda: second.logged("store_complete"), "the store of the standby")
    first.end(signal.SIGKILL)
    taken = until(lambda: second.logged("lease_taken"), "the standby to take the Lease")
    assert taken["settles_in"] > 9
    assert second.logged("workers_started") is None
    assert second.end() == 0


def test_a_namespace_is_served_without_the_right_to_others(
    control_plane: Cluster, namespace: str, operators: Any
) -> None:
    """The start line shows the settings, and nothing of it is a secret."""
    operator = operators("scoped")
    starting = until(lambda: operator.logged("starting"), "the start line")
    assert starting["settings"]["watchNamespaces"] == [namespace]
    assert starting["settings"]["installationId"] == "test"
    until(lambda: operator.logged("workers_started"), "the workers")
    assert operator.end() == 0


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"SLUICE_INSTALLATION_ID": ""}, "installationId", id="no-installation-id"),
        pytest.param(
            {"SLUICE_KUBECONFIG": "/nowhere/kubeconfig"}, "no Kubernetes cluster", id="no-kubeconfig"
        ),
        pytest.param({"SLUICE_CONFIG": "/nowhere/config"}, "cannot read the configuration", id="no-file"),
    ],
)
def test_what_cannot_start_says_why(operators: Any, environment: dict[str, str], expected: str) -> None:
    """Exit code 2 and one line that names the setting."""
    operator = operators("broken", **environment)
    assert operator.process.wait(30) == 2
    assert expected in operator.text()
    assert "Traceback" not in operator.text()


def test_missing_definitions_and_an_api_server_that_comes_back(
    tmp_path: Path, control_plane: Cluster
) -> None:
    """Without CRDs the start ends with what to install; with them the watch survives an API server's restart.

    The restart empties the watch cache, so the resourceVersion that the watch was at is answered with 410
    Gone, and kopf has to list again.
    """
    from sluice_sandbox.controlplane.crds import apply_crds, crd_files  # noqa: PLC0415 - of this test alone

    with ControlPlane(tmp_path / "plane") as plane:
        bare = Operator(plane.kubeconfig, tmp_path, name="bare")
        assert bare.process.wait(30) == 2
        assert "install the custom resource definitions" in bare.text()
        apply_crds(plane.cluster, crd_files(Path(__file__).parents[3] / "crds"))
        calm = {"SLUICE_LEASE_DURATION": "60s", "SLUICE_LEASE_RENEW_DEADLINE": "50s"}
        operator = Operator(plane.kubeconfig, tmp_path, name="survivor", **calm)
        try:
            until(lambda: operator.logged("workers_started"), "the operator to lead")
            listed = plane.cluster.request("GET", f"/apis/{DEFAULT}/ecsdeployments")
            old = listed["metadata"]["resourceVersion"]
            for number in range(5):  # time goes on for everybody but the watch
                body = {"metadata": {"name": f"noise-{number}"}}
                plane.cluster.request("POST", "/api/v1/namespaces/default/configmaps", body=body)
            plane.kill("kube-apiserver")
            plane.revive("kube-apiserver")
            query = f"/apis/{DEFAULT}/ecsdeployments?watch=1&resourceVersion={old}&timeoutSeconds=1"
            # 429 "storage is (re)initializing" comes first, until the cache of these objects is filled.
            until(lambda: '"code":410' in plane.cluster.exchange("GET", query)[1], "410 Gone")
            plane.cluster.request("POST", f"/apis/{DEFAULT}/ecsdeployments", body=deployment_body("late"))
            until(
                lambda: "late" in {line.get("name") for line in operator.lines()},
                "a pass over what was created after the restart",
                seconds=40,
            )
            assert operator.end() == 0
        finally:
            operator.stop()
