"""Numbers that a status can keep."""

from __future__ import annotations

import json
import math

import pytest

from sluice.analysis.numbers import finite


def test_nan_is_no_data() -> None:
    """0/0 says nothing."""
    assert finite(math.nan) is None


@pytest.mark.parametrize("value", [math.inf, -math.inf, 0.0, 0.5, -3.0])
def test_every_other_number_can_be_written_and_keeps_its_side(value: float) -> None:
    """errors/0 is +Inf in Prometheus: JSON cannot carry it, the condition must still see it."""
    found = finite(value)
    assert found is not None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found > 0.05, found < -1) == (value > 0.05, value < -1)
