"""What a load balancer counts, under the names its CloudWatch metrics have.

Source: "CloudWatch metrics for your Application Load Balancer". Counts only grow; whoever publishes
them (CloudWatch, the control API) takes differences. Response times are kept as a histogram whose
buckets grow by a tenth, which is enough for any quantile and costs the same for any traffic.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_GROWTH = math.log(1.1)
_SMALLEST = 1e-5
"""Seconds; anything quicker falls into the first bucket."""


@dataclass(slots=True)
class ResponseTimes:
    """TargetResponseTime: from the request leaving for the target until its headers arrive."""

    count: int = 0
    total: float = 0.0
    maximum: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count one response."""
        self.count += 1
        self.total += seconds
        self.maximum = max(self.maximum, seconds)
        self.buckets[math.ceil(math.log(max(seconds, _SMALLEST) / _SMALLEST) / _GROWTH)] += 1

    def quantile(self, share: float) -> float:
        """Return the time that `share` (0 to 1) of the responses did not exceed, within 10 %."""
        wanted, seen = share * self.count, 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= wanted:
                return min(_SMALLEST * math.exp(bucket * _GROWTH), self.maximum)
        return 0.0

    def shown(self) -> dict[str, Any]:
        """Return the figures as JSON can carry them."""
        return {
            "SampleCount": self.count,
            "Sum": self.total,
            "Maximum": self.maximum,
            "p50": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
        }


@dataclass(slots=True)
class Tally:
    """The counts of one target group or one listener."""

    counts: Counter[str] = field(default_factory=Counter)
    times: ResponseTimes = field(default_factory=ResponseTimes)

    def shown(self) -> dict[str, Any]:
        """Return the figures as JSON can carry them."""
        return {**self.counts, "TargetResponseTime": self.times.shown()}


class Counters:
    """All counts of one world's load balancers, by target group and by listener ARN."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.groups: dict[str, Tally] = {}
        self.listeners: dict[str, Tally] = {}

    def group(self, arn: str) -> Tally:
        """Return a target group's tally."""
        found = self.groups.get(arn)
        if found is None:
            found = self.groups[arn] = Tally()
        return found

    def listener(self, arn: str) -> Tally:
        """Return a listener's tally."""
        found = self.listeners.get(arn)
        if found is None:
            found = self.listeners[arn] = Tally()
        return found

    def answered(self, listener_arn: str, group_arn: str, *, status: int, seconds: float) -> None:
        """Count a request that a target answered."""
        family = f"HTTPCode_Target_{status // 100}XX_Count"
        for tally in (self.group(group_arn), self.listener(listener_arn)):
            tally.counts["RequestCount"] += 1
            tally.counts[family] += 1
            tally.times.add(seconds)

    def failed(self, listener_arn: str, group_arn: str, *, status: int) -> None:
        """Count a request that was meant for a target and that the load balancer answered itself.

        RequestCount counts only requests for which a target could be chosen (the metric's
        definition), so a 503 for want of targets is in the HTTPCode_ELB counts alone.
        """
        if group_arn and status != 503:
            self.group(group_arn).counts["RequestCount"] += 1
            self.group(group_arn).counts["TargetConnectionErrorCount"] += int(status == 502)
        counts = self.listener(listener_arn).counts
        if status != 503:
            counts["RequestCount"] += 1
        counts[f"HTTPCode_ELB_{status // 100}XX_Count"] += 1
        if status in (500, 502, 503, 504):
            counts[f"HTTPCode_ELB_{status}_Count"] += 1

    def replied(self, listener_arn: str, *, status: int, kind: str) -> None:
        """Count a request that a rule answered: a redirect or a fixed response."""
        counts = self.listener(listener_arn).counts
        if kind == "redirect":
            counts["HTTP_Redirect_Count"] += 1
            counts["HTTPCode_ELB_3XX_Count"] += 1
        else:
            counts["HTTP_Fixed_Response_Count"] += 1
            if status >= 400:
                counts[f"HTTPCode_ELB_{status // 100}XX_Count"] += 1
