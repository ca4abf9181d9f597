"""A clock that stands still, a transport that answers from a script, and a gateway over both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sluice.aws.budget import Budgets
from sluice.aws.gateway import AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.keys import DEPLOYMENT, Key


@dataclass
class StillClock:
    """Time moves when a test says so; wall time and monotonic time differ on purpose."""

    seconds: float = 1000.0

    def now(self) -> float:
        """Return wall time."""
        return 1_800_000_000.0 + self.seconds

    def monotonic(self) -> float:
        """Return monotonic time."""
        return self.seconds


@dataclass
class ScriptedTransport:
    """Each send takes the next answer: a response, an exception, or a function of the parameters."""

    answers: list[Any] = field(default_factory=list)
    sent: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)

    def send(
        self, service: str, operation: str, params: Mapping[str, Any], binding: Binding, *, write: bool
    ) -> Mapping[str, Any]:
        """Record the call and play the next answer; an empty script answers {}."""
        self.sent.append((service, operation, params))
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return answer(params) if callable(answer) else answer


@dataclass
class Lease:
    """A lease that is valid for `seconds` more."""

    seconds: float = 30.0

    def valid_for(self, seconds: float) -> bool:
        """Tell whether it outlives them."""
        return self.seconds >= seconds


@dataclass
class Rig:
    """A gateway and everything around it."""

    clock: StillClock
    transport: ScriptedTransport
    lease: Lease
    budgets: Budgets
    registry: CollectorRegistry
    gateway: AwsGateway
    binding: Binding = field(default_factory=lambda: Binding(account="111122223333", region="eu-west-1"))

    def context(self, name: str = "checkout", *, priority: Priority = Priority.ROLLOUT) -> CallContext:
        """Return a context for a Deployment of this name."""
        return CallContext(
            binding=self.binding, priority=priority, key=Key(DEPLOYMENT, "shop", name), reason="because"
        )


@pytest.fixture
def rig() -> Callable[..., Rig]:
    """Return a function that builds a rig; keywords go to Budgets, `dry_run` to the gateway."""

    def build(*answers: Any, dry_run: bool = False, **budgets: Any) -> Rig:
        clock, transport, lease = StillClock(), ScriptedTransport(list(answers)), Lease()
        registry = CollectorRegistry()
        limits = Budgets(**({"share": 1.0} | budgets))
        gateway = AwsGateway(
            transport, budgets=limits, clock=clock, lease=lease, metrics=AwsMetrics(registry), dry_run=dry_run
        )
        return Rig(clock, transport, lease, limits, registry, gateway)

    return build
