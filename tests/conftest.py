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
    """Begin with what waits or takes long, on every worker alike."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    if workers > 1:
        items[:] = dealt(items, workers=workers, waits=_waits)


_SECONDS = {
    "test_demo": 110,
    "test_progressive_analysis": 100,
    "test_bench": 60,
    "test_progressive_killed": 60,
    "test_bench_stand_in": 50,
    "test_notifications": 45,
    "test_aws_events": 40,
    "test_cli": 40,
    "test_prometheus": 35,
    "test_killed": 30,
    "test_status": 30,
    "test_standby": 30,
    "test_progressive_rollouts": 27,
    "test_discovery": 25,
    # These wait for nothing, but one of them begun last would be all that a machine still does.
    "test_progressive_random": 9,
    "test_exploration": 6,
    "test_random": 6,
    "test_progressive_crashes": 5,
}
"""About how long a test of a file takes, where that is long; it decides who runs it and nothing else."""


def _waits(item: pytest.Item) -> float:
    otherwise = 0 if item.get_closest_marker("e2e") is None else 10
    return float(_SECONDS.get(item.path.stem, otherwise))
