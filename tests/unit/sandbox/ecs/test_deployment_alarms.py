"""Deployment alarms, the circuit breaker's thresholds and early success: deployments that end early."""

from __future__ import annotations

from typing import Any

import pytest
from native_world import BLUE_GREEN

ALARMS = {"alarms": {"alarmNames": ["errors", "latency"], "enable": True, "rollback": True}}
KEEP = {"alarms": {"alarmNames": ["errors"], "enable": True, "rollback": False}}


def put(native: Any, name: str, state: str = "OK") -> None:
    """Make an alarm in a state that its evaluation does not change soon."""
    native.cloudwatch(
        "PutMetricAlarm",
        AlarmName=name,
        Namespace="x",
        MetricName="m",
        Statistic="Sum",
        Period=86400,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    go(native, name, state)


def go(native: Any, name: str, state: str) -> None:
    """Move an alarm."""
    native.cloudwatch("SetAlarmState", AlarmName=name, StateValue=state, StateReason="test")


@pytest.mark.parametrize(
    "configuration", [{"strategy": "ROLLING"}, BLUE_GREEN], ids=["rolling", "blue-green"]
)
def test_an_alarm_rolls_the_deployment_back(native: Any, configuration: Any) -> None:
    """TRIGGERED with the alarm's name, ROLLBACK_SUCCESSFUL, the old definition runs."""
    put(native, "errors")
    native.create(configuration)
    arn = native.update(deploymentConfiguration=configuration | ALARMS)
    native.run(0.5)
    assert native.deployment(arn)["alarms"] == {
        "status": "MONITORING",
        "alarmNames": ["errors", "latency"],
        "triggeredAlarmNames": [],
    }
    go(native, "errors", "ALARM")
    shown = native.until_ended(arn)
    assert shown["status"] == "ROLLBACK_SUCCESSFUL"
    assert shown["alarms"]["status"] == "TRIGGERED"
    assert shown["alarms"]["triggeredAlarmNames"] == ["errors"]
    assert "alarm detected" in shown["statusReason"]
    assert native.service()["taskDefinition"].endswith(":1")
    assert native.weights()["blue"] >= 1
    assert any("deployment failed: alarm detected." in text for text in native.messages())


def test_an_alarm_in_the_bake_gives_the_traffic_back(native: Any) -> None:
    """After the shift the old revision still runs: its traffic is back at once."""
    put(native, "errors")
    native.create(BLUE_GREEN)
    arn = native.update(deploymentConfiguration=BLUE_GREEN | ALARMS)
    native.until_stage("BAKE_TIME")
    go(native, "errors", "ALARM")
    native.run(0.01)
    assert native.weights() == {"blue": 100, "green": 0}
    assert native.statuses() == {200}
    assert native.until_ended(arn)["status"] == "ROLLBACK_SUCCESSFUL"


def test_without_rollback_the_deployment_only_fails(native: Any) -> None:
    """STOPPED; in the bake the new revision keeps the traffic it has, and both keep their tasks."""
    put(native, "errors")
    native.create(BLUE_GREEN)
    arn = native.update(deploymentConfiguration=BLUE_GREEN | KEEP)
    native.until_stage("BAKE_TIME")
    go(native, "errors", "ALARM")
    shown = native.until_ended(arn)
    assert shown["status"] == "STOPPED"
    assert shown["stoppedAt"]
    assert native.service()["deployments"][0]["rolloutState"] == "FAILED"
    native.run(60)
    assert native.weights() == {"blue": 0, "green": 100}
    assert (native.targets(native.blue), native.targets(native.green)) == (2, 2)
    assert native.until_ended(native.update("app:3"))["status"] == "SUCCESSFUL"
    assert native.statuses() == {200}


@pytest.mark.parametrize(
    "configuration", [{"strategy": "ROLLING"}, BLUE_GREEN], ids=["rolling", "blue-green"]
)
def test_alarms_that_rang_before_are_not_used(native: Any, configuration: Any) -> None:
    """One in ALARM at the start: no alarm counts for this deployment, its status is DISABLED."""
    put(native, "errors", "ALARM")
    put(native, "latency")
    native.create(configuration)
    arn = native.update(deploymentConfiguration=configuration | ALARMS)
    assert native.deployment(arn)["alarms"]["status"] == "DISABLED"
    native.run(1)
    go(native, "latency", "ALARM")
    assert native.until_ended(arn)["status"] == "SUCCESSFUL"


def test_alarms_of_others_and_unknown_ones_do_not_matter(native: Any) -> None:
    """An alarm that the deployment does not name, and names that no alarm has."""
    put(native, "others")
    native.create(BLUE_GREEN)
    arn = native.update(deploymentConfiguration=BLUE_GREEN | ALARMS)
    native.run(1)
    go(native, "others", "ALARM")
    shown = native.until_ended(arn)
    assert (shown["status"], shown["alarms"]["status"]) == ("SUCCESSFUL", "MONITORING_COMPLETE")
    assert shown["alarms"]["triggeredAlarmNames"] == []


def test_a_rolling_deployment_is_watched_after_its_last_old_task(native: Any) -> None:
    """With alarms it bakes before it completes; an alarm then still rolls it back."""
    put(native, "errors")
    native.create({"strategy": "ROLLING"})
    arn = native.update(deploymentConfiguration=ALARMS)
    native.until(lambda: len(native.service()["deployments"]) == 1)
    native.run(0.5)
    assert native.deployment(arn)["status"] == "IN_PROGRESS"
    go(native, "errors", "ALARM")
    assert native.until_ended(arn)["status"] == "ROLLBACK_SUCCESSFUL"


def test_switched_off_alarms_are_not_watched(native: Any) -> None:
    """With enable false: DISABLED, and an alarm changes nothing."""
    put(native, "errors")
    native.create(BLUE_GREEN)
    off = {"alarms": {"alarmNames": ["errors"], "enable": False, "rollback": True}}
    arn = native.update(deploymentConfiguration=BLUE_GREEN | off)
    native.run(1)
    go(native, "errors", "ALARM")
    shown = native.until_ended(arn)
    assert (shown["status"], shown["alarms"]["status"]) == ("SUCCESSFUL", "DISABLED")


THRESHOLDS = {
    "default": (2, {}, 3),
    "half-of-many": (20, {}, 10),
    "count": (2, {"thresholdConfiguration": {"type": "COUNT", "value": 1}}, 1),
    "bounded-below": (4, {"thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 25}}, 3),
    "unbounded": (4, {"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 25}}, 1),
    "beyond-all": (4, {"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 300}}, 12),
}


@pytest.mark.parametrize("case", THRESHOLDS)
def test_the_breaker_opens_at_its_threshold(native: Any, case: str) -> None:
    """It is as DescribeServiceDeployments tells it; that many failed tasks fail the deployment."""
    count, more, threshold = THRESHOLDS[case]
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False} | more}
    native.ecs("CreateService", **(native.request(breaker) | {"desiredCount": count}))
    assert native.deployment()["deploymentCircuitBreaker"]["threshold"] == threshold
    ecs = native.world.services["ecs"]
    while native.deployment()["status"] in {"PENDING", "IN_PROGRESS"}:
        for arn in native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"]:
            ecs.crash_task(arn)
        native.run(0.02)
    shown = native.deployment()["deploymentCircuitBreaker"]
    assert shown["status"] == "TRIGGERED"
    assert shown["failureCount"] >= threshold


@pytest.mark.parametrize(("reset", "count"), [(True, 0), (False, 1)], ids=["resets", "adds-up"])
def test_a_healthy_task_resets_the_count_where_it_shall(native: Any, reset: bool, count: int) -> None:  # noqa: FBT001
    """resetOnHealthyTask, true by default (botocore, DeploymentCircuitBreaker)."""
    breaker = {"enable": True, "rollback": False, "resetOnHealthyTask": reset}
    request = native.request({"deploymentCircuitBreaker": breaker}) | {"desiredCount": 1}
    native.ecs("CreateService", **request)
    ecs = native.world.services["ecs"]
    tasks = native.ecs

    def crashed() -> bool:
        arns = tasks("ListTasks", cluster="main", serviceName="web")["taskArns"]
        return any(ecs.crash_task(arn) for arn in arns)

    native.until(crashed, step=0.02)
    assert native.deployment()["deploymentCircuitBreaker"]["failureCount"] == 1
    native.until(lambda: native.deployment()["status"] == "SUCCESSFUL")
    assert native.deployment()["deploymentCircuitBreaker"]["failureCount"] == count


@pytest.mark.parametrize(("cleanup", "left"), [("BLOCKING", 0), ("DEFERRED", 3)])
def test_early_success_does_not_wait_for_all_tasks(native: Any, cleanup: str, left: int) -> None:
    """SUCCESSFUL at healthyPercent; BLOCKING waits for the old tasks to go, DEFERRED does not."""
    criteria = {"enable": True, "healthyPercent": 50, "sourceServiceRevisionCleanup": cleanup}
    early = {"earlySuccessCriteria": criteria, "minimumHealthyPercent": 50, "maximumPercent": 125}
    native.ecs("CreateService", **(native.request({}) | {"desiredCount": 4}))
    native.until(lambda: native.deployment()["status"] == "SUCCESSFUL")
    old = set(native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"])
    native.until_ended(native.update(deploymentConfiguration=early))
    now = set(native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"])
    assert len(old & now) <= left
    native.until(lambda: native.service()["runningCount"] == 4)
    native.until(lambda: native.messages()[-1].endswith("has reached a steady state."))
    assert not old & set(native.ecs("ListTasks", cluster="main", serviceName="web")["taskArns"])
