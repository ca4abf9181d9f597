"""An ECS service that somebody made before Sluice came: behind a target group, a rule, and with its tasks."""

from __future__ import annotations

from typing import Any

from sim.universe import Universe
from sluice_sandbox.aws.estate import EXECUTION_ROLE, SECURITY_GROUP_ID, SUBNET_IDS, VPC_ID

NETWORK = {"awsvpcConfiguration": {"subnets": list(SUBNET_IDS), "securityGroups": [SECURITY_GROUP_ID]}}
BODY: dict[str, Any] = {
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": EXECUTION_ROLE,
    "containerDefinitions": [
        {
            "name": "app",
            "image": "web:1",
            "essential": True,
            "portMappings": [{"name": "http", "containerPort": 8080}],
            "environment": [{"name": "PASSPHRASE", "value": "swordfish"}],
        }
    ],
}


def make(universe: Universe, *, group: dict[str, Any] | None = None, **service: Any) -> str:
    """Make two tasks behind `/legacy`; return the service's ARN when all are there."""
    universe.aws("ecs", "RegisterTaskDefinition", family="legacy", **BODY)
    settings = {"Protocol": "HTTP", "Port": 8080, "VpcId": VPC_ID, "TargetType": "ip"} | (group or {})
    made = universe.aws(
        "elbv2", "CreateTargetGroup", Name="legacy-http", HealthCheckPath="/healthz", **settings
    )
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    universe.aws(
        "elbv2",
        "CreateRule",
        ListenerArn=universe.listeners[80],
        Priority=10,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/legacy"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    members = {
        "cluster": "sandbox",
        "serviceName": "legacy",
        "taskDefinition": "legacy",
        "desiredCount": 2,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        "loadBalancers": [{"targetGroupArn": arn, "containerName": "app", "containerPort": 8080}],
    }
    found = universe.aws("ecs", "CreateService", **(members | service))
    universe.run(60)
    return str(found["service"]["serviceArn"])


def adopter(arn: str, *, image: str = "web:1", name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return the Deployment that says what the service has, and adopts it."""
    (container,) = BODY["containerDefinitions"]
    ecs = {"cluster": "sandbox", "networkConfiguration": NETWORK} | spec.pop("ecs", {})
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": 2,
            "adopt": {"serviceArn": arn},
            "taskDefinition": BODY | {"containerDefinitions": [container | {"image": image}]},
            "ecs": ecs,
        }
        | spec,
    }


def tasks(universe: Universe) -> list[str]:
    """Return the ARNs of the tasks that run in the legacy service, sorted."""
    found = universe.aws("ecs", "ListTasks", cluster="sandbox", serviceName="legacy")
    return sorted(found["taskArns"])
