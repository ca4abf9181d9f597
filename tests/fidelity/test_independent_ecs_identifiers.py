"""Names, short and long ARNs, and what each operation says of a cluster that does not exist.

From the second independent list (November 2026), written without a look at the stand-in or the first list.
"""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused

TASK = "a" * 32
SET = "ecs-svc/1234567890123456789"
ATTRIBUTE = {"name": "a", "targetType": "container-instance", "targetId": TASK}

OF_A_CLUSTER: dict[str, dict[str, Any]] = {
    "describe_services": {"services": ["x"]},
    "list_services": {},
    "create_service": {"serviceName": "x", "taskDefinition": "y", "desiredCount": 1},
    "update_service": {"service": "x"},
    "delete_service": {"service": "x"},
    "list_service_deployments": {"service": "x"},
    "list_tasks": {},
    "run_task": {"taskDefinition": "$plain", "launchType": "FARGATE"},
    "start_task": {"taskDefinition": "$plain", "containerInstances": [TASK]},
    "stop_task": {"task": TASK},
    "describe_tasks": {"tasks": [TASK]},
    "execute_command": {"task": TASK, "command": "ls", "interactive": True},
    "get_task_protection": {"tasks": [TASK]},
    "update_task_protection": {"tasks": [TASK], "protectionEnabled": True},
    "create_task_set": {"service": "x", "taskDefinition": "$plain"},
    "describe_task_sets": {"service": "x"},
    "update_task_set": {"service": "x", "taskSet": SET, "scale": {"value": 1, "unit": "PERCENT"}},
    "update_service_primary_task_set": {"service": "x", "primaryTaskSet": SET},
    "delete_task_set": {"service": "x", "taskSet": SET},
    "update_cluster": {},
    "update_cluster_settings": {"settings": [{"name": "containerInsights", "value": "enabled"}]},
    "put_cluster_capacity_providers": {"capacityProviders": [], "defaultCapacityProviderStrategy": []},
    "delete_cluster": {},
    "list_container_instances": {},
    "describe_container_instances": {"containerInstances": [TASK]},
    "deregister_container_instance": {"containerInstance": TASK},
    "update_container_instances_state": {"containerInstances": [TASK], "status": "DRAINING"},
    "update_container_agent": {"containerInstance": TASK},
    "put_attributes": {"attributes": [ATTRIBUTE]},
    "delete_attributes": {"attributes": [ATTRIBUTE]},
    "list_attributes": {"targetType": "container-instance"},
}


@pytest.mark.parametrize("operation", OF_A_CLUSTER)
def test_an_unknown_cluster_is_told_by_every_operation(aws: Outsider, operation: str) -> None:
    """ClusterNotFoundException: Cluster not found."""
    wish = {key: aws.plain if value == "$plain" else value for key, value in OF_A_CLUSTER[operation].items()}
    with refused("ClusterNotFoundException", says="Cluster not found."):
        getattr(aws.ecs, operation)(cluster="no-such-cluster", **wish)


OF_A_SERVICE = {
    "update_service": "service",
    "delete_service": "service",
    "create_task_set": "service",
    "describe_task_sets": "service",
    "list_tasks": "serviceName",
    "list_service_deployments": "service",
}


@pytest.mark.parametrize("operation", OF_A_SERVICE)
def test_an_unknown_service_is_told_by_every_operation(aws: Outsider, operation: str) -> None:
    """ServiceNotFoundException."""
    wish = {OF_A_SERVICE[operation]: "no-such-service"}
    if operation == "create_task_set":
        wish["taskDefinition"] = aws.plain
    with refused("ServiceNotFoundException"):
        getattr(aws.ecs, operation)(cluster=aws.cluster, **wish)


@pytest.mark.parametrize("operation", ["describe", "update", "delete", "list tasks"])
def test_a_services_arn_is_of_the_calls_cluster(aws: Outsider, operation: str) -> None:
    """A long ARN of another cluster's service is refused, not missing (aws/aws-toolkit-vscode#2915)."""
    other = aws.ecs.create_cluster(clusterName=fresh("other"))["cluster"]["clusterName"]
    arn = aws.service()["serviceArn"]
    calls = {
        "describe": lambda: aws.ecs.describe_services(cluster=other, services=[arn]),
        "update": lambda: aws.ecs.update_service(cluster=other, service=arn, desiredCount=0),
        "delete": lambda: aws.ecs.delete_service(cluster=other, service=arn),
        "list tasks": lambda: aws.ecs.list_tasks(cluster=other, serviceName=arn),
    }
    says = f"Identifier is for cluster {aws.cluster}. Your cluster is {other}"
    with refused("InvalidParameterException", says=says):
        calls[operation]()


@pytest.mark.parametrize("operation", ["describe_tasks", "stop_task", "get_task_protection"])
def test_a_tasks_arn_is_of_the_calls_cluster(aws: Outsider, operation: str) -> None:
    """The same for tasks, known or not."""
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/elsewhere/{TASK}"
    wish: dict[str, Any] = {"task": arn} if operation == "stop_task" else {"tasks": [arn]}
    with refused("InvalidParameterException", says="Identifier is for cluster elsewhere."):
        getattr(aws.ecs, operation)(cluster=aws.cluster, **wish)


def test_a_short_arn_finds_the_service_of_the_calls_cluster(aws: Outsider) -> None:
    """ARNs of the old format, without the cluster, are accepted; the answer has the new one."""
    made = aws.service()
    short = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{made['serviceName']}"
    answer = aws.ecs.describe_services(cluster=aws.cluster, services=[short])
    assert [found["serviceArn"] for found in answer["services"]] == [made["serviceArn"]]
    assert answer["failures"] == []


def test_a_cluster_is_named_by_its_arn_too(aws: Outsider) -> None:
    """Name and ARN mean the same cluster."""
    made = aws.service()
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{aws.cluster}"
    answer = aws.ecs.describe_services(cluster=arn, services=[made["serviceName"], "ghost"])
    assert [found["serviceArn"] for found in answer["services"]] == [made["serviceArn"]]
    ghost = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{aws.cluster}/ghost"
    assert answer["failures"] == [{"arn": ghost, "reason": "MISSING"}]


@pytest.mark.parametrize("kind", ["service-deployment", "service-revision"])
def test_deployments_and_revisions_have_arns_only(aws: Outsider, kind: str) -> None:
    """A plain name is refused, an unknown ARN is a failure MISSING, more than 20 are refused."""
    operation = getattr(aws.ecs, f"describe_{kind.replace('-', '_')}s")
    member = "serviceDeploymentArns" if kind == "service-deployment" else "serviceRevisionArns"
    ghost = f"arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{aws.cluster}/ghost/1234567890123456789"
    assert operation(**{member: [ghost]})["failures"] == [{"arn": ghost, "reason": "MISSING"}]
    for wrong in (["ghost"], [], [f"{ghost}{number}" for number in range(21)]):
        with refused("InvalidParameterException"):
            operation(**{member: wrong})
