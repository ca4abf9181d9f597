"""The AWS side of these tests, with a client of Cloud Map."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.sandbox_ecs.ecs_port import Side
from integration.sandbox_servicediscovery.map_port import Map


@pytest.fixture(scope="session")
def cloud() -> Iterator[Map]:
    """Give Cloud Map behind a port."""
    side = Side(speed=4.0)
    yield Map(side)
    side.close()
