"""Task sets of the EXTERNAL controller: counts, stability, the primary one."""

from __future__ import annotations

from typing import Any

import pytest

from fidelity.outsider import Outsider, fresh, refused, until


@pytest.fixture
def external(aws: Outsider) -> str:
    """Create a service of the EXTERNAL controller; answer its name."""
    name: str = aws.ecs.create_service(
        cluster=aws.cluster,
        serviceName=fresh("ext"),
        desiredCount=4,
        deploymentController={"type": "EXTERNAL"},
    )["service"]["serviceName"]
    return name


def task_set(aws: Outsider, service: str, **members: Any) -> dict[str, Any]:
    """Create a task set."""
    wish = {
        "cluster": aws.cluster,
        "service": service,
        "taskDefinition": aws.plain,
        "launchType": "FARGATE",
        "networkConfiguration": aws.network,
        "scale": {"value": 50.0, "unit": "PERCENT"},
    } | members
    made: dict[str, Any] = aws.ecs.create_task_set(**wish)["taskSet"]
    return made


def set_of(aws: Outsider, service: str, made: dict[str, Any]) -> dict[str, Any]:
    """Describe a task set."""
    found: dict[str, Any] = aws.ecs.describe_task_sets(
        cluster=aws.cluster, service=service, taskSets=[made["id"]]
    )["taskSets"][0]
    return found


def test_task_set_runs_its_share(aws: Outsider, external: str) -> None:
    """A set computes its count from its scale, is STABILIZING, then STEADY_STATE with its tasks running."""
    made = task_set(aws, external, externalId="blue")
    assert made["id"].startswith("ecs-svc/")
    assert made["status"] == "ACTIVE"
    assert made["externalId"] == "blue"
    assert made["computedDesiredCount"] == 2
    assert made["stabilityStatus"] == "STABILIZING"
    assert (made["runningCount"], made["scale"]) == (0, {"value": 50.0, "unit": "PERCENT"})
    done = until(
        lambda: set_of(aws, external, made), lambda found: found["stabilityStatus"] == "STEADY_STATE"
    )
    assert (done["runningCount"], done["pendingCount"]) == (2, 0)
    assert aws.described(external)["taskSets"][0]["id"] == made["id"]
    aws.ecs.delete_service(cluster=aws.cluster, service=external, force=True)


def test_task_set_scales(aws: Outsider, external: str) -> None:
    """Another scale starts and stops tasks."""
    made = task_set(aws, external, scale={"value": 25.0, "unit": "PERCENT"})
    until(lambda: set_of(aws, external, made)["runningCount"] == 1)
    updated = aws.ecs.update_task_set(
        cluster=aws.cluster, service=external, taskSet=made["id"], scale={"value": 75.0, "unit": "PERCENT"}
    )["taskSet"]
    assert updated["computedDesiredCount"] == 3
    assert updated["stabilityStatus"] == "STABILIZING"
    until(lambda: set_of(aws, external, made)["runningCount"] == 3)
    aws.ecs.delete_service(cluster=aws.cluster, service=external, force=True)


def test_primary_task_set(aws: Outsider, external: str) -> None:
    """The primary set is told; the service takes its definition; there is one."""
    first, second = task_set(aws, external), task_set(aws, external)
    update = aws.ecs.update_service_primary_task_set
    assert (
        update(cluster=aws.cluster, service=external, primaryTaskSet=first["id"])["taskSet"]["status"]
        == "PRIMARY"
    )
    update(cluster=aws.cluster, service=external, primaryTaskSet=second["id"])
    assert set_of(aws, external, first)["status"] == "ACTIVE"
    assert set_of(aws, external, second)["status"] == "PRIMARY"
    aws.ecs.delete_service(cluster=aws.cluster, service=external, force=True)


def test_task_set_with_tasks_is_deleted_by_force(aws: Outsider, external: str) -> None:
    """A set that isn't scaled to 0 wants force; afterwards it is DRAINING and gone."""
    made = task_set(aws, external)
    until(lambda: set_of(aws, external, made)["runningCount"] == 2)
    with refused("InvalidParameterException"):
        aws.ecs.delete_task_set(cluster=aws.cluster, service=external, taskSet=made["id"])
    gone = aws.ecs.delete_task_set(cluster=aws.cluster, service=external, taskSet=made["id"], force=True)[
        "taskSet"
    ]
    assert gone["status"] == "DRAINING"
    until(lambda: aws.described(external)["taskSets"] == [])
    aws.ecs.delete_service(cluster=aws.cluster, service=external, force=True)


def test_task_set_of_the_ecs_controller_is_refused(aws: Outsider) -> None:
    """Task sets belong to services of the EXTERNAL controller."""
    name = aws.service()["serviceName"]
    with refused("InvalidParameterException", "UnsupportedFeatureException", "ClientException"):
        task_set(aws, name)


def test_unknown_task_set(aws: Outsider, external: str) -> None:
    """A set that isn't there is TaskSetNotFoundException."""
    with refused("TaskSetNotFoundException"):
        aws.ecs.update_task_set(
            cluster=aws.cluster,
            service=external,
            taskSet="ecs-svc/0000000000000000000",
            scale={"value": 1.0, "unit": "PERCENT"},
        )


def test_task_set_scale_has_a_range(aws: Outsider, external: str) -> None:
    """A scale is between 0 and 100 percent."""
    with refused("InvalidParameterException"):
        task_set(aws, external, scale={"value": 101.0, "unit": "PERCENT"})
