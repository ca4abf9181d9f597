"""What a chat, a webhook and a topic are told of rollouts, over restarts and beside dead receivers."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, Desk
from e2e.progressive import ALL, NEXT, PERSON, latest, progressive, verb, wait_step, weight
from e2e.waiting import until
from e2e.web_server import WebServer
from e2e.world import RELEASE, SYSTEM, World

pytestmark = pytest.mark.e2e
HUSH = "hush-4711"


@dataclass(frozen=True)
class Receivers:
    """Who is told in the world of these tests."""

    web: WebServer
    """`/in` gets everything, `/private` what asks for it, `/services/…` is a chat whose URL is a secret."""
    topic: str
    queue: str
    """URL of the queue that subscribes to the topic."""


@pytest.fixture(scope="module")
def receivers(world: World) -> Iterator[Receivers]:
    """Receivers, one of them dead, and an operator that tells them."""
    name = f"told-{uuid.uuid4().hex[:6]}"
    cluster, sns, sqs = world.cluster, world.aws.client("sns"), world.aws.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    with WebServer() as web:
        web.answers = dict.fromkeys(("/in", "/private", f"/services/{HUSH}"), (200, b"ok"))
        data = {"url": web.url(f"/services/{HUSH}"), "token": f"Bearer {HUSH}"}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": SYSTEM},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }
        cluster.request("POST", f"/api/v1/namespaces/{SYSTEM}/secrets", body=secret)
        header = {"name": "Authorization", "secretKeyRef": {"name": name, "key": "token"}}
        chat = {"urlSecretKeyRef": {"name": name, "key": "url"}}
        sinks = [
            {"name": "hook", "webhook": {"url": web.url("/in"), "headers": [header]}},
            {"name": "chat", "events": ["Paused", "Succeeded"], "slack": chat},
            {"name": "topic", "events": ["Promoted"], "sns": {"topicArn": topic}},
            {"name": "dead", "webhook": {"url": "http://127.0.0.1:1/"}},
            {"name": "private", "optIn": True, "webhook": {"url": web.url("/private")}},
        ]
        with world.configured(notifications={"sinks": sinks}):
            yield Receivers(web, topic, url)
        cluster.request("DELETE", f"/api/v1/namespaces/{SYSTEM}/secrets/{name}")
    sns.close()
    sqs.close()


def told(web: WebServer, desk: Desk, path: str = "/in") -> list[dict[str, Any]]:
    """Return the CloudEvents that a path got about the desk's objects, in order, each id once."""
    found = [
        body
        for asked, body in web.asked
        if asked == path and body["data"]["object"]["namespace"] == desk.namespace
    ]
    return list({body["id"]: body for body in reversed(found)}.values())[::-1]


def events(web: WebServer, desk: Desk) -> list[str]:
    """Return what happened, as the webhook was told."""
    return [body["data"]["event"] for body in told(web, desk)]


def test_a_rollout_is_told_everywhere(receivers: Receivers, desk: Desk) -> None:
    """Webhook, chat and topic get each step that a person would ask about; a dead receiver holds up nobody.

    An operator that is killed while the webhook fails loses nothing; a Secret is in no log and no outbox.
    """
    web, steps = receivers.web, (weight(50), PERSON, ALL)
    desk.apply_and_wait(progressive(desk, *steps), desk.route(), seconds=90)
    until(lambda: events(web, desk) == ["Started", "Succeeded"], "the first rollout is told")
    desk.apply(progressive(desk, *steps, image=NEXT))
    wait_step(desk, 2)
    until(lambda: events(web, desk)[2:] == ["Started", "Paused"], "the pause is told")

    # The webhook fails and the operator is killed before it recovers.
    web.answers["/in"] = (503, b"")
    verb(desk, "promote")
    until(lambda: latest(desk).get("outcome") == "Succeeded" and not moving(desk), "it is over", seconds=90)
    desk.world.operator().kill()
    web.answers["/in"] = (200, b"")
    second = desk.world.operator()
    until(lambda: events(web, desk)[4:] == ["Promoted", "Succeeded"], "nothing was lost", seconds=90)

    started = told(web, desk)[2]
    uid = desk.get(DEPLOYMENT)["metadata"]["uid"]
    assert started["id"] == f"{uid}/{latest(desk)['id']}/Started"
    assert started["type"] == "dev.sluice.rollout.started"
    texts = [body["text"] for path, body in web.asked if path.startswith("/services/")]
    mine = [text for text in dict.fromkeys(texts) if desk.namespace in text]
    assert ["waits for a person" in text for text in mine] == [False, True, False]
    sqs = desk.aws.client("sqs")
    body = until(lambda: received(sqs, receivers.queue), "the topic is told")
    sqs.close()
    assert body["MessageAttributes"]["event"]["Value"] == "Promoted"
    assert body["Subject"].startswith(f"{desk.namespace}/web: ")
    pending = second.samples("sluice_notifications_pending", sink="dead")
    assert [value for _, value in pending] == [6.0]
    assert all(HUSH not in operator.log.read_text(encoding="utf-8") for operator in desk.world.operators)
    assert HUSH not in outbox(desk)


def moving(desk: Desk) -> bool:
    """Tell whether a rollout is in motion."""
    return bool(desk.status(DEPLOYMENT).get("rollout"))


def received(sqs: Any, url: str) -> dict[str, Any]:
    """Return what SNS delivered to the queue, {} while there is nothing."""
    for message in sqs.receive_message(QueueUrl=url).get("Messages", ()):
        return dict(json.loads(message["Body"]))
    return {}


def outbox(desk: Desk) -> str:
    """Return the outbox's document."""
    path = f"/api/v1/namespaces/{SYSTEM}/configmaps/{RELEASE}-notifications"
    return str(desk.world.cluster.request("GET", path)["data"]["outbox.json"])


def test_an_object_chooses_and_drift_is_told(receivers: Receivers, desk: Desk) -> None:
    """By annotation: another sink, none, or one that does not exist, which is told on the object."""
    web, aws = receivers.web, desk.aws
    chosen, silent = desk.deployment(), desk.deployment("silent")
    chosen["metadata"]["annotations"] = {"sluice.dev/notify": "private, nobody"}
    silent["metadata"]["annotations"] = {"sluice.dev/notify": "off"}
    desk.apply_and_wait(chosen, silent)
    until(lambda: len(told(web, desk, "/private")) == 2, "the chosen sink is told")
    text = until(lambda: desk.events("NotificationIgnored"), "the unknown name is told")
    assert text == ["sluice.dev/notify: no notification sink of this namespace is called nobody"]
    aws.ecs.update_service(cluster=aws.cluster, service=desk.service()["serviceName"], desiredCount=3)
    until(lambda: len(told(web, desk, "/private")) == 3, "the repair is told")
    drift = told(web, desk, "/private")[-1]
    assert (drift["type"], drift["data"]["reason"]) == ("dev.sluice.object.drift", "DriftRepaired")
    assert "desiredCount 3 → 2" in drift["data"]["message"]
    assert events(web, desk) == []
