"""Where tasks may run: launch types, capacity provider strategies, platform versions, placement.

The same rules hold for CreateService, UpdateService, CreateTaskSet and RunTask. botocore,
CapacityProviderStrategyItem, PlacementConstraint and PlacementStrategy; texts from public issues unless
said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.ecs.identity import last_segment
from sluice_sandbox.aws.ecs.refusals import invalid_parameter
from sluice_sandbox.aws.ecs.state import Definition, Scope
from sluice_sandbox.aws.errors import AwsError

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
PLATFORM_VERSIONS = frozenset({"LATEST", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"})
MAX_PROVIDERS = 20
MAX_BASE, MAX_WEIGHT = 100_000, 1_000
MAX_CONSTRAINTS, MAX_STRATEGIES, MAX_EXPRESSION = 10, 5, 2000

Strategy = Sequence[Mapping[str, Any]]
Spec = Mapping[str, Any]


def filled(strategy: Strategy) -> list[dict[str, Any]]:
    """Return a strategy as ECS keeps and shows it: weight and base are 0 unless given (botocore)."""
    return [{**item, "weight": item.get("weight") or 0, "base": item.get("base") or 0} for item in strategy]


def check_strategy(strategy: Strategy, scope: Scope) -> None:
    """Refuse an impossible capacity provider strategy."""
    if len(strategy) > MAX_PROVIDERS:
        raise invalid_parameter(
            "A capacity provider strategy can contain a maximum of 20 capacity providers."
        )
    names = [last_segment(item["capacityProvider"]) for item in strategy]
    for name, item in zip(names, strategy, strict=True):
        provider = scope.capacity_providers.get(name)
        if name not in FARGATE_PROVIDERS and (provider is None or provider.status != "ACTIVE"):
            raise invalid_parameter(f"The specified capacity provider '{name}' was not found.")
        if not 0 <= (item.get("base") or 0) <= MAX_BASE:
            raise invalid_parameter("The base of a capacity provider must be between 0 and 100000.")
        if not 0 <= (item.get("weight") or 0) <= MAX_WEIGHT:
            raise invalid_parameter("The weight of a capacity provider must be between 0 and 1000.")
    if len(set(names)) != len(names):
        raise invalid_parameter("A capacity provider strategy cannot name a capacity provider twice.")
    if len({name in FARGATE_PROVIDERS for name in names}) > 1:
        # Text: ECS developer guide, capacity provider considerations.
        raise invalid_parameter(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling "
            "groups and Fargate providers."
        )
    if sum(1 for item in strategy if item.get("base")) > 1:
        raise invalid_parameter("Only one capacity provider in a strategy can have a base defined.")
    if len(strategy) > 1 and not any(item.get("weight", 0) for item in strategy):
        raise invalid_parameter(
            "At least one capacity provider in a strategy must have a weight greater than zero."
        )


def launch_type_of(spec: Spec) -> str:
    """Return the launch type that a spec comes to: by its strategy's kind where it has one."""
    strategy = spec.get("capacityProviderStrategy")
    if strategy:
        fargate = last_segment(strategy[0]["capacityProvider"]) in FARGATE_PROVIDERS
        return "FARGATE" if fargate else "EC2"
    return str(spec.get("launchType") or "FARGATE")


def check_launch(spec: Spec, definition: Definition, scope: Scope) -> None:
    """Refuse a launch type or strategy that the definition or the account does not support."""
    strategy = spec.get("capacityProviderStrategy") or []
    if spec.get("launchType") and strategy:
        raise invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    if strategy:
        check_strategy(strategy, scope)
    launch = launch_type_of(spec)
    if launch == "MANAGED_INSTANCES":
        # botocore: use the capacityProviderStrategy parameter and omit launchType.
        raise invalid_parameter("The launch type MANAGED_INSTANCES requires a capacity provider strategy.")
    asked = definition.spec.get("requiresCompatibilities") or [launch]
    supported = launch in definition.spec["compatibilities"] and (launch != "FARGATE" or launch in asked)
    if not supported:
        # Text: oranmoshai/ecsServiceRestart#2 and many others. That a definition registered for other
        # launch types alone is refused for FARGATE is from memory (aws/aws-cli#3983 reads so).
        raise invalid_parameter(f"Task definition does not support launch_type {launch}.")
    platform = spec.get("platformVersion")
    if platform and platform not in PLATFORM_VERSIONS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
    if platform and launch != "FARGATE":
        raise invalid_parameter("The platform version must be null when specifying an EC2 launch type.")
    _check_platform_features(platform, definition)


_NEEDS_1_4 = ("ephemeralStorage", "pidMode")
_OLD = frozenset({"1.0.0", "1.1.0", "1.2.0", "1.3.0"})


def _check_platform_features(platform: str | None, definition: Definition) -> None:
    """Refuse what Fargate has since 1.4.0 on older platforms (botocore, EphemeralStorage and others)."""
    if platform not in _OLD:
        return
    efs = any("efsVolumeConfiguration" in volume for volume in definition.spec["volumes"])
    if efs or any(definition.spec.get(member) for member in _NEEDS_1_4):
        raise AwsError(
            "PlatformTaskDefinitionIncompatibilityException",
            "One or more of the requested capabilities are not supported by the requested platform version.",
        )


def check_placement(spec: Spec, definition: Definition, *, of: str = "service") -> None:
    """Refuse too many or impossible placement constraints and strategies, and any on Fargate."""
    constraints = spec.get("placementConstraints") or ()
    strategies = spec.get("placementStrategy") or ()
    if len(constraints) + len(definition.spec["placementConstraints"]) > MAX_CONSTRAINTS:
        raise invalid_parameter(f"A {of} has at most 10 placement constraints, with those of its definition.")
    if len(strategies) > MAX_STRATEGIES:
        raise invalid_parameter(f"A {of} has at most 5 placement strategies.")
    if launch_type_of(spec) == "FARGATE" and (constraints or strategies):
        raise invalid_parameter(
            "Placement constraints and strategies are not supported with FARGATE launch type."
        )
    for item in constraints:
        expression = item.get("expression") or ""
        if item.get("type") == "distinctInstance" and expression:
            raise invalid_parameter("A distinctInstance constraint cannot have an expression.")
        if item.get("type") == "memberOf" and not 1 <= len(expression) <= MAX_EXPRESSION:
            raise invalid_parameter("A memberOf constraint needs an expression of at most 2000 characters.")
    for item in strategies:
        field = (item.get("field") or "").lower()
        if item.get("type") == "binpack" and field not in {"cpu", "memory"}:
            raise invalid_parameter(f"Invalid field '{field}' of a binpack placement strategy.")
        if item.get("type") == "random" and field:
            raise invalid_parameter("A random placement strategy has no field.")
