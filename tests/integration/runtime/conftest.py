"""Fixtures around the real API server; every test has a namespace of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Test folders are no packages (import mode importlib), so the module beside this file needs its folder named.
sys.path.insert(0, str(Path(__file__).parent))

from cluster_desk import Desk

from sluice_sandbox.controlplane.cluster import Cluster


@pytest.fixture
def desk(control_plane: Cluster, namespace: str) -> Iterator[Desk]:
    """The runtime's pieces against the real API server."""
    made = Desk(control_plane, namespace)
    yield made
    made.close()
