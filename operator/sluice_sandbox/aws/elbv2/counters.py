"""What a load balancer counts, under the names its CloudWatch metrics have.

Source: "CloudWatch metrics for your Application Load Balancer". Counts only grow; whoever publishes
them (CloudWatch, the control API) takes differences. Response times are kept as a histogram whose
buckets grow by a tenth, which is enough for any quantile and costs the same for any traffic.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from sluice_sandbox.aws.elbv2.ledger import Place

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


class Follower(Protocol):
    """Who publishes what is counted."""

    def counted(self, place: Place, names: tuple[str, ...]) -> None:
        """Count one event under each of the names."""

    def took(self, place: Place, seconds: float) -> None:
        """Note a response time."""

    def connections(self, listener_arn: str, change: int) -> None:
        """Note that connections were opened or closed."""


class Counters:
    """All counts of one world's load balancers, by target group and by listener ARN."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.groups: dict[str, Tally] = {}
        self.listeners: dict[str, Tally] = {}
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Tell `follower` of everything counted from now on."""
        self._followers.append(follower)

    def reset(self) -> None:
        """Forget all counts."""
        self.groups.clear()
        self.listeners.clear()

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

    def answered(self, place: Place, *, status: int, seconds: float, failed_open: bool = False) -> None:
        """Count a request that a target answered."""
        names: tuple[str, ...] = ("RequestCount", f"HTTPCode_Target_{status // 100}XX_Count")
        if failed_open:
            names = (*names, "UnhealthyRoutingRequestCount")
        for tally in (self.group(place.group_arn), self.listener(place.listener_arn)):
            tally.times.add(seconds)
            for name in names:
                tally.counts[name] += 1
        for follower in self._followers:
            follower.counted(place, names)
            follower.took(place, seconds)

    def failed(self, place: Place, *, status: int, connected: bool = True) -> None:
        """Count a request that was meant for a target and that the load balancer answered itself.

        RequestCount counts only requests for which a target could be chosen (the metric's
        definition), so a 503 for want of targets is in the HTTPCode_ELB counts alone, and so is a
        request that no rule was asked about (400, 414, 463).
        """
        chosen = bool(place.group_arn) and status != 503
        names = [f"HTTPCode_ELB_{status // 100}XX_Count"]
        if status in (500, 502, 503, 504):
            names.append(f"HTTPCode_ELB_{status}_Count")
        if chosen:
            names.append("RequestCount")
        self._add(self.listener(place.listener_arn), names)
        if chosen:
            own = ["RequestCount", *([] if connected else ["TargetConnectionErrorCount"])]
            self._add(self.group(place.group_arn), own)
            names += own[1:]
        for follower in self._followers:
            follower.counted(place, tuple(names))

    def replied(self, listener_arn: str, *, status: int, kind: str) -> None:
        """Count a request that a rule answered: a redirect or a fixed response."""
        if kind == "redirect":
            names = ["HTTP_Redirect_Count", "HTTPCode_ELB_3XX_Count"]
        else:
            names = ["HTTP_Fixed_Response_Count"]
            if status >= 400:
                names.append(f"HTTPCode_ELB_{status // 100}XX_Count")
        self._add(self.listener(listener_arn), names)
        for follower in self._followers:
            follower.counted(Place(listener_arn), tuple(names))

    def connected(self, listener_arn: str, *, name: str = "NewConnectionCount") -> None:
        """Count a client's new connection (NewFlowCount of a network load balancer)."""
        self._add(self.listener(listener_arn), [name])
        for follower in self._followers:
            follower.counted(Place(listener_arn), (name,))
            follower.connections(listener_arn, 1)

    def disconnected(self, listener_arn: str) -> None:
        """Note that a client's connection ended."""
        for follower in self._followers:
            follower.connections(listener_arn, -1)

    @staticmethod
    def _add(tally: Tally, names: list[str]) -> None:
        for name in names:
            tally.counts[name] += 1
