"""Whatever people and tasks do to a service, once they leave it alone it converges."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

acts = st.lists(
    st.one_of(
        st.tuples(st.just("scale"), st.integers(0, 5)),
        st.tuples(st.just("deploy"), st.sampled_from(["app:2", "app:3", "exit:1"])),
        st.tuples(st.just("crash"), st.integers(0, 9)),
        st.tuples(st.just("stop"), st.integers(0, 9)),
        st.tuples(st.just("sicken"), st.integers(0, 9)),
        st.tuples(st.just("shortage"), st.booleans()),
        st.tuples(st.just("percents"), st.sampled_from([(100, 200), (50, 100), (0, 100), (100, 150)])),
        st.tuples(st.just("protect"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.floats(0.05, 5.0)),
    ),
    max_size=14,
)


def perform(ecs: Any, act: str, value: Any, sick: set[str]) -> None:
    """Do one thing to service `web`."""
    tasks = ecs.tasks()
    chosen = tasks[value % len(tasks)] if isinstance(value, int) and tasks else None
    if act == "wait":
        ecs.run(value)
    elif act == "scale":
        ecs.call("UpdateService", cluster="main", service="web", desiredCount=value)
    elif act == "deploy":
        arn = ecs.register(container={"image": value})
        ecs.call("UpdateService", cluster="main", service="web", taskDefinition=arn)
    elif act == "percents":
        low, high = value
        configuration = {"minimumHealthyPercent": low, "maximumPercent": high}
        ecs.call("UpdateService", cluster="main", service="web", deploymentConfiguration=configuration)
    elif act == "shortage":
        ecs.service.limit_capacity("FARGATE", reason="none" if value else None)
    elif chosen is not None and act == "crash":
        ecs.service.crash_task(chosen["taskArn"])
    elif chosen is not None and act == "stop":
        ecs.call("StopTask", cluster="main", task=chosen["taskArn"])
    elif chosen is not None and act == "sicken":
        sick.add(chosen["attachments"][0]["details"][-1]["value"])
    elif chosen is not None and act == "protect":
        ecs.call(
            "UpdateTaskProtection",
            cluster="main",
            tasks=[chosen["taskArn"]],
            protectionEnabled=True,
            expiresInMinutes=1,
        )


@given(story=acts)
@settings(max_examples=60, deadline=None)
def test_a_service_left_alone_converges(new_ecs: Any, story: list[tuple[str, Any]]) -> None:
    """One COMPLETED deployment, the desired tasks, each registered, no address twice, no watch left."""
    ecs = new_ecs()
    sick: set[str] = set()
    ecs.groups.sick = lambda ip: "unhealthy" if ip in sick else "healthy"
    ecs.groups.delay = 1.0
    ecs.call("CreateCluster", clusterName="main")
    ecs.register()
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.create(deploymentConfiguration=breaker)
    ecs.until(ecs.completed)
    for act, value in story:
        perform(ecs, act, value, sick)
    ecs.service.limit_capacity("FARGATE", reason=None)
    configuration = breaker | {"minimumHealthyPercent": 100, "maximumPercent": 200}
    ecs.call("UpdateService", cluster="main", service="web", deploymentConfiguration=configuration)
    (service,) = ecs.service.state.scope(ecs.caller).services.values()

    def failed() -> bool:
        return bool(service.deployments[0].rollout_state == "FAILED")

    def calm() -> bool:
        return service.steady and not ecs.service.scheduler.busy()

    ecs.until(lambda: calm() or failed(), within=400, step=1.0)
    if failed():  # a rollback whose tasks were shot down too: a person deploys again
        perform(ecs, "deploy", "app:9", sick)
        ecs.until(calm, within=400, step=1.0)
    assert ecs.completed()
    shown, tasks = ecs.describe(), ecs.tasks()
    assert {task["lastStatus"] for task in tasks} <= {"RUNNING"}
    assert len(tasks) == shown["desiredCount"] == shown["runningCount"]
    assert {task["taskDefinitionArn"] for task in tasks} <= {shown["taskDefinition"]}
    addresses = [task["attachments"][0]["details"][-1]["value"] for task in tasks]
    assert len(set(addresses)) == len(addresses)
    assert {ip for _, ip, _ in ecs.groups.registered} == set(addresses)
    assert set(ecs.runtime.running) == {task["taskArn"] for task in tasks}
