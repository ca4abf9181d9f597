"""What integration tests stand on: one control plane for all workers, a namespace each, identities, CRDs."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sluice_sandbox.controlplane import ledger
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.crds import apply_crds, crd_files
from sluice_sandbox.controlplane.errors import CommandFailed, RequestRefused
from sluice_sandbox.controlplane.pins import KUBE_APISERVER, KUBECTL
from sluice_sandbox.controlplane.session import shared_control_plane

pytestmark = pytest.mark.integration

# Joins the control plane in argv[1], says what it prepared and sees, and leaves when its input ends.
_USER = """
import pathlib, sys
from sluice_sandbox.controlplane.session import shared_control_plane
def prepare(cluster):
    print("prepared", flush=True)
with shared_control_plane(pathlib.Path(sys.argv[1]), prepare=prepare) as cluster:
    assert cluster.ready()
    print(cluster.server, flush=True)
    sys.stdin.read()
"""


def test_the_fixtures_give_a_ready_cluster_and_a_namespace(control_plane: Cluster, namespace: str) -> None:
    """Kubectl applies an object there at once."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": {"a": "b"}}
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    assert control_plane.kubectl("get", "cm", "made", "-n", namespace, "-o", "jsonpath={.data.a}") == "b"


def test_client_and_server_have_the_pinned_version(control_plane: Cluster) -> None:
    """A build without its version flags would say v0.0.0, and kubectl would fail on it."""
    versions = json.loads(control_plane.kubectl("version", "-o", "json"))
    for side, program in (("clientVersion", KUBECTL), ("serverVersion", KUBE_APISERVER)):
        assert program.accepts(versions[side]["gitVersion"])


def test_a_service_account_may_what_its_role_says_and_no_more(
    control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    """RBAC decides on a token as in a Pod: refused, then allowed by a Role, in its namespace only."""
    control_plane.kubectl("create", "serviceaccount", "worker", "-n", namespace)
    kubeconfig = control_plane.kubeconfig_for_service_account(
        tmp_path / "worker.kubeconfig", "worker", namespace=namespace
    )
    with pytest.raises(CommandFailed, match=rf"system:serviceaccount:{namespace}:worker.* cannot list"):
        control_plane.kubectl("get", "configmaps", kubeconfig=kubeconfig)
    control_plane.kubectl(
        "create", "role", "reader", "-n", namespace, "--verb=get,list", "--resource=configmaps"
    )
    control_plane.kubectl(
        "create", "rolebinding", "r", "-n", namespace, "--role=reader", f"--serviceaccount={namespace}:worker"
    )
    # The API server's authorizer learns of a Role by its own watch, some milliseconds later.
    deadline = time.monotonic() + 20
    while "yes" not in _can_i_list(control_plane, kubeconfig):
        assert time.monotonic() < deadline
    control_plane.kubectl("get", "configmaps", kubeconfig=kubeconfig)
    for refused in (["create", "configmap", "x"], ["get", "configmaps", "-n", "default"]):
        with pytest.raises(CommandFailed, match="forbidden"):
            control_plane.kubectl(*refused, kubeconfig=kubeconfig)


def _can_i_list(cluster: Cluster, kubeconfig: Path) -> str:
    try:
        return cluster.kubectl("auth", "can-i", "list", "configmaps", kubeconfig=kubeconfig)
    except CommandFailed as no:
        return no.stdout


def test_a_token_for_nobody_is_refused(control_plane: Cluster, namespace: str) -> None:
    """The API server's own status reaches the caller."""
    with pytest.raises(RequestRefused) as caught:
        control_plane.service_account_token("absent", namespace=namespace)
    assert caught.value.status == 404


def test_a_person_has_the_name_and_groups_of_the_certificate(control_plane: Cluster, tmp_path: Path) -> None:
    """`kubectl auth whoami` says who the API server takes the bearer for; no rights come with it."""
    kubeconfig = control_plane.kubeconfig_for_user(tmp_path / "jane", "jane", groups=["team-a"])
    whoami = json.loads(control_plane.kubectl("auth", "whoami", "-o", "json", kubeconfig=kubeconfig))
    assert whoami["status"]["userInfo"]["username"] == "jane"
    assert "team-a" in whoami["status"]["userInfo"]["groups"]
    with pytest.raises(CommandFailed, match='User "jane" cannot list'):
        control_plane.kubectl("get", "secrets", kubeconfig=kubeconfig)


def test_etcd_answers_nobody_without_a_certificate(control_plane: Cluster) -> None:
    """Everything of the cluster lies there: another user of the machine is refused in the TLS handshake."""
    pid = next(entry.pid for entry in ledger.read(control_plane.directory) if entry.name == "etcd")
    arguments = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
    url = next(a.partition("=")[2] for a in arguments if a.startswith("--listen-client-urls="))
    context = ssl.create_default_context(cafile=str(control_plane.directory / "pki" / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", urlsplit(url).port, timeout=10, context=context)
    try:
        with pytest.raises((ssl.SSLError, OSError)):  # noqa: PT012 - TLS 1.3 may tell only at the answer
            connection.request("GET", "/version")
            connection.getresponse()
    finally:
        connection.close()


def test_applied_crds_are_served_at_once(control_plane: Cluster, tmp_path: Path) -> None:
    """After `apply_crds` the very next request may create an object."""
    group = "control-plane.test.sluice.dev"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "probes", "singular": "probe", "kind": "Probe"}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": [version]}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"probes.{group}"},
        "spec": spec,
    }
    (tmp_path / "probe.json").write_text(json.dumps(crd), encoding="utf-8")
    (tmp_path / "notes.md").write_text("no manifest", encoding="utf-8")
    applied = apply_crds(control_plane, crd_files(tmp_path))
    assert applied == [f"customresourcedefinition.apiextensions.k8s.io/probes.{group}"]
    probe = {"apiVersion": f"{group}/v1", "kind": "Probe", "metadata": {"name": "one"}}
    control_plane.request("POST", f"/apis/{group}/v1/probes", body=probe)
    control_plane.kubectl("delete", "crd", f"probes.{group}", "--wait=false")
    assert apply_crds(control_plane, crd_files(tmp_path / "absent")) == []


@pytest.mark.parametrize("killed", [False, True], ids=["first-leaves", "first-is-killed"])
def test_users_share_one_until_the_last_is_gone(tmp_path: Path, killed: bool) -> None:  # noqa: FBT001
    """The first prepares and may go, or die, before the others; the last one's leaving ends all."""
    command = [sys.executable, "-c", _USER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first:  # type: ignore[call-overload]
        assert first.stdout.readline() == "prepared\n"
        server = first.stdout.readline().strip()
        entries = ledger.read(tmp_path)
        with shared_control_plane(tmp_path, prepare=_never) as cluster:
            assert cluster.server == server
            if killed:
                os.kill(first.pid, 9)
            first.communicate()
            assert cluster.ready()
            assert all(entry.alive() for entry in entries)
        assert not [entry for entry in entries if entry.alive()]
    assert not (tmp_path / "etcd").exists()


def _never(cluster: Cluster) -> None:
    raise AssertionError(f"{cluster.server} was prepared twice")


def test_a_failed_preparation_ends_what_it_began(tmp_path: Path) -> None:
    """The error reaches the test, and no process stays."""

    def refuse(cluster: Cluster) -> None:
        cluster.kubectl("apply", "-f", str(tmp_path / "absent.yaml"))

    def join() -> None:
        with shared_control_plane(tmp_path, prepare=refuse):
            raise AssertionError("nothing to use")

    with pytest.raises(CommandFailed, match="does not exist"):
        join()
    assert ledger.read(tmp_path) == []
