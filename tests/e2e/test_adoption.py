"""A service made by hand is adopted while clients talk to it: no new task, no refused request."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def body(desk: Desk, image: str) -> dict[str, Any]:
    """Return RegisterTaskDefinition's parameters without the family."""
    container = {"name": "web", "image": f"{REPOSITORY}:{image}", "essential": True}
    return {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": desk.aws.estate["roles"]["execution"],
        "containerDefinitions": [container | {"portMappings": [{"name": "http", "containerPort": 8080}]}],
    }


def made_by_hand(desk: Desk, *, priority: int) -> tuple[str, str]:
    """Make service, target group and rule with boto3; return the ARNs of service and rule.

    The rule goes before every one that the operator makes.
    """
    estate, name = desk.aws.estate, desk.namespace
    group = desk.aws.elb.create_target_group(
        Name=name[:32].strip("-"),
        Protocol="HTTP",
        Port=8080,
        VpcId=estate["vpcId"],
        TargetType="ip",
        HealthCheckPath="/healthz",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    rule = desk.aws.elb.create_rule(
        ListenerArn=desk.aws.listener(80),
        Priority=priority,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [desk.host]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Rules"][0]["RuleArn"]
    definition = desk.aws.ecs.register_task_definition(family=name, **body(desk, "1.0.0"))
    service = desk.aws.ecs.create_service(
        cluster=desk.aws.cluster,
        serviceName=name,
        taskDefinition=definition["taskDefinition"]["taskDefinitionArn"],
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": estate["subnetIds"],
                "securityGroups": estate["securityGroupIds"],
            }
        },
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
    )["service"]["serviceArn"]

    def healthy() -> int:
        found = desk.aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [entry["TargetHealth"]["State"] for entry in found].count("healthy")

    until(lambda: healthy() == 2, "both targets are healthy")
    return service, rule


def adopter(desk: Desk, arn: str, image: str = "1.0.0", **spec: Any) -> dict[str, Any]:
    """Return the Deployment that says what was made by hand, and adopts it."""
    obj = desk.deployment(
        adopt={"serviceArn": arn},
        taskDefinition=body(desk, image),
        ecs={"targetGroups": [{"port": "http", "deregistrationDelaySeconds": 5}]},
        **spec,
    )
    del obj["spec"]["template"], obj["spec"]["selector"]
    return obj


def test_adopted_under_load_and_handed_over(desk: Desk) -> None:
    """The same tasks serve throughout; the route takes the traffic over; the next image is a rollout."""
    arn, old_rule = made_by_hand(desk, priority=10)
    tasks = sorted(desk.aws.tasks(desk.namespace))
    with desk.load() as load:
        deployment, route = adopter(desk, arn), desk.route()
        desk.apply_and_wait(deployment, route)
        assert sorted(desk.aws.tasks(desk.namespace)) == tasks
        desk.aws.elb.delete_rule(RuleArn=old_rule)
        desk.apply_and_wait(adopter(desk, arn, "2.0.0"))
        load.wait_for_image(f"{REPOSITORY}:2.0.0")
    assert load.failures == {}
    (slot,) = desk.status(DEPLOYMENT)["slots"]
    assert (slot["serviceName"], slot["ordinal"]) == (desk.namespace, 0)
    (told,) = desk.events("ServiceAdopted")
    assert "the spec equals what runs" in told
    assert len(desk.aws.owned(desk.namespace)["target groups"]) == 1
    desk.delete(deployment, route)
    assert desk.aws.owned(desk.namespace) == {}


def test_retain_gives_it_back(desk: Desk) -> None:
    """`deletionPolicy: Retain` undoes an adoption: the tasks and the rule go on, without our tags."""
    arn, old_rule = made_by_hand(desk, priority=11)
    tasks = sorted(desk.aws.tasks(desk.namespace))
    deployment = adopter(desk, arn, deletionPolicy="Retain")
    desk.apply_and_wait(deployment)
    desk.delete(deployment)
    assert desk.aws.owned(desk.namespace) == {}
    assert sorted(desk.aws.tasks(desk.namespace)) == tasks
    desk.aws.elb.delete_rule(RuleArn=old_rule)
    desk.aws.ecs.delete_service(cluster=desk.aws.cluster, service=desk.namespace, force=True)
