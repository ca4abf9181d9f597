"""Drift by field: what a message names, what is found once, and when it counts as repaired."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from sluice.model.keys import DEPLOYMENT, Key
from sluice.plan.deployment.service import REVISION_MEMBERS, TRIGGERING
from sluice.plan.deployment.targets import HEALTH_MEMBERS
from sluice.telemetry.drift import FIELDS, LABELS, DriftMetrics, fields_of

WEB = Key(DEPLOYMENT, "shop", "web")


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("desiredCount 7 → 2", {"desiredCount"}),
        ("desiredCount 7 → 2, taskDefinition web:1 → web:2", {"desiredCount", "taskDefinition"}),
        ("slot a: networkConfiguration.awsvpcConfiguration.subnets[1] absent → s", {"networkConfiguration"}),
        ("deploymentConfiguration.minimumHealthyPercent 50 → 100", {"deploymentConfiguration"}),
        ("maximumPercent 150 → 200, alarms changes", {"deploymentConfiguration"}),
        ("tags sluice.dev/revision", {"tags"}),
        ("target group: HealthCheckPath /stolen → /healthz", {"HealthCheckPath"}),
        ("target group: deregistration_delay.timeout_seconds 300 → 17", {"attributes"}),
        ("target group: web-a was deleted by somebody else", {"target-group"}),
        ("anchor rule of port 80: target groups changed", {"anchor"}),
        ("rule main of shop:443 was changed by somebody else; repaired: weights a=1 → b=1", {"weights"}),
        ("rule main of shop:443 was changed by somebody else; repaired: priority 5 → 9", {"priority"}),
        ("rule main of shop:443 was deleted by somebody else; created again", {"rule"}),
        ("ECS service web-1 was deleted by somebody else", {"service"}),
        ("something that nobody thought of", {"other"}),
        ("", {"other"}),
    ],
)
def test_fields_are_what_the_message_names(message: str, fields: set[str]) -> None:
    """AWS's own names first, else what kind of thing it is."""
    assert fields_of(message) == fields
    assert fields <= set(LABELS)


def test_every_member_that_is_compared_is_a_field() -> None:
    """What the planners compare can be counted under its name."""
    assert set(FIELDS) >= REVISION_MEMBERS | TRIGGERING | set(HEALTH_MEMBERS)


@pytest.fixture
def registry() -> CollectorRegistry:
    """An empty registry."""
    return CollectorRegistry()


def count(registry: CollectorRegistry, what: str, field: str = "desiredCount") -> float | None:
    """Return a counter."""
    return registry.get_sample_value(f"sluice_drift_{what}_total", {"kind": "Deployment", "field": field})


def test_found_once_until_it_is_repaired(registry: CollectorRegistry) -> None:
    """Planning the same repair again is no further drift; the same field later is."""
    metrics = DriftMetrics(registry)
    for _ in range(3):
        metrics.told(WEB, "DriftRepaired", "desiredCount 7 → 2")
        metrics.settled(WEB, ready=False)
    assert (count(registry, "found"), count(registry, "repaired"), metrics.drifted(WEB)) == (1, 0, 1)
    metrics.settled(WEB, ready=True)
    metrics.settled(WEB, ready=True)
    assert (count(registry, "found"), count(registry, "repaired"), metrics.drifted(WEB)) == (1, 1, 0)
    metrics.told(WEB, "DriftFound", "suspended; not done: UpdateService: desiredCount 7 → 2")
    assert (count(registry, "found"), metrics.drifted(WEB)) == (2, 1)


def test_repairs_are_known_by_object_and_field(registry: CollectorRegistry) -> None:
    """Who quarrels about what: 0 from the finding on, one more with each repair, gone with the object."""
    metrics = DriftMetrics(registry)
    assert dict(metrics.repairs(WEB)) == {}
    for times in range(3):
        metrics.told(WEB, "DriftRepaired", "desiredCount 7 → 2")
        assert dict(metrics.repairs(WEB)) == {"desiredCount": times}
        metrics.settled(WEB, ready=True)
    metrics.told(WEB, "DriftRepaired", "weights a=1")
    assert dict(metrics.repairs(WEB)) == {"desiredCount": 3, "weights": 0}
    metrics.forget(WEB)
    assert dict(metrics.repairs(WEB)) == {}


def test_other_decisions_are_no_drift(registry: CollectorRegistry) -> None:
    """A change that the spec asks for names the same fields."""
    metrics = DriftMetrics(registry)
    metrics.told(WEB, "ServiceUpdated", "desiredCount 2 → 3")
    assert count(registry, "found") == 0


def test_an_object_that_is_gone_has_no_drift(registry: CollectorRegistry) -> None:
    """Nothing stays open, nothing counts as repaired."""
    metrics = DriftMetrics(registry)
    metrics.told(WEB, "DriftHalted", "weights a=1")
    metrics.forget(WEB)
    metrics.settled(WEB, ready=True)
    assert metrics.drifted(WEB) == 0
    assert count(registry, "repaired", "weights") == 0
