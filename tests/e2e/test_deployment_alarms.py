"""A CloudWatch alarm goes off while ECS replaces the tasks: ECS rolls back, and kubectl names the alarm."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def test_an_alarm_takes_a_deployment_back_and_is_named(desk: Desk) -> None:
    """Stalled/RolledBack with the alarm's name; clients end on the old image and nobody was refused."""
    alarm = f"{desk.namespace}-5xx"
    cloudwatch = desk.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="Shop",
        MetricName=alarm,
        Statistic="Sum",
        Period=86_400,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    alarms = {"alarmNames": [alarm], "enable": True, "rollback": True}
    strategy: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"alarms": alarms}}
    desk.apply_and_wait(desk.deployment(strategy=strategy), desk.route())
    assert desk.service()["deploymentConfiguration"]["alarms"] == alarms

    with desk.load() as load:
        desk.apply(desk.deployment(image="2.0.0", strategy=strategy))
        until(lambda: len(desk.service()["deployments"]) == 2, "ECS replaces the tasks")
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
        desk.wait_reason("RolledBack")
        until(lambda: len(desk.service()["deployments"]) == 1, "the old tasks are back alone")
    assert load.failures == {}
    assert f"CloudWatch alarm {alarm}" in desk.condition(DEPLOYMENT, kind="Stalled")["message"]
    with desk.load() as after:
        until(lambda: after.images, "requests are answered")
    assert set(after.images) == {f"{REPOSITORY}:1.0.0"}
    cloudwatch.close()
