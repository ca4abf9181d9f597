"""One AWS side whose minutes pass in a second, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration.sandbox_ecs.ecs_port import Side


@pytest.fixture(scope="module")
def fast() -> Iterator[Side]:
    """Sixty world seconds pass in one."""
    side = Side(speed=60.0)
    yield side
    side.close()
