"""The real control plane as pytest fixtures, shared by every worker of a test session.

`control_plane` starts with the first test that asks for it (unit tests do not), with the project's CRDs
applied, and is ended by the last worker. `namespace` keeps tests apart. A test that ends or kills a control
plane makes its own with `sluice_sandbox.controlplane.plane.ControlPlane`.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice_sandbox.controlplane.cluster import Cluster
from sluice_sandbox.controlplane.crds import apply_crds, crd_files
from sluice_sandbox.controlplane.session import shared_control_plane

_CRDS = Path(__file__).resolve().parents[1] / "crds"


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running API server with the project's CRDs, seen by its administrator."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder of its own in the session's.
        base = base.parent

    def prepare(cluster: Cluster) -> None:
        apply_crds(cluster, crd_files(_CRDS))

    with shared_control_plane(base / "control-plane", prepare=prepare) as cluster:
        yield cluster


@pytest.fixture
def namespace(control_plane: Cluster, request: pytest.FixtureRequest) -> str:
    """A new, empty namespace named after the test; it stays until the control plane ends.

    Nothing deletes namespaces here: that is kube-controller-manager's work, which the shared control plane
    does without.
    """
    words = re.sub(r"[^a-z0-9]+", "-", str(request.node.name).lower()).strip("-")[:40].strip("-")
    name = f"{words or 'test'}-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    control_plane.request("POST", "/api/v1/namespaces", body=body)
    return name
