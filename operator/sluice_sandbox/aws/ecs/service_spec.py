"""A service's members: what CreateService fills in and what UpdateService changes.

Defaults as DescribeServices shows them in botocore's examples and in public issues. Pure: nothing
here knows of other services or of time.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sluice_sandbox.aws.ecs.launch_rules import filled, launch_type_of
from sluice_sandbox.aws.ecs.stages import CANARY_DEFAULTS, LINEAR_DEFAULTS
from sluice_sandbox.aws.ecs.state import Cluster, Definition
from sluice_sandbox.aws.ecs.task_factory import platform_family
from sluice_sandbox.aws.service import Params

_KEPT = (
    "loadBalancers",
    "serviceRegistries",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "role",
    "placementConstraints",
    "placementStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "monitoring",
)
TRIGGERS = frozenset(
    {
        "taskDefinition",
        "networkConfiguration",
        "platformVersion",
        "loadBalancers",
        "serviceRegistries",
        "serviceConnectConfiguration",
        "volumeConfigurations",
        "vpcLatticeConfigurations",
        "capacityProviderStrategy",
    }
)
"""botocore, UpdateServiceRequest: "This parameter triggers a new service deployment". Of
capacityProviderStrategy it says the opposite, yet tasks move to the new strategy only with a
deployment; that one is opened is from memory of the console's behaviour."""
_PLAIN = (
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "availabilityZoneRebalancing",
    "monitoring",
)


def defaults(cluster: Cluster, params: Params) -> dict[str, Any]:
    """Return the members of CreateService that a service keeps, with ECS's defaults."""
    spec = {member: deepcopy(params[member]) for member in _KEPT if params.get(member) is not None}
    if not spec.get("launchType") and not spec.get("capacityProviderStrategy"):
        default = cluster.spec["defaultCapacityProviderStrategy"]
        if default:
            spec["capacityProviderStrategy"] = default
    if spec.get("capacityProviderStrategy"):
        spec["capacityProviderStrategy"] = filled(spec["capacityProviderStrategy"])
    spec["deploymentController"] = params.get("deploymentController") or {"type": "ECS"}
    spec["schedulingStrategy"] = params.get("schedulingStrategy") or "REPLICA"
    spec["enableECSManagedTags"] = params.get("enableECSManagedTags", False)
    spec["propagateTags"] = params.get("propagateTags") or "NONE"
    spec["enableExecuteCommand"] = params.get("enableExecuteCommand", False)
    # botocore, CreateServiceRequest.availabilityZoneRebalancing: ENABLED unless given. Daemons cannot
    # have it (ECS developer guide), hence are DISABLED (from memory).
    rebalancing = "DISABLED" if spec["schedulingStrategy"] == "DAEMON" else "ENABLED"
    spec["availabilityZoneRebalancing"] = params.get("availabilityZoneRebalancing") or rebalancing
    spec["deploymentConfiguration"] = _configuration(params, spec["schedulingStrategy"])
    if spec["deploymentController"]["type"] != "ECS" and not (
        params.get("deploymentConfiguration") or {}
    ).get("deploymentCircuitBreaker"):
        # botocore: the circuit breaker is of the ECS controller alone.
        del spec["deploymentConfiguration"]["deploymentCircuitBreaker"]
    if spec.get("networkConfiguration"):
        spec["networkConfiguration"] = _network(spec["networkConfiguration"])
    for member in ("loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy"):
        spec.setdefault(member, [])
    # Told of every service, with and without load balancers (kayac/ecspresso#805).
    spec.setdefault("healthCheckGracePeriodSeconds", 0)
    return spec


def choose_launch(spec: dict[str, Any], definition: Definition) -> None:
    """Fill in launchType where neither it nor a strategy is given.

    AWS's own default is EC2 (CreateService without launch type, known). This estate has no
    container instances, so a definition that asks for FARGATE gets FARGATE; others get EC2.
    """
    if not spec.get("launchType") and not spec.get("capacityProviderStrategy"):
        asked = definition.spec.get("requiresCompatibilities") or []
        spec["launchType"] = "FARGATE" if "FARGATE" in asked else "EC2"
    fill_platform(spec, definition)


def fill_platform(spec: dict[str, Any], definition: Definition) -> None:
    """Give a spec that comes to Fargate its platform (LATEST unless said), others none (botocore)."""
    if launch_type_of(spec) == "FARGATE":
        spec.setdefault("platformVersion", "LATEST")
        spec["platformFamily"] = platform_family(definition)
    else:
        spec.pop("platformFamily", None)


def _configuration(params: Params, scheduling: str) -> dict[str, Any]:
    """Return deploymentConfiguration with ECS's defaults (botocore; daemons: 100 and 0)."""
    replica = scheduling == "REPLICA"
    given = deepcopy(params.get("deploymentConfiguration") or {})
    defaults = {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200 if replica else 100,
        "minimumHealthyPercent": 100 if replica else 0,
        "strategy": "ROLLING",
    }
    return with_strategy_defaults(defaults | given)


def with_strategy_defaults(configuration: dict[str, Any]) -> dict[str, Any]:
    """Fill in what botocore documents as default of a strategy; BLUE_GREEN's bake time has none."""
    filled = dict(configuration)
    if filled["strategy"] == "LINEAR":
        filled["linearConfiguration"] = LINEAR_DEFAULTS | (filled.get("linearConfiguration") or {})
    if filled["strategy"] == "CANARY":
        filled["canaryConfiguration"] = CANARY_DEFAULTS | (filled.get("canaryConfiguration") or {})
    if filled["strategy"] != "BLUE_GREEN":
        filled.setdefault("bakeTimeInMinutes", 0)
    return filled


def merged_configuration(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return deploymentConfiguration after an update; another strategy drops what belongs to the former."""
    kept = dict(before)
    strategy = given.get("strategy") or before["strategy"]
    if strategy != before["strategy"]:
        for member in ("linearConfiguration", "canaryConfiguration", "bakeTimeInMinutes"):
            kept.pop(member, None)
        if strategy == "ROLLING":
            kept.pop("lifecycleHooks", None)
        else:
            kept.pop("earlySuccessCriteria", None)
    return with_strategy_defaults(kept | deepcopy(given))


def _network(configuration: dict[str, Any]) -> dict[str, Any]:
    awsvpc = configuration.get("awsvpcConfiguration")
    if awsvpc is None:
        return configuration
    # botocore, AwsVpcConfiguration: assignPublicIp DISABLED unless given.
    return {"awsvpcConfiguration": {"securityGroups": [], "assignPublicIp": "DISABLED"} | awsvpc}


def merged(before: dict[str, Any], params: Params, definition: Definition) -> dict[str, Any]:
    """Return the spec that an update asks for; absent members stay as they are."""
    spec = deepcopy(before)
    spec["taskDefinition"] = definition.arn
    for member in TRIGGERS - {"taskDefinition"}:
        if params.get(member) is not None:
            spec[member] = deepcopy(params[member])
    if params.get("networkConfiguration"):
        spec["networkConfiguration"] = _network(spec["networkConfiguration"])
    if params.get("capacityProviderStrategy"):
        spec.pop("launchType", None)
        spec["capacityProviderStrategy"] = filled(spec["capacityProviderStrategy"])
    elif params.get("capacityProviderStrategy") == []:
        # botocore: an empty list goes back to the launch type.
        if before.get("capacityProviderStrategy"):
            spec["launchType"] = launch_type_of(before)
        spec.pop("capacityProviderStrategy", None)
    if launch_type_of(spec) != "FARGATE" and not params.get("platformVersion"):
        spec.pop("platformVersion", None)
    fill_platform(spec, definition)
    merge_plain(spec, params)
    if params.get("loadBalancers") == [] and "healthCheckGracePeriodSeconds" not in params:
        # A grace period has no meaning without load balancers: it goes with them (from memory).
        spec["healthCheckGracePeriodSeconds"] = 0
    spec["deploymentConfiguration"] = merged_configuration(
        spec["deploymentConfiguration"], params.get("deploymentConfiguration") or {}
    )
    if params.get("deploymentController"):
        spec["deploymentController"] = params["deploymentController"]
    return spec


def merge_plain(spec: dict[str, Any], params: Params) -> None:
    """Take over the members of UpdateService that open no deployment."""
    for member in _PLAIN:
        if params.get(member) is not None:
            spec[member] = deepcopy(params[member])
