"""What every level of tests may ask for; nothing starts before a test does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Test folders are no packages (import mode importlib), so the module beside this file needs its folder named.
sys.path.insert(0, str(Path(__file__).parent))

import pytest
from hypothesis import HealthCheck, settings

from controlplane_fixture import control_plane, namespace
from dealing import dealt
from explored import told

# How fast inputs come says how busy the machine is, and nothing about the law.
settings.register_profile("sluice", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sluice")

__all__ = [
    "control_plane",
    "namespace",
    "pytest_collection_modifyitems",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what waits or computes for long."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    if workers > 1:
        items[:] = dealt(items, workers=workers, waits=_waits, computes=_computes)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a worker that only computes by now stand back behind those that run worlds.

    Its end-to-end tests, if it has any, come first. Nobody takes niceness back, so it is given once.
    """
    beside = hasattr(item.config, "workerinput")
    if beside and item.get_closest_marker("e2e") is None and not os.nice(0):
        os.nice(_NICE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the explorations went through."""
    lines = told(terminalreporter.stats.get("passed", ()))
    if lines:
        terminalreporter.section("explored", sep="-")
        for line in lines:
            terminalreporter.write_line(line)


_NICE = 4
_SECONDS = {
    "test_demo": 110,
    "test_progressive_analysis": 100,
    "test_progressive_killed": 62,
    "test_bench": 64,
    "test_bench_discovery": 43,
    "test_aws_events": 43,
    "test_notifications": 40,
    "test_cli": 41,
    "test_prometheus": 40,
    "test_status": 37,
    "test_killed": 35,
    "test_standby": 34,
    "test_modes": 30,
    "test_bench_stand_in": 29,
    "test_progressive_rollouts": 30,
    "test_discovery": 25,
    "test_progressive_rollbacks": 21,
    "test_tracing": 20,
}
"""About how long an end-to-end test of a file takes; it decides who runs it and nothing else."""

_COMPUTING = {
    "test_exploration": 12,
    "test_progressive_random": 14,
    "test_progressive_crashes": 12,
    "test_random": 10,
    "test_discovery_random": 8,
    "test_discovery_crashes": 4,
    "test_crashes": 4,
}
"""The same of tests that wait for nothing; one of them begun last would be all that a machine still does."""


def _waits(item: pytest.Item) -> float:
    return 0.0 if item.get_closest_marker("e2e") is None else float(_SECONDS.get(item.path.stem, 10))


def _computes(item: pytest.Item) -> float:
    return float(_COMPUTING.get(item.path.stem, 0))
