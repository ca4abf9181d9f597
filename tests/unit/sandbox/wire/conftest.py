"""Puts the fakes of this folder where its tests can import them (test folders are no packages)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import wire_fakes

from sluice_sandbox.aws.world import World


@pytest.fixture
def world() -> World:
    """A world of the two fakes on virtual time."""
    return wire_fakes.world()
