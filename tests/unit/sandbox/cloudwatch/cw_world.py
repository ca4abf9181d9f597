"""One CloudWatch on a virtual clock, called as boto3 calls it, and the shortest way to say things."""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.cloudwatch.service import CloudWatchService
from sluice_sandbox.aws.emitter import RememberingEmitter
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.world import World

START = 1_800_000_000.0
"""A full minute (and hour, and day of the week: a Friday, 08:00 UTC)."""
NAMESPACE = "Shop"
ALARM = {
    "AlarmName": "high",
    "Namespace": NAMESPACE,
    "MetricName": "errors",
    "Statistic": "Average",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 50.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


class Topics:
    """SNS that only listens."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.sent: list[tuple[str, str, str]] = []

    def publish(self, caller: Caller, topic_arn: str, *, subject: str, message: str) -> None:
        """Remember a message."""
        self.sent.append((topic_arn, subject, message))


class CloudWatch:
    """The world under test."""

    def __init__(self) -> None:
        """Start on a full minute."""
        self.clock = VirtualClock(START)
        self.emitter = RememberingEmitter(self.clock)
        self.topics = Topics()
        self.service = CloudWatchService(self.clock, emitter=self.emitter, notifier=self.topics)
        self.world = World.of({"cloudwatch": self.service}, clock=self.clock)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make a call."""
        return self.world.call("cloudwatch", operation, params)

    def refusal(self, operation: str, **params: Any) -> AwsError:
        """Make a call that must be refused, and return how."""
        try:
            self.call(operation, **params)
        except AwsError as error:
            return error
        raise AssertionError(f"{operation} was accepted: {params}")

    def put(self, value: float, *, metric: str = "errors", at: float | None = None, **more: Any) -> None:
        """Put one sample, now unless `at` says when."""
        datum = {"MetricName": metric, "Value": value, **more}
        if at is not None:
            datum["Timestamp"] = at
        self.call("PutMetricData", Namespace=NAMESPACE, MetricData=[datum])

    def alarm(self, **changes: Any) -> None:
        """Put the usual alarm; a change to None leaves a member out."""
        params = {**ALARM, **changes}
        self.call("PutMetricAlarm", **{key: value for key, value in params.items() if value is not None})

    def shown(self, name: str = "high") -> dict[str, Any]:
        """Return an alarm as DescribeAlarms has it."""
        answer = self.call("DescribeAlarms", AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return (answer["MetricAlarms"] + answer["CompositeAlarms"])[0]

    def state(self, name: str = "high") -> str:
        """Return an alarm's state."""
        return str(self.shown(name)["StateValue"])

    def values(self, *queries: dict[str, Any], minutes: int = 10, **more: Any) -> dict[str, list[float]]:
        """Return the values of queries over the last minutes, oldest first, by id."""
        answer = self.call(
            "GetMetricData",
            MetricDataQueries=list(queries),
            StartTime=self.clock.now() - minutes * 60,
            EndTime=self.clock.now() + 60,
            ScanBy="TimestampAscending",
            **more,
        )
        return {item["Id"]: item["Values"] for item in answer["MetricDataResults"]}


def stat(metric: str, stat: str = "Sum", *, id: str = "", period: int = 60, **more: Any) -> dict[str, Any]:  # noqa: A002
    """Return a query of a metric; its id is its name unless another is given."""
    return {
        "Id": id or metric,
        "MetricStat": {
            "Metric": {"Namespace": NAMESPACE, "MetricName": metric},
            "Period": period,
            "Stat": stat,
        },
        **more,
    }
