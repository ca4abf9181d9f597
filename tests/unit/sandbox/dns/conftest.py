"""Puts Cloud Map's world where these tests can import it (test folders are no packages)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "servicediscovery"))

from map_world import CloudMap


@pytest.fixture
def cloud() -> CloudMap:
    """Return a fresh world with one Cloud Map."""
    return CloudMap()
