"""Puts the world of this folder where its tests can import it (test folders are no packages)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cw_world import CloudWatch


@pytest.fixture
def cw() -> CloudWatch:
    """Return a fresh world with one CloudWatch."""
    return CloudWatch()
