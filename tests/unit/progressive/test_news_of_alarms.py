"""Which answers of CloudWatch hurry a pass: an alarm that rings, and no other state."""

from __future__ import annotations

import pytest

from sluice.model.situation import GateFacts
from sluice.plan.progressive.urgency import bad_news


@pytest.mark.parametrize(
    ("alarms", "urgent"),
    [
        (None, False),
        ({}, False),
        ({"high": "OK"}, False),
        ({"high": "INSUFFICIENT_DATA"}, False),
        ({"gone": None}, False),
        ({"high": "ALARM"}, True),
        ({"low": "OK", "high": "ALARM"}, True),
    ],
)
def test_only_an_alarm_that_rings_is_bad_news(alarms: dict[str, str | None] | None, *, urgent: bool) -> None:
    """One that is gone, or has no data, is waited for: nothing is decided by it."""
    assert bad_news(GateFacts(alarms=alarms), {}) is urgent
