"""SQS, SNS and EventBridge as boto3 and the stand-in speak them: polls, deletions, refusals, deliveries."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from prometheus_client import CollectorRegistry

from sluice.aws.boto_transport import Boto3Transport
from sluice.aws.budget import Budgets
from sluice.aws.clients import Clients, ClientSettings
from sluice.aws.gateway import AlwaysLeader, AwsGateway
from sluice.aws.metrics import AwsMetrics
from sluice.aws_events import sqs as sqs_module
from sluice.aws_events.happening import read
from sluice.aws_events.sqs import READ_TIMEOUT, SqsQueue
from sluice.model.binding import Binding
from sluice.model.errors import AwsFailure
from sluice.notify.aws_sinks import EventBridgeSink, SnsSink
from sluice.notify.moment import Moment
from sluice.notify.sink import SinkFailure
from sluice.runtime.clock import SystemClock
from sluice_sandbox.aws.side import AwsSide, Settings
from unit.notify.told import moment

ACCOUNT, REGION = "300000000022", "eu-west-1"
BINDING = Binding(account=ACCOUNT, region=REGION)


@dataclass
class Side:
    """A running AWS side and a person's clients of it."""

    url: str
    client: Callable[[str], Any]

    def clients(self, **settings: Any) -> Clients:
        """Return the operator's clients."""
        return Clients(ClientSettings(endpoint_url=self.url, **settings))


@pytest.fixture(scope="module")
def side() -> Iterator[Side]:
    """One side for the module: moto's backends are the process's, so an account is used once."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    aws = AwsSide(Settings(speed=10, account=ACCOUNT))
    url = asyncio.run_coroutine_threadsafe(aws.start(), loop).result(60)
    session = boto3.session.Session("AKIASANDBOX", "x", region_name=REGION)
    made: list[Any] = []

    def client(service: str) -> Any:
        made.append(session.client(service, endpoint_url=url))
        return made[-1]

    yield Side(url, client)
    for one in made:
        one.close()
    asyncio.run_coroutine_threadsafe(aws.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's keys, as a pod has them in its environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASANDBOX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def queue_of(side: Side, url: str, metrics: AwsMetrics | None = None) -> SqsQueue:
    """Return the operator's end of a queue."""
    transport = Boto3Transport(side.clients(read_timeout=READ_TIMEOUT, pool=1))
    return SqsQueue(
        transport,
        binding=BINDING,
        url=url,
        clock=SystemClock(),
        metrics=metrics or AwsMetrics(CollectorRegistry()),
    )


@pytest.mark.usefixtures("credentials")
def test_a_message_is_received_while_waiting_for_it_and_deleted(side: Side) -> None:
    """A long poll ends when something comes; a deleted message never comes again."""
    person = side.client("sqs")
    url = person.create_queue(QueueName="polled")["QueueUrl"]
    queue = queue_of(side, url)
    sender = threading.Timer(0.3, lambda: person.send_message(QueueUrl=url, MessageBody="late"))
    sender.start()
    began = time.monotonic()
    (message,) = queue.receive()
    assert time.monotonic() - began < 10
    sender.join()
    assert message.body == "late"
    assert queue.delete([message]) == 0
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = person.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert set(left.values()) == {"0"}


@pytest.mark.usefixtures("credentials")
def test_an_empty_queue_answers_with_nothing(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """No message is no error."""
    monkeypatch.setattr(sqs_module, "WAIT", 0)
    url = side.client("sqs").create_queue(QueueName="empty")["QueueUrl"]
    assert list(queue_of(side, url).receive()) == []


@pytest.mark.usefixtures("credentials")
def test_a_handle_that_is_unknown_is_told(side: Side) -> None:
    """DeleteMessageBatch answers for each entry."""
    url = side.client("sqs").create_queue(QueueName="handles")["QueueUrl"]
    refused = queue_of(side, url).delete([sqs_module.Message("no-handle", "")])
    assert refused == 1


@pytest.mark.usefixtures("credentials")
def test_a_queue_that_is_missing_is_a_failure(side: Side) -> None:
    """With AWS's words, and counted like every other call."""
    registry = CollectorRegistry()
    queue = queue_of(side, f"{side.url}/{ACCOUNT}/nobody-made-it", AwsMetrics(registry))
    with pytest.raises(AwsFailure) as caught:
        queue.receive()
    assert (caught.value.code, caught.value.kind) == ("AWS.SimpleQueueService.NonExistentQueue", "rejected")
    labels = {"service": "sqs", "operation": "ReceiveMessage", "outcome": "rejected"}
    assert [s.value for m in registry.collect() for s in m.samples if labels.items() <= s.labels.items()]


@pytest.mark.usefixtures("credentials")
def test_ecs_events_arrive_as_they_are_read(side: Side) -> None:
    """What the stand-in's ECS emits through EventBridge is read without a remainder."""
    sqs, events, ecs = side.client("sqs"), side.client("events"), side.client("ecs")
    url = sqs.create_queue(QueueName="ecs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="ecs", EventPattern=json.dumps({"source": ["aws.ecs"]}))
    events.put_targets(Rule="ecs", Targets=[{"Id": "queue", "Arn": arn}])
    ecs.create_cluster(clusterName="prod")
    ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "a", "image": "i", "memory": 64}]
    )
    ecs.create_service(cluster="prod", serviceName="web-a1", taskDefinition="web", desiredCount=0)
    queue = queue_of(side, url)
    found = [read(message.body) for message in queue.receive()]
    assert found
    assert {happening.services for happening in found} == {(("prod", "web-a1"),)}
    assert {happening.place.account for happening in found} == {ACCOUNT}
    assert {happening.what for happening in found} <= {"deployment", "service-action", "task"}


def gateway(side: Side) -> AwsGateway:
    """Return the operator's gateway."""
    return AwsGateway(
        Boto3Transport(side.clients()),
        budgets=Budgets(share=1.0),
        clock=SystemClock(),
        lease=AlwaysLeader(),
        metrics=AwsMetrics(CollectorRegistry()),
    )


def told() -> Moment:
    """Return something to tell."""
    return moment(event="RolledBack")


@pytest.mark.usefixtures("credentials")
def test_a_topics_subscribers_get_the_moment(side: Side) -> None:
    """SNS delivers text, subject and attributes to a queue."""
    sns, sqs = side.client("sns"), side.client("sqs")
    topic = sns.create_topic(Name="rollouts")["TopicArn"]
    url = sqs.create_queue(QueueName="rollouts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sink = SnsSink(
        "topic",
        gateway(side),
        clock=SystemClock(),
        binding=BINDING,
        topic=topic,
        installation="prod",
        message="{{title}}",
    )
    sink.send(told())
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    body = json.loads(message["Body"])
    assert body["Message"] == body["Subject"] == "shop/checkout: a revision was rolled back"
    assert body["MessageAttributes"]["id"]["Value"] == told().id


@pytest.mark.usefixtures("credentials")
def test_a_topic_that_is_missing_is_waited_for(side: Side) -> None:
    """Somebody may make it; nothing is lost before the moment expires."""
    sink = SnsSink(
        "topic",
        gateway(side),
        clock=SystemClock(),
        binding=BINDING,
        topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody-made-it",
        installation="prod",
    )
    with pytest.raises(SinkFailure) as caught:
        sink.send(told())
    assert caught.value.kind == "busy"
    assert "sns:Publish" in str(caught.value)


@pytest.mark.usefixtures("credentials")
def test_a_buss_rules_get_the_moment(side: Side) -> None:
    """EventBridge matches source and detail-type and hands the detail on."""
    events, sqs = side.client("events"), side.client("sqs")
    url = sqs.create_queue(QueueName="bus")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["sluice.dev"], "detail-type": ["Sluice RolledBack"]}
    events.put_rule(Name="sluice", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="sluice", Targets=[{"Id": "queue", "Arn": arn}])
    sink = EventBridgeSink(
        "bus", gateway(side), clock=SystemClock(), binding=BINDING, bus="default", installation="prod"
    )
    sink.send(told())
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    body = json.loads(message["Body"])
    assert (body["detail"]["id"], body["detail"]["event"]) == (told().id, "RolledBack")
