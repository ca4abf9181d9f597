"""Drift, field by field: what somebody changed in AWS, and whether it is as it should be again.

A plan tells in words what it puts back (`desiredCount 7 → 2`); the words are AWS's own names of members, and
those make the label. A drift counts as found once, however often a pass plans its repair, and as repaired
when a later pass of the object ends well with Ready True: that is what an alert may rely on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from sluice.model.keys import PLURALS, Key
from sluice.plan.deployment.targets import HEALTH_MEMBERS
from sluice.telemetry.born import born
from sluice.telemetry.remembered import Remembered

FIELDS: Final = (
    "desiredCount",
    "taskDefinition",
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "capacityProviderStrategy",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "propagateTags",
    "enableECSManagedTags",
    *HEALTH_MEMBERS,
)
"""Members of ECS services and target groups, as AWS spells them."""
_PARTS: Final = {
    "minimumHealthyPercent": "deploymentConfiguration",
    "maximumPercent": "deploymentConfiguration",
    "deploymentCircuitBreaker": "deploymentConfiguration",
    "alarms": "deploymentConfiguration",
}
_THINGS: Final = {
    "tags": "tags",
    "weights": "weights",
    "conditions": "conditions",
    "priority": "priority",
    "session": "stickiness",
    "attribute": "attributes",
    "anchor": "anchor",
    "rule": "rule",
    "instance": "instance",
    "namespace": "namespace",
    "target group": "target-group",
    "ECS service": "service",
}
"""Words of a message → the label; the first that fits, where no member is named."""
ATTRIBUTES: Final = "attributes"
OTHER: Final = "other"
LABELS: Final = (*FIELDS, *dict.fromkeys(_THINGS.values()), OTHER)
_NOTHING: Final[Mapping[str, int]] = {}
FOUND_REASONS: Final = frozenset({"DriftRepaired", "DriftFound", "DriftHalted"})
_MEMBER: Final = re.compile(r"[A-Za-z]+")
_ATTRIBUTE: Final = re.compile(
    r"\b[a-z_]+(\.[a-z_]+)+ \S+ → "
)  # deregistration_delay.timeout_seconds 30 → 17


def fields_of(message: str) -> frozenset[str]:
    """Return the fields that a message about drift names; never empty, always of LABELS."""
    words = set(_MEMBER.findall(message))
    found = {field for field in FIELDS if field in words}
    found |= {whole for part, whole in _PARTS.items() if part in words}
    if _ATTRIBUTE.search(message):
        found.add(ATTRIBUTES)
    if not found:
        found = set(next(([label] for phrase, label in _THINGS.items() if _has(message, phrase)), [OTHER]))
    return frozenset(found)


def _has(message: str, phrase: str) -> bool:
    return re.search(rf"\b{re.escape(phrase)}s?\b", message) is not None


class DriftMetrics:
    """Counters by field, and what is open; thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register on `registry`, once per process or test."""
        self._lock = threading.Lock()
        self._open: dict[Key, frozenset[str]] = {}
        self._repairs: Remembered[Key, dict[str, int]] = Remembered()
        self.found = Counter(
            "sluice_drift_found",
            "Fields that somebody else changed in AWS.",
            ["kind", "field"],
            registry=registry,
        )
        self.repaired = Counter(
            "sluice_drift_repaired",
            "Fields that are as they should be again after somebody else had changed them.",
            ["kind", "field"],
            registry=registry,
        )
        born(self.found, PLURALS, LABELS)
        born(self.repaired, PLURALS, LABELS)

    def told(self, key: Key, reason: str, message: str) -> None:
        """Take a decision of a plan; what is open already is not counted again."""
        if reason not in FOUND_REASONS:
            return
        with self._lock:
            known = self._open.get(key, frozenset())
            fields = fields_of(message)
            for field in fields - known:
                self.found.labels(key.kind, field).inc()
            self._open[key] = known | fields
            self._repairs[key] = dict.fromkeys(fields, 0) | self._repairs.get(key, {})

    def settled(self, key: Key, *, ready: bool) -> None:
        """Take the good end of a pass; an object that is Ready has no drift left."""
        if not ready or key not in self._open:
            return
        with self._lock:
            for field in self._open.pop(key, frozenset()):
                self.repaired.labels(key.kind, field).inc()
                counts = self._repairs.get(key, {})
                self._repairs[key] = counts | {field: counts.get(field, 0) + 1}

    def forget(self, key: Key) -> None:
        """Forget an object that is gone."""
        with self._lock:
            self._open.pop(key, None)
            self._repairs.pop(key, None)

    def repairs(self, key: Key) -> Mapping[str, int]:
        """Return how many times each field of an object was put back; 0 where that is not done yet."""
        return self._repairs.get(key, _NOTHING)

    def drifted(self, key: Key) -> int:
        """Return how many fields of an object are found and not repaired."""
        return len(self._open.get(key, ()))
