"""Helm against real API servers.

Most tests share the session's control plane: their releases watch one namespace each and leave the
definitions alone, so neither permissions nor policies reach other tests. Tests of the definitions have a
control plane of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.chart.helm import CHART, Helm
from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.plane import ControlPlane


@pytest.fixture(scope="session")
def helm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Helm's own files, so that nothing of the person's is read or written."""
    return tmp_path_factory.mktemp("helm")


@pytest.fixture
def helm(control_plane: Cluster, helm_home: Path) -> Helm:
    """Helm on the shared control plane."""
    return Helm(control_plane, helm_home)


@pytest.fixture
def release(helm: Helm, namespace: str) -> Iterator[str]:
    """A release named `sluice` that serves the test's namespace and runs in it."""
    helm.run("install", "sluice", str(CHART), "--namespace", namespace, *scoped(namespace))
    yield "sluice"
    if helm.status("sluice", namespace):
        helm.run("uninstall", "sluice", "--namespace", namespace, "--no-hooks")


def scoped(namespace: str) -> list[str]:
    """Return the values of a release that serves one namespace and brings no definitions."""
    return [
        "--set=installationId=test,crds.install=false",
        f"--set-json=watchNamespaces={[namespace]}".replace("'", '"'),
    ]


@pytest.fixture(scope="module")
def own_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane without our definitions, for the tests of one file."""
    with ControlPlane(tmp_path_factory.mktemp("chart-plane")) as plane:
        yield plane.cluster


@pytest.fixture
def own_helm(own_plane: Cluster, helm_home: Path) -> Iterator[Helm]:
    """Helm on the own control plane; afterwards releases, objects and definitions are gone."""
    helm = Helm(own_plane, helm_home)
    yield helm
    helm.clean()


@pytest.fixture
def system(own_plane: Cluster) -> str:
    """A new namespace on the own control plane for a release."""
    name = f"sluice-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    own_plane.request("POST", "/api/v1/namespaces", body=body)
    return name
