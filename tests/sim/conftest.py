"""Simulation is quiet: what thousands of passes log says nothing that a test needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.silence import silence


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with silence():
        yield
