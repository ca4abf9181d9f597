"""One AWS side on real time for the tests of each file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.sandbox_ecs.ecs_port import Side


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    """Start a side, and stop it after the file's tests."""
    side = Side()
    yield side
    side.close()
