"""ECS's own events through EventBridge and SQS: seen at once while drift is looked for every ten minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aws_events_template import event_pattern
from e2e.desk import DEPLOYMENT, Desk
from e2e.operator_process import Operator
from e2e.waiting import until

pytestmark = pytest.mark.e2e
SLOW = "10m"
AT_ONCE_S = 3.0
"""Goal: a second from the event to the look; the rest is for two busy cores and this test's own looking."""


@contextmanager
def queue(desk: Desk) -> Iterator[str]:
    """Make a queue that EventBridge feeds as docs/aws-events.md says; yield its URL."""
    sqs, events = desk.aws.client("sqs"), desk.aws.client("events")
    url = str(sqs.create_queue(QueueName=desk.namespace)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=desk.namespace, EventPattern=json.dumps(event_pattern()))
    events.put_targets(Rule=desk.namespace, Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    events.remove_targets(Rule=desk.namespace, Ids=["queue"])
    events.delete_rule(Name=desk.namespace)
    sqs.delete_queue(QueueUrl=url)
    sqs.close()
    events.close()


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
        return time.monotonic() - last[1] > 4

    until(quiet, "the operator is at rest", seconds=120)


def test_what_happens_in_ecs_is_looked_at_at_once(desk: Desk) -> None:
    """A stopped task and a hand edit: seen within seconds and repaired; drift would be found in minutes."""
    web = desk.deployment()
    with queue(desk) as url:
        settings = {"driftInterval": SLOW, "driftAttributesInterval": SLOW, "awsEvents": {"queueUrl": url}}
        with desk.world.configured(**settings):
            operator = desk.world.operator()
            desk.apply_and_wait(web)
            rest(desk, operator)
            flowing = operator.samples("sluice_aws_events_flowing")
            assert [value for _, value in flowing] == [1.0]

            service, aws = desk.service(), desk.aws
            since, began = aws.calls_made(), time.monotonic()
            aws.ecs.stop_task(cluster=aws.cluster, task=aws.tasks(service["serviceName"])[0], reason="a test")
            until(lambda: looked(desk, operator, since=since), "the operator looks", seconds=30)
            seconds = time.monotonic() - began
            assert seconds < AT_ONCE_S
            until(lambda: desk.service()["runningCount"] == 2, "ECS has replaced it", seconds=60)
            rest(desk, operator)

            began = time.monotonic()
            aws.ecs.update_service(cluster=aws.cluster, service=service["serviceName"], desiredCount=3)
            until(lambda: desk.service()["desiredCount"] == 2, "the count is repaired", seconds=30)
            assert time.monotonic() - began < 2 * AT_ONCE_S
            until(lambda: desk.events("DriftRepaired"), "the repair is told")
            desk.wait_ready(web)

            sqs = aws.client("sqs")
            sqs.send_message(QueueUrl=url, MessageBody="no event")
            until(lambda: heard(operator, what="malformed") == 1, "what is no event is counted")
            until(lambda: waiting(sqs, url) == (0, 0), "nothing is left in the queue", seconds=60)
            sqs.close()
            assert heard(operator, what="task") > 0
            assert operator.lines("aws_events_unreadable") == []


def waiting(sqs: Any, url: str) -> tuple[int, int]:
    """Return how many messages wait in the queue, and how many were received and not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_a_queue_that_is_missing_stops_nothing(desk: Desk) -> None:
    """Told once with AWS's words, counted, tried again; all else goes on as ever."""
    url = f"{desk.aws.endpoint}/000000000000/nobody-made-it"
    with desk.world.configured(awsEvents={"queueUrl": url}):
        operator = desk.world.operator()
        line = operator.wait_for("aws_events_unreadable")
        assert "sqs:ReceiveMessage" in line["detail"]
        desk.apply_and_wait(desk.deployment())
        desk.aws.ecs.update_service(
            cluster=desk.aws.cluster, service=desk.service()["serviceName"], desiredCount=3
        )
        until(lambda: desk.service()["desiredCount"] == 2, "the count is repaired", seconds=30)
        until(lambda: failures(operator) >= 3, "the queue is tried again")
        assert len(operator.lines("aws_events_unreadable")) == 1
        assert desk.condition(DEPLOYMENT)["reason"] != "AccessDenied"


def failures(operator: Operator) -> float:
    """Return how often the queue could not be read."""
    found = operator.samples("sluice_aws_events_receives_total")
    return sum(value for labels, value in found if labels["outcome"] != "ok")
