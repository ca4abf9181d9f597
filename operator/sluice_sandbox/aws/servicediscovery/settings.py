"""How long Cloud Map takes, and how much it lets an account have.

Quotas: https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-limits.html: 50 namespaces in a Region,
1,000 instances in a service, 2,000 in a namespace. Attributes of a service and tags: botocore.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sluice_sandbox.aws.clock import Clock, VirtualClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Durations in world seconds. The defaults are AWS's; those without a published figure from memory."""

    pick_up: float = 0.5
    """SUBMITTED to PENDING."""
    http_namespace: float = 5.0
    """SUBMITTED to SUCCESS of a namespace without a hosted zone."""
    dns_namespace: float = 30.0
    """SUBMITTED to SUCCESS of one with a hosted zone (botocore's GetOperation example: 40 s)."""
    service: float = 5.0
    """UpdateService."""
    instance: float = 5.0
    """RegisterInstance and DeregisterInstance."""
    custom_health: float = 30.0
    """UpdateInstanceCustomHealthStatus until it is visible (botocore: "approximately 30 seconds")."""
    visible: float = 0.0
    """From an instance's change in the books (SUCCESS, ListInstances) until DiscoverInstances and DNS tell of
    it. AWS publishes no figure, only that information may not have "propagated yet" (botocore:
    InstanceNotFound); none by default, and more where a test asks who relies on there being none."""
    health_check: float = 30.0
    """The request interval of a Route 53 health check (botocore: HealthCheckConfig)."""


QUICK = Pace(
    pick_up=0.2,
    http_namespace=1.0,
    dns_namespace=1.5,
    service=0.6,
    instance=0.6,
    custom_health=2.0,
    health_check=2.0,
)
"""For worlds that people wait for: everything is still asynchronous, but takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits of an account in a Region."""

    namespaces: int = 50
    instances_per_service: int = 1_000
    instances_per_namespace: int = 2_000
    tags: int = 50
    service_attributes: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMapSettings:
    """What a world may choose about its Cloud Map."""

    pace: Pace = field(default_factory=Pace)
    quotas: Quotas = field(default_factory=Quotas)

    @classmethod
    def of(cls, clock: Clock) -> CloudMapSettings:
        """Return AWS's own pace where time is virtual and costs nothing, else the quick one."""
        return cls(pace=Pace() if isinstance(clock, VirtualClock) else QUICK)
