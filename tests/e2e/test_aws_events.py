"""ECS's own events through EventBridge and SQS: seen at once while drift is looked for every ten minutes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from aws_events_template import event_pattern
from e2e.desk import Desk
from e2e.operator_process import Operator
from e2e.waiting import until

pytestmark = pytest.mark.e2e
SLOW = "10m"
AT_ONCE_S = 1.0
"""From the person's call to the operator's look; measured 0.2 s on two busy cores."""


class Queue:
    """A queue's name, the queue itself, and the rule that feeds it, made as docs/aws-events.md says."""

    def __init__(self, desk: Desk) -> None:
        """Learn its URL; there is no queue yet."""
        self._name = desk.namespace
        self._sqs, self._events = desk.aws.client("sqs"), desk.aws.client("events")
        self.url = str(self._sqs.create_queue(QueueName=self._name)["QueueUrl"])
        self._sqs.delete_queue(QueueUrl=self.url)

    def make(self) -> None:
        """Make the queue and let EventBridge feed it."""
        self._sqs.create_queue(QueueName=self._name)
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self._events.put_rule(Name=self._name, EventPattern=json.dumps(event_pattern()))
        target = {"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}
        self._events.put_targets(Rule=self._name, Targets=[target])

    def send(self, body: str) -> None:
        """Send a message as anybody might."""
        self._sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def left(self) -> tuple[int, int]:
        """Return how many messages wait, and how many were received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def remove(self) -> None:
        """Leave nothing behind."""
        self._events.remove_targets(Rule=self._name, Ids=["queue"])
        self._events.delete_rule(Name=self._name)
        self._sqs.delete_queue(QueueUrl=self.url)
        self._sqs.close()
        self._events.close()


def looked(desk: Desk, operator: Operator, *, since: int) -> bool:
    """Tell whether the operator asked ECS for a service."""
    calls = desk.aws.calls(since=since, operation="DescribeServices")
    return any(call["principal"] == operator.principal for call in calls)


def heard(operator: Operator, **labels: str) -> float:
    """Return how many messages came."""
    return sum(value for _, value in operator.samples("sluice_aws_events_total", **labels))


def rest(desk: Desk, operator: Operator) -> None:
    """Wait until the operator has made no call for a while: nothing is in motion."""
    last: list[Any] = [0, time.monotonic()]

    def quiet() -> bool:
        made = len(
            [c for c in desk.aws.calls() if c["principal"] == operator.principal and c["service"] != "sqs"]
        )
        if made != last[0]:
            last[:] = [made, time.monotonic()]
        return time.monotonic() - last[1] > 3

    until(quiet, "the operator is at rest", seconds=120)


def test_what_happens_in_ecs_is_looked_at_at_once(desk: Desk) -> None:
    """A stopped task and a hand edit: seen within seconds and repaired; drift would be found in minutes.

    Until the queue is there nothing else stops: its absence is told once, with AWS's words, and counted.
    """
    web, queue = desk.deployment(), Queue(desk)
    settings = {"driftInterval": SLOW, "driftAttributesInterval": SLOW, "awsEvents": {"queueUrl": queue.url}}
    with desk.world.configured(**settings):
        operator, aws = desk.world.operator(), desk.aws
        line = operator.wait_for("aws_events_unreadable")
        assert "sqs:ReceiveMessage" in line["detail"]
        desk.apply_and_wait(web)
        until(lambda: failures(operator) >= 3, "the queue is tried again")
        queue.make()
        operator.wait_for("aws_events_readable")
        assert len(operator.lines("aws_events_unreadable")) == 1
        rest(desk, operator)

        service = desk.service()
        since, began = aws.calls_made(), time.monotonic()
        aws.ecs.stop_task(cluster=aws.cluster, task=aws.tasks(service["serviceName"])[0], reason="a test")
        until(lambda: looked(desk, operator, since=since), "the operator looks", seconds=30)
        assert time.monotonic() - began < AT_ONCE_S
        operator.wait_for("aws_events_flow")
        until(lambda: heard(operator, what="task") > 0, "what came is counted")
        until(lambda: desk.service()["runningCount"] == 2, "ECS has replaced it", seconds=60)
        rest(desk, operator)

        began = time.monotonic()
        aws.ecs.update_service(cluster=aws.cluster, service=service["serviceName"], desiredCount=3)
        until(lambda: desk.service()["desiredCount"] == 2, "the count is repaired", seconds=30)
        assert time.monotonic() - began < 2 * AT_ONCE_S
        until(lambda: desk.events("DriftRepaired"), "the repair is told")

        queue.send("no event")
        until(lambda: heard(operator, what="malformed") == 1, "what is no event is counted")
        until(lambda: queue.left() == (0, 0), "nothing is left in the queue", seconds=60)
        desk.wait_ready(web)
    queue.remove()


def failures(operator: Operator) -> float:
    """Return how often the queue could not be read."""
    found = operator.samples("sluice_aws_events_receives_total")
    return sum(value for labels, value in found if labels["outcome"] != "ok")
