"""What a load run found: by second and in all, ready for JSON.

Latencies are kept as they are (a run is bounded), so quantiles are exact: the smallest latency that
the share of all answers did not exceed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
NO_TASK = "load balancer"
"""Who failed where the answer is not a task's."""


@dataclass(slots=True, kw_only=True)
class SecondReport:
    """One second's requests, by the time they were due."""

    second: int
    sent: int = 0
    not_sent: int = 0
    """Due while too many were under way already."""
    status_codes: Counter[int] = field(default_factory=Counter)
    connection_errors: Counter[str] = field(default_factory=Counter)
    """By kind: refused, broken (ended without a whole answer), timeout, unreachable."""
    images: Counter[str] = field(default_factory=Counter)
    first_heard: dict[str, float] = field(default_factory=dict)
    """When each image first answered one of these requests, monotonic seconds."""
    revisions: Counter[str] = field(default_factory=Counter)
    slots: Counter[str] = field(default_factory=Counter)
    """Answers of tasks without a slot are not counted here."""
    failures_by: Counter[str] = field(default_factory=Counter)
    """Answers of 500 and above by the image that gave them, NO_TASK for the load balancer's own."""
    latencies: list[float] = field(default_factory=list)

    def answered(self, status: int, *, seconds: float, echo: Mapping[str, Any], now: float) -> None:
        """Count an answer of the moment `now`, monotonic seconds.

        `echo` is what the task said about itself, {} when nobody said anything.
        """
        self.status_codes[status] += 1
        self.latencies.append(seconds)
        if status >= 500:
            self.failures_by[str(echo.get("image") or NO_TASK)] += 1
        for counter, member in ((self.images, "image"), (self.revisions, "revision"), (self.slots, "slot")):
            value = echo.get(member)
            if value:
                counter[str(value)] += 1
        if echo.get("image"):
            self.first_heard.setdefault(str(echo["image"]), now)

    def failed(self, kind: str) -> None:
        """Count a request that got no whole answer."""
        self.connection_errors[kind] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON can carry them."""
        return {"second": self.second, **_figures([self])}


@dataclass(slots=True, kw_only=True)
class Report:
    """A whole run."""

    url: str
    rate: float
    duration_seconds: float = 0.0
    """Until the last answer, real seconds."""
    seconds: list[SecondReport] = field(default_factory=list)

    def second(self, index: int) -> SecondReport:
        """Return a second's report, making those that are missing."""
        while len(self.seconds) <= index:
            self.seconds.append(SecondReport(second=len(self.seconds)))
        return self.seconds[index]

    @property
    def sent(self) -> int:
        """How many requests left."""
        return sum(item.sent for item in self.seconds)

    @property
    def failed(self) -> int:
        """How many got no answer or a 5xx one."""
        errors = sum(sum(item.connection_errors.values()) for item in self.seconds)
        return errors + sum(
            count for item in self.seconds for status, count in item.status_codes.items() if status >= 500
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON can carry it; `perSecond` holds the seconds."""
        return {
            "url": self.url,
            "rate": self.rate,
            "durationSeconds": round(self.duration_seconds, 3),
            "failed": self.failed,
            **_figures(self.seconds),
            "perSecond": [item.to_json() for item in self.seconds],
        }


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the ordered values do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _figures(seconds: Sequence[SecondReport]) -> dict[str, Any]:
    ordered = sorted(latency for item in seconds for latency in item.latencies)
    latency = {name: round(quantile(ordered, share), 6) for name, share in QUANTILES.items()}
    latency["max"] = round(ordered[-1], 6) if ordered else 0.0
    statuses = sum((item.status_codes for item in seconds), Counter[int]())
    return {
        "sent": sum(item.sent for item in seconds),
        "notSent": sum(item.not_sent for item in seconds),
        "statusCodes": {str(status): count for status, count in sorted(statuses.items())},
        "connectionErrors": dict(sum((item.connection_errors for item in seconds), Counter[str]())),
        "latencySeconds": latency,
        "images": dict(sum((item.images for item in seconds), Counter[str]())),
        "revisions": dict(sum((item.revisions for item in seconds), Counter[str]())),
        "slots": dict(sum((item.slots for item in seconds), Counter[str]())),
        "failuresBy": dict(sum((item.failures_by for item in seconds), Counter[str]())),
    }
