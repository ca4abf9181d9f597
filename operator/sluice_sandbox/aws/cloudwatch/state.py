"""What CloudWatch remembers, per account and region, as plain data.

Alarms keep their request in botocore's spelling (`spec`), which is what DescribeAlarms gives back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.cloudwatch.series import MetricKey, Series
from sluice_sandbox.aws.service import Caller

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
METRIC_ALARM, COMPOSITE_ALARM = "MetricAlarm", "CompositeAlarm"


@dataclass(slots=True, kw_only=True)
class Alarm:
    """A metric alarm or a composite alarm."""

    name: str
    arn: str
    kind: str
    spec: dict[str, Any]
    created_at: float
    configured_at: float
    state: str = INSUFFICIENT_DATA
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = ""
    updated_at: float = 0.0
    """StateUpdatedTimestamp."""
    transitioned_at: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)
    untagged: bool = False
    """It had tags once: the tagging API lists it still."""
    held_until: float = 0.0
    """Not evaluated by the clock before this: what SetAlarmState said stands for a while."""
    fault: str = ""
    """Why its expression could not be computed: EVALUATION_ERROR."""
    value: float | None = None
    """The newest value that it looked at: what scaling policies measure by."""
    acted_at: float = 0.0
    """When actions last ran: scaling policies are invoked again while the alarm stays."""
    warmed_up: bool = False
    """Its warm-up period is over, and never comes again."""
    seen: tuple[int, ...] = ()
    """What the last evaluation was made of; the same again can only have the same result."""
    suppression: dict[str, Any] = field(default_factory=dict)
    """A composite alarm whose actions wait for its suppressor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryItem:
    """One line of DescribeAlarmHistory."""

    alarm: str
    kind: str
    at: float
    item_type: str
    summary: str
    data: str


@dataclass(slots=True)
class Region:
    """Everything of one account in one region."""

    metrics: dict[MetricKey, Series] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    history: list[HistoryItem] = field(default_factory=list)
    """Oldest first."""


@dataclass(slots=True)
class State:
    """All regions of all accounts."""

    regions: dict[tuple[str, str], Region] = field(default_factory=dict)

    def region(self, caller: Caller) -> Region:
        """Return the caller's region, made on first use."""
        key = (caller.account, caller.region)
        found = self.regions.get(key)
        if found is None:
            found = self.regions[key] = Region()
        return found
