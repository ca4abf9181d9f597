"""Fixtures of the runtime's unit tests; nothing here opens a socket or waits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Test folders are no packages (import mode importlib), so the module beside this file needs its folder named.
sys.path.insert(0, str(Path(__file__).parent))

from runtime_fakes import TurnedClock


@pytest.fixture
def clock() -> TurnedClock:
    """A clock that stands still until a test turns it."""
    return TurnedClock()
