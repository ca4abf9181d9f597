"""What every level of tests may ask for; nothing starts before a test does."""

from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages (import mode importlib), so the module beside this file needs its folder named.
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from hypothesis import HealthCheck, settings

from controlplane_fixture import control_plane, namespace
from dealing import dealt

# How fast inputs come says how busy the machine is, and nothing about the law.
settings.register_profile("sluice", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sluice")

__all__ = ["control_plane", "namespace", "pytest_collection_modifyitems"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what waits, on every worker alike."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    if workers > 1:
        items[:] = dealt(items, workers=workers, waits=_waits)


def _waits(item: pytest.Item) -> bool:
    return item.get_closest_marker("e2e") is not None
