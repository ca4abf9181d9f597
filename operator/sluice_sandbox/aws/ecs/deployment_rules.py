"""What deploymentConfiguration may say, whatever the service's surroundings are: no look-ups here.

Sources: botocore, DeploymentConfiguration and the shapes under it. Wordings are from memory unless one
is named.
"""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs.refusals import invalid_parameter
from sluice_sandbox.aws.ecs.stages import NATIVE, SHIFT, TEST_SHIFT

MAX_BAKE_MINUTES = 1440
MAX_HOOK_MINUTES = 20_160

Spec = dict[str, Any]


def check_deployment_configuration(spec: Spec) -> None:
    """Refuse impossible percentages and what the strategy lacks or cannot have."""
    configuration = spec.get("deploymentConfiguration") or {}
    daemon = spec.get("schedulingStrategy") == "DAEMON"
    controller = (spec.get("deploymentController") or {}).get("type", "ECS")
    strategy = configuration.get("strategy") or "ROLLING"
    _check_percentages(configuration, daemon=daemon)
    _check_detectors(configuration, controller)
    if strategy != "ROLLING" and controller != "ECS":
        raise invalid_parameter(
            f"The {strategy} deployment strategy is only supported with the ECS deployment controller."
        )
    if strategy != "ROLLING" and daemon:
        raise invalid_parameter(
            f"The {strategy} deployment strategy is not supported with the DAEMON scheduling strategy."
        )
    _check_bake_time(configuration, strategy)
    _check_shape(configuration, strategy)
    _check_hooks(configuration, strategy)
    _check_early_success(configuration, strategy)


def _check_percentages(configuration: Spec, *, daemon: bool) -> None:
    low = configuration.get("minimumHealthyPercent")
    high = configuration.get("maximumPercent")
    if low is not None and not 0 <= low <= 100:
        # Text: public issues.
        raise invalid_parameter("minimumHealthyPercent must be between 0 and 100.")
    if high is not None and not (100 if not daemon else 0) <= high <= 200:
        # Text: terraform issues ("maximumPercent must be greater than or equal to 100 ...").
        raise invalid_parameter("maximumPercent must be between 100 and 200.")
    if low == 100 and high == 100:
        # Text: a public preflight rule set that quotes CreateService.
        raise invalid_parameter(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )


def _check_detectors(configuration: Spec, controller: str) -> None:
    breaker = configuration.get("deploymentCircuitBreaker")
    if breaker and controller != "ECS":
        raise invalid_parameter(
            "The deployment circuit breaker is only valid with the ECS deployment controller."
        )
    threshold = (breaker or {}).get("thresholdConfiguration")
    if threshold is not None and threshold["value"] < 1:
        raise invalid_parameter("The deployment circuit breaker's threshold value must be at least 1.")
    alarms = configuration.get("alarms")
    if alarms and controller != "ECS":
        # botocore, DeploymentAlarms: only when the DeploymentController is ECS.
        raise invalid_parameter("Deployment alarms are only valid with the ECS deployment controller.")
    if alarms and alarms.get("enable") and not alarms.get("alarmNames"):
        raise invalid_parameter("alarmNames must not be empty when deployment alarms are enabled.")
    if alarms and len(set(alarms["alarmNames"])) < len(alarms["alarmNames"]):
        raise invalid_parameter("alarmNames cannot contain duplicates.")


def _check_bake_time(configuration: Spec, strategy: str) -> None:
    minutes = configuration.get("bakeTimeInMinutes")
    if strategy == "BLUE_GREEN" and minutes is None:
        # botocore says that BLUE_GREEN must have it.
        raise invalid_parameter(
            "bakeTimeInMinutes is required when the deployment strategy is set to BLUE_GREEN."
        )
    if minutes is not None and not 0 <= minutes <= MAX_BAKE_MINUTES:
        raise invalid_parameter("bakeTimeInMinutes must be between 0 and 1440.")


def _check_shape(configuration: Spec, strategy: str) -> None:
    """Check linearConfiguration and canaryConfiguration: only of their strategy, tenths, 24 hours."""
    for member, owner, percent, smallest, bake in (
        ("linearConfiguration", "LINEAR", "stepPercent", 3.0, "stepBakeTimeInMinutes"),
        ("canaryConfiguration", "CANARY", "canaryPercent", 0.1, "canaryBakeTimeInMinutes"),
    ):
        given = configuration.get(member)
        if given is None:
            continue
        if strategy != owner:
            raise invalid_parameter(f"{member} is only valid with the {owner} deployment strategy.")
        share = given.get(percent)
        if share is not None and not (smallest <= share <= 100.0 and _is_tenths(share)):
            raise invalid_parameter(f"{percent} must be a multiple of 0.1 from {smallest} to 100.0.")
        minutes = given.get(bake)
        if minutes is not None and not 0 <= minutes <= MAX_BAKE_MINUTES:
            raise invalid_parameter(f"{bake} must be between 0 and 1440.")


def _is_tenths(value: float) -> bool:
    return abs(value * 10 - round(value * 10)) < 1e-9


def _check_hooks(configuration: Spec, strategy: str) -> None:
    hooks = configuration.get("lifecycleHooks") or []
    if hooks and strategy not in NATIVE:
        raise invalid_parameter(
            "lifecycleHooks are only supported with the BLUE_GREEN, LINEAR and CANARY deployment strategies."
        )
    for hook in hooks:
        _check_hook(hook)


def _check_hook(hook: Spec) -> None:
    stages = hook.get("lifecycleStages") or []
    if not stages:
        # botocore, DeploymentLifecycleHook.lifecycleStages: "You must provide this parameter".
        raise invalid_parameter("lifecycleStages must be specified for a deployment lifecycle hook.")
    if len(set(stages)) < len(stages):
        raise invalid_parameter("lifecycleStages of a deployment lifecycle hook cannot contain duplicates.")
    if (hook.get("targetType") or "AWS_LAMBDA") == "PAUSE":
        if hook.get("hookTargetArn"):
            raise invalid_parameter("hookTargetArn is not applicable to PAUSE lifecycle hooks.")
        forbidden = [stage for stage in stages if stage in {TEST_SHIFT, SHIFT}]
        if forbidden:
            raise invalid_parameter(f"PAUSE lifecycle hooks cannot be configured at {forbidden[0]}.")
    else:
        _check_function(hook)
    minutes = (hook.get("timeoutConfiguration") or {}).get("timeoutInMinutes")
    if minutes is not None and not 1 <= minutes <= MAX_HOOK_MINUTES:
        raise invalid_parameter("timeoutInMinutes of a lifecycle hook must be between 1 and 20160.")


def _check_function(hook: Spec) -> None:
    function = hook.get("hookTargetArn") or ""
    if not function:
        raise invalid_parameter("hookTargetArn must be specified for an AWS_LAMBDA lifecycle hook.")
    if function.split(":")[:1] != ["arn"] or function.split(":")[2:3] != ["lambda"]:
        raise invalid_parameter(f"hookTargetArn {function} is not the ARN of a Lambda function.")
    if not hook.get("roleArn"):
        # Required by hashicorp/terraform-provider-aws (aws_ecs_service, lifecycle_hook.role_arn).
        raise invalid_parameter("roleArn must be specified for an AWS_LAMBDA lifecycle hook.")


def _check_early_success(configuration: Spec, strategy: str) -> None:
    criteria = configuration.get("earlySuccessCriteria")
    if criteria is None:
        return
    if strategy != "ROLLING":
        # botocore: only with the rolling deployment strategy.
        raise invalid_parameter("earlySuccessCriteria are only supported with the ROLLING strategy.")
    if not criteria["enable"]:
        return
    if criteria.get("healthyPercent") is None or not criteria.get("sourceServiceRevisionCleanup"):
        raise invalid_parameter(
            "healthyPercent and sourceServiceRevisionCleanup must be specified when early success criteria "
            "are enabled."
        )
    if not 0 <= criteria["healthyPercent"] <= 100:
        raise invalid_parameter("healthyPercent must be between 0 and 100.")
    if criteria["healthyPercent"] < configuration.get("minimumHealthyPercent", 0):
        raise invalid_parameter("healthyPercent must be greater than or equal to minimumHealthyPercent.")
