"""Fixtures: a Deployment in the real API server whose status the test writes, and the command line on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from integration.runtime.cluster_desk import Desk
from sluice.cli.main import main
from sluice_sandbox.controlplane.cluster import Cluster

Run = Callable[..., Result]


@pytest.fixture
def desk(control_plane: Cluster, namespace: str) -> Iterator[Desk]:
    """The operator's own client, for what the operator would write."""
    made = Desk(control_plane, namespace)
    yield made
    made.close()


@pytest.fixture
def run(control_plane: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `sluice …` as the administrator, in the test's namespace."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    runner = CliRunner()
    return lambda *arguments: runner.invoke(main, [*arguments, "-n", namespace])
