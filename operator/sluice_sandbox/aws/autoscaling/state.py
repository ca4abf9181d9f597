"""What Application Auto Scaling remembers, per account and region, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluice_sandbox.aws.service import Caller

DIMENSION = "ecs:service:DesiredCount"


@dataclass(slots=True, kw_only=True)
class Policy:
    """One scaling policy; `configuration` in botocore's spelling."""

    arn: str
    name: str
    kind: str
    configuration: dict[str, Any]
    created_at: float
    alarms: list[str] = field(default_factory=list)
    """Names of the CloudWatch alarms that a target tracking policy owns: AlarmHigh, AlarmLow."""


@dataclass(slots=True, kw_only=True)
class ScheduledAction:
    """One scheduled action. `generation` tells a timer that it was put anew."""

    arn: str
    name: str
    schedule: str
    timezone: str
    action: dict[str, int]
    created_at: float
    start: float | None = None
    end: float | None = None
    generation: int = 0


@dataclass(slots=True, kw_only=True)
class Movement:
    """The latest change of one direction: when, and what the capacity was before it."""

    at: float
    before: int
    cooldown: float


@dataclass(slots=True, kw_only=True)
class Target:
    """One scalable target."""

    arn: str
    resource: str
    low: int
    high: int
    role: str
    created_at: float
    suspended: dict[str, bool]
    tags: dict[str, str] = field(default_factory=dict)
    untagged: bool = False
    """It had tags once: the tagging API lists it still."""
    policies: dict[str, Policy] = field(default_factory=dict)
    schedules: dict[str, ScheduledAction] = field(default_factory=dict)
    last_out: Movement | None = None
    last_in: Movement | None = None

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.resource.split("/")[1]

    @property
    def service(self) -> str:
        """The service's name."""
        return self.resource.split("/")[2]


@dataclass(slots=True)
class Region:
    """Everything of one account in one region; targets by resource id."""

    targets: dict[str, Target] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)
    """Oldest first; they outlive their target."""


@dataclass(slots=True)
class State:
    """All regions of all accounts."""

    regions: dict[tuple[str, str], Region] = field(default_factory=dict)
    numbers: int = 0
    """What schedules' generations are counted with."""

    def region(self, caller: Caller) -> Region:
        """Return the caller's region, made on first use."""
        key = (caller.account, caller.region)
        found = self.regions.get(key)
        if found is None:
            found = self.regions[key] = Region()
        return found
