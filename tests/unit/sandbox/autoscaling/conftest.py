"""Puts the world of this folder where its tests can import it (test folders are no packages)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scaling_world import Scaling


@pytest.fixture
def scaling() -> Scaling:
    """Return a fresh world with one scalable service."""
    return Scaling()
