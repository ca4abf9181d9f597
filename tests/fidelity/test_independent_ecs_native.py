"""Blue/green by ECS itself: traffic, lifecycle stages, pauses and who may continue them."""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until
from fidelity.surroundings import slots


@pytest.fixture
def paused(aws: Outsider) -> dict[str, Any]:
    """Deploy a second revision blue/green with a pause after the traffic has moved; answer what waits."""
    family = fresh("green")
    first, second = (
        aws.register(family=family),
        aws.register(family=family, container={"image": "example.com/web:2"}),
    )
    entry = slots(aws)
    made = aws.service(
        taskDefinition=first,
        desiredCount=1,
        loadBalancers=[entry],
        deploymentConfiguration={
            "strategy": "BLUE_GREEN",
            "bakeTimeInMinutes": 0,
            "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_PRODUCTION_TRAFFIC_SHIFT"]}],
        },
    )
    name = made["serviceName"]
    until(
        lambda: _resume(aws, name),
        lambda found: found["status"] == "SUCCESSFUL",
    )
    aws.ecs.update_service(cluster=aws.cluster, service=name, taskDefinition=second)
    waiting = until(lambda: newest(aws, name), lambda found: bool(_waiting(found)))
    return {"service": made, "deployment": waiting, "first": first, "second": second, "entry": entry}


def newest(aws: Outsider, service: str) -> dict[str, Any]:
    """Describe the newest deployment of a service."""
    arn = aws.ecs.list_service_deployments(cluster=aws.cluster, service=service)["serviceDeployments"][0][
        "serviceDeploymentArn"
    ]
    found: dict[str, Any] = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])[
        "serviceDeployments"
    ][0]
    return found


def _waiting(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer the hooks that wait for an answer."""
    hooks = deployment.get("lifecycleHookDetails", [])
    return [hook for hook in hooks if hook.get("status") == "AWAITING_ACTION"]


def _resume(aws: Outsider, service: str) -> dict[str, Any]:
    """Continue whatever waits; answer the newest deployment."""
    found = newest(aws, service)
    for hook in _waiting(found):
        aws.ecs.continue_service_deployment(
            serviceDeploymentArn=found["serviceDeploymentArn"], hookId=hook["hookId"], action="CONTINUE"
        )
    return found


def weights(aws: Outsider, entry: dict[str, Any]) -> tuple[int, int]:
    """Answer the weights of the production rule: the service's first group, and its alternate one."""
    advanced = entry["advancedConfiguration"]
    rule = aws.elb.describe_rules(RuleArns=[advanced["productionListenerRule"]])["Rules"][0]
    by_group = {
        each["TargetGroupArn"]: each["Weight"]
        for each in rule["Actions"][-1]["ForwardConfig"]["TargetGroups"]
    }
    return by_group.get(entry["targetGroupArn"], 0), by_group.get(advanced["alternateTargetGroupArn"], 0)


def test_blue_green_shifts_pauses_and_continues(aws: Outsider, paused: dict[str, Any]) -> None:
    """While a pause waits, the new revision has the traffic and both run; continuing ends the old one."""
    deployment, name = paused["deployment"], paused["service"]["serviceName"]
    assert deployment["status"] == "IN_PROGRESS"
    assert deployment["lifecycleStage"] == "POST_PRODUCTION_TRAFFIC_SHIFT"
    shifted = weights(aws, paused["entry"])
    assert sorted(shifted) in ([0, 1], [0, 100])
    assert aws.described(name)["runningCount"] == 2
    (hook,) = _waiting(deployment)
    aws.ecs.continue_service_deployment(
        serviceDeploymentArn=deployment["serviceDeploymentArn"], hookId=hook["hookId"], action="CONTINUE"
    )
    until(lambda: newest(aws, name)["status"] == "SUCCESSFUL")
    until(lambda: aws.described(name)["runningCount"] == 1)
    assert aws.described(name)["taskDefinition"] == paused["second"]
    assert weights(aws, paused["entry"]) == shifted
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_rollback_of_a_pause_goes_back(aws: Outsider, paused: dict[str, Any]) -> None:
    """A pause answered with ROLLBACK gives the traffic back to the revision before."""
    deployment, name = paused["deployment"], paused["service"]["serviceName"]
    shifted = weights(aws, paused["entry"])
    (hook,) = _waiting(deployment)
    aws.ecs.continue_service_deployment(
        serviceDeploymentArn=deployment["serviceDeploymentArn"], hookId=hook["hookId"], action="ROLLBACK"
    )
    arn = deployment["serviceDeploymentArn"]
    until(
        lambda: aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0][
            "status"
        ],
        lambda status: status == "ROLLBACK_SUCCESSFUL",
    )
    assert weights(aws, paused["entry"]) == shifted[::-1]
    assert aws.described(name)["taskDefinition"] == paused["first"]
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_continue_an_unknown_deployment(aws: Outsider) -> None:
    """A deployment that doesn't exist can't be continued."""
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{aws.cluster}/none/{'a' * 21}"
    with refused("ServiceDeploymentNotFoundException"):
        aws.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="hook", action="CONTINUE")


def test_continue_an_unknown_hook(aws: Outsider) -> None:
    """A deployment without such a hook refuses to continue."""
    name = aws.service(desiredCount=0)["serviceName"]
    arn = newest(aws, name)["serviceDeploymentArn"]
    with refused("InvalidParameterException", "ClientException", "UnsupportedFeatureException"):
        aws.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="ghost", action="CONTINUE")
