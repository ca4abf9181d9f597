"""State-change events of deployments and services: which are sent, and what is in them."""

from __future__ import annotations

from typing import Any

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def actions(ecs: Any) -> list[str]:
    """Return the eventNames of service actions so far."""
    return [detail["eventName"] for kind, detail in ecs.emitter.events if kind == "ECS Service Action"]


def changes(ecs: Any) -> list[dict[str, Any]]:
    """Return the deployment state changes so far."""
    return [detail for kind, detail in ecs.emitter.events if kind == "ECS Deployment State Change"]


def test_a_deployment_is_told_by_both_kinds_of_events(ecs: Any) -> None:
    """IN_PROGRESS and COMPLETED as deployment state changes and as service actions, then steady."""
    ecs.create()
    ecs.until(ecs.completed)
    told = [(item["eventName"], item["eventType"]) for item in changes(ecs)]
    assert told == [("SERVICE_DEPLOYMENT_IN_PROGRESS", "INFO"), ("SERVICE_DEPLOYMENT_COMPLETED", "INFO")]
    deployment = ecs.describe()["deployments"][0]["id"]
    assert {item["deploymentId"] for item in changes(ecs)} == {deployment}
    assert changes(ecs)[0]["reason"] == f"ECS deployment {deployment} in progress."
    assert changes(ecs)[1]["reason"] == f"ECS deployment {deployment} completed."
    assert all(
        set(item) == {"eventType", "eventName", "deploymentId", "updatedAt", "reason"}
        for item in changes(ecs)
    )
    assert actions(ecs) == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
        "SERVICE_STEADY_STATE",
    ]


def test_a_failed_deployment_is_an_error_and_its_rollback_a_deployment(ecs: Any) -> None:
    """FAILED as ERROR with the breaker's reason; the rollback's IN_PROGRESS names where it goes."""
    ecs.create(deploymentConfiguration=BREAKER)
    ecs.until(ecs.completed)
    good = ecs.describe()["deployments"][0]["id"]
    ecs.register(container={"image": "exit:1"})
    ecs.call("UpdateService", cluster="main", service="web", taskDefinition="web:2")
    ecs.until(lambda: ecs.completed() and ecs.describe()["taskDefinition"].endswith(":1"))
    told = [item["eventName"].removeprefix("SERVICE_DEPLOYMENT_") for item in changes(ecs)]
    assert told == ["IN_PROGRESS", "COMPLETED", "IN_PROGRESS", "FAILED", "IN_PROGRESS", "COMPLETED"]
    failed, back = changes(ecs)[3:5]
    assert failed["eventType"] == "ERROR"
    assert failed["reason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert back["reason"].endswith(f"rolling back to deploymentId {good}.")


def test_stopping_and_not_placing_tasks_are_service_actions(ecs: Any) -> None:
    """TASKS_STOPPED when the scheduler stops some; SERVICE_TASK_PLACEMENT_FAILURE names what lacks."""
    ecs.create()
    ecs.until(ecs.completed)
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=1)
    ecs.until(ecs.completed)
    assert "TASKS_STOPPED" in actions(ecs)
    ecs.service.limit_capacity("FARGATE", reason="Capacity is unavailable at this time")
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=2)
    ecs.until(lambda: "SERVICE_TASK_PLACEMENT_FAILURE" in actions(ecs))
    told = next(d for _, d in ecs.emitter.events if d.get("eventName") == "SERVICE_TASK_PLACEMENT_FAILURE")
    assert (told["eventType"], told["reason"]) == ("ERROR", "RESOURCE:FARGATE")


def test_a_missing_role_is_a_configuration_failure(ecs: Any) -> None:
    """A task whose role is gone cannot be started: SERVICE_TASK_CONFIGURATION_FAILURE."""
    ecs.register(taskRoleArn="arn:aws:iam::111122223333:role/known")
    ecs.create(taskDefinition="web:2")
    ecs.until(ecs.completed)
    ecs.service.state.scope(ecs.caller).families["web"].revisions[2].spec["taskRoleArn"] = (
        "arn:aws:iam::111122223333:role/gone"
    )
    ecs.call("UpdateService", cluster="main", service="web", desiredCount=3)
    ecs.until(lambda: "SERVICE_TASK_CONFIGURATION_FAILURE" in actions(ecs))


def test_capacity_providers_become_steady_too(ecs: Any) -> None:
    """CAPACITY_PROVIDER_STEADY_STATE with the providers' ARNs."""
    providers = ["FARGATE", "FARGATE_SPOT"]
    ecs.call(
        "PutClusterCapacityProviders",
        cluster="main",
        capacityProviders=providers,
        defaultCapacityProviderStrategy=[],
    )
    strategy = [{"capacityProvider": name, "weight": 1} for name in providers]
    ecs.create(launchType=None, capacityProviderStrategy=strategy)
    ecs.until(ecs.completed)
    told = next(d for _, d in ecs.emitter.events if d.get("eventName") == "CAPACITY_PROVIDER_STEADY_STATE")
    assert [arn.rsplit("/", 1)[1] for arn in told["capacityProviderArns"]] == providers


def test_task_events_have_a_rising_version(ecs: Any) -> None:
    """Each change of a task raises detail.version, by which consumers drop what is old (developer guide)."""
    ecs.create(desiredCount=1)
    ecs.until(ecs.completed)
    told = [detail for kind, detail in ecs.emitter.events if kind == "ECS Task State Change"]
    assert [item["version"] for item in told] == sorted({item["version"] for item in told})
    needed = {"taskArn", "clusterArn", "lastStatus", "desiredStatus", "group", "startedBy", "containers"}
    assert all(needed <= set(item) and item["updatedAt"].endswith("Z") for item in told)
