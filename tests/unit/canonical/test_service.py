"""Canonical forms of ECS services, and the differences that a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.plan.canonical import FieldDiff, canonical_service, diff
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.estate import SUBNET_IDS
from sluice_sandbox.aws.world import World

Json = dict[str, Any]
NETWORK = {"awsvpcConfiguration": {"subnets": ["b", "a"], "securityGroups": ["sg-1"]}}


def _vpc(**members: Any) -> Json:
    return {"networkConfiguration": {"awsvpcConfiguration": NETWORK["awsvpcConfiguration"] | members}}


EQUAL: dict[str, tuple[Json, Json]] = {
    "order of subnets": (
        {"networkConfiguration": NETWORK},
        {
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": ["a", "b"], "securityGroups": ["sg-1"]}
            }
        },
    ),
    "public address": (
        {"networkConfiguration": NETWORK},
        {
            "networkConfiguration": {
                "awsvpcConfiguration": NETWORK["awsvpcConfiguration"] | {"assignPublicIp": "DISABLED"}
            }
        },
    ),
    "platform version": ({}, {"platformVersion": "LATEST"}),
    "flags": ({}, {"enableExecuteCommand": False, "enableECSManagedTags": False, "propagateTags": "NONE"}),
    "no service connect": ({}, {"serviceConnectConfiguration": {"enabled": False}}),
    "grace": ({}, {"healthCheckGracePeriodSeconds": 0}),
    "empty": ({}, {"loadBalancers": [], "placementStrategy": [], "serviceRegistries": None}),
    "provider weights": (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 0, "base": 0}]},
    ),
    "deployment configuration": (
        {"deploymentConfiguration": {"maximumPercent": 200}},
        {
            "deploymentConfiguration": {
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
                "strategy": "ROLLING",
                "bakeTimeInMinutes": 0,
                "alarms": {"alarmNames": [], "enable": False, "rollback": False},
                "deploymentCircuitBreaker": {"enable": False, "rollback": False, "resetOnHealthyTask": True},
            }
        },
    ),
    "what describe tells in the deployment": (
        {"volumeConfigurations": [{"name": "a"}]},
        {"deployments": [{"status": "PRIMARY", "volumeConfigurations": [{"name": "a"}]}]},
    ),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_services_that_mean_the_same_have_one_form(one: Json, other: Json) -> None:
    """What AWS fills in or reorders is no drift."""
    assert canonical_service(one) == canonical_service(other)


def test_the_order_of_a_placement_strategy_counts() -> None:
    """ECS applies the strategies one after the other."""
    spread, pack = {"type": "spread", "field": "a"}, {"type": "binpack", "field": "cpu"}
    assert canonical_service({"placementStrategy": [spread, pack]}) != canonical_service(
        {"placementStrategy": [pack, spread]}
    )


def test_a_count_that_nobody_asked_for_is_no_difference() -> None:
    """DesiredCount belongs to an autoscaler when the spec leaves it out."""
    assert diff(canonical_service({}), canonical_service({"desiredCount": 7})) == ()
    assert diff(canonical_service({"desiredCount": 3}), canonical_service({"desiredCount": 7})) == (
        FieldDiff("desiredCount", 3, 7),
    )


def test_a_removed_member_below_the_top_is_a_difference() -> None:
    """A security group that somebody added by hand is told at its path."""
    seen = canonical_service(_vpc(securityGroups=["sg-1", "sg-2"]))
    (found,) = diff(canonical_service({"networkConfiguration": NETWORK}), seen)
    assert found.path == "networkConfiguration.awsvpcConfiguration.securityGroups"


def test_what_ecs_describes_is_what_was_created() -> None:
    """A service that was just created with everything said differs in nothing from its request."""
    world = World.build(clock=VirtualClock())
    world.call("ecs", "CreateCluster", {"clusterName": "c"})
    definition = {
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "nginx"}],
    }
    arn = world.call("ecs", "RegisterTaskDefinition", definition)["taskDefinition"]["taskDefinitionArn"]
    request = {
        "cluster": "c",
        "serviceName": "web",
        "taskDefinition": arn,
        "desiredCount": 2,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": list(SUBNET_IDS)}},
        "deploymentConfiguration": {
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
        "propagateTags": "SERVICE",
        "availabilityZoneRebalancing": "ENABLED",
    }
    world.call("ecs", "CreateService", request)
    (described,) = world.call("ecs", "DescribeServices", {"cluster": "c", "services": ["web"]})["services"]
    assert diff(canonical_service(request), canonical_service(described)) == ()
