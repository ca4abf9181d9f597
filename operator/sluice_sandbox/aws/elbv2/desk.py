"""What the handlers of Elastic Load Balancing share: the books, the time, the quotas, the bell.

One constructor parameter instead of six. `changed()` is the bell: it is rung after every change
that the data plane must know (listeners, rules, attributes, registrations), so that compiled routing
tables and open sockets follow without anyone polling.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.elbv2.state import Region, State
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import Estate
from sluice_sandbox.aws.service import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits of an account (DescribeAccountLimits).

    Values: "Quotas for your Application Load Balancers" as repeated by the eucalyptus project's
    `services.loadbalancingv2.limit.*` (Corymbia/eucalyptus#301); six wildcards are
    the guide's figure (the CLI's example shows five); registrations per target are that example's; actions
    per rule and trust stores are from memory.
    """

    application_load_balancers: int = 50
    network_load_balancers: int = 50
    listeners_per_load_balancer: int = 50
    rules_per_load_balancer: int = 100
    certificates_per_load_balancer: int = 25
    target_groups: int = 3000
    target_groups_per_action: int = 5
    target_groups_per_load_balancer: int = 100
    targets_per_load_balancer: int = 1000
    condition_values_per_rule: int = 5
    condition_wildcards_per_rule: int = 6
    actions_per_rule: int = 5
    registrations_per_target: int = 1000
    trust_stores: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the load balancer takes where AWS names no figure; all in world seconds."""

    provisioning: float = 2.0
    """CreateLoadBalancer to state active (minutes in AWS; shortened here)."""
    registration: float = 0.5
    """RegisterTargets to the first health check (Elb.RegistrationInProgress until then)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elbv2Settings:
    """What a world may choose about its load balancers."""

    quotas: Quotas = Quotas()
    pace: Pace = Pace()


class Desk:
    """The shared surroundings of all handlers."""

    def __init__(self, clock: Clock, *, estate: Estate, rng: random.Random, settings: Elbv2Settings) -> None:
        """Start with empty books."""
        self.clock = clock
        self.estate = estate
        self.settings = settings
        self._rng = rng
        self._state = State()
        self._listeners: list[Callable[[], None]] = []
        self.version = 0
        """Moves with every change of the books that routing depends on."""

    @property
    def state(self) -> State:
        """The books; the world may exchange them for an older copy during a stale read."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
        self.changed()

    def region(self, caller: Caller) -> Region:
        """Return the caller's part of the books."""
        return self._state.region(caller)

    def changed(self) -> None:
        """Ring the bell."""
        self.version += 1
        for callback in list(self._listeners):
            callback()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after each change. The callback must be cheap and must not change the books."""
        self._listeners.append(callback)

    def hex_id(self, digits: int = 16) -> str:
        """Return a fresh hexadecimal id, deterministic by the world's seed."""
        return f"{self._rng.getrandbits(digits * 4):0{digits}x}"

    def arn(self, caller: Caller, resource: str) -> str:
        """Return the ARN of a resource of the caller's region."""
        return f"arn:aws:elasticloadbalancing:{caller.region}:{caller.account}:{resource}"


def validation_error(message: str) -> AwsError:
    """Return the refusal AWS gives for what its model does not say (code ValidationError)."""
    return AwsError("ValidationError", message)


def invalid_configuration(message: str) -> AwsError:
    """Return InvalidConfigurationRequest."""
    return AwsError("InvalidConfigurationRequest", message)


def check_arns(arns: Iterable[str], noun: str) -> None:
    """Refuse what is no ARN at all; one that names nothing is the caller's NotFound."""
    for arn in arns:
        if not arn.startswith("arn:"):
            raise validation_error(f"'{arn}' is not a valid {noun} ARN")
