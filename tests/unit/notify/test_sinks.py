"""What receivers get, over real HTTP and through the gateway's port, and what a refusal means."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest

from sluice.analysis.http import HttpClient
from sluice.aws.errors import WriteWithheld
from sluice.model.binding import Binding, CallContext
from sluice.model.errors import AwsErrorKind, AwsFailure, Deferred, LeadershipLost, Retryable
from sluice.notify.aws_sinks import EventBridgeSink, SnsSink
from sluice.notify.cloud_events import cloud_event, type_of
from sluice.notify.moment import EVENTS, FACTS, Moment
from sluice.notify.sink import SinkFailure
from sluice.notify.web_sinks import Post, SlackSink, Target, WebhookSink
from unit.analysis.scenes import Received, Secrets, said, server
from unit.notify.told import NOW, Clock, moment

TOPIC = "arn:aws:sns:eu-west-1:111122223333:rollouts"
FULL = dataclasses.replace(
    moment(event="RolledBack"),
    revision="checkout-2",
    source="checkout-1",
    reason="Analysis",
    message='errors <0.05> & "more"\nline two',
)
CLOUD_EVENT_SCHEMA = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "type": {"type": "string", "pattern": r"^dev\.sluice\.[a-z.-]+$"},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object", "required": ["event", "severity", "title", "at", "object"]},
    },
    "propertyNames": {"pattern": "^[a-z0-9]+$"},
}
"""The required and optional attributes of the specification, v1.0.2, and its naming convention."""


def encoded(text: str) -> str:
    """Return text as a Secret has it."""
    return base64.b64encode(text.encode()).decode()


def webhook(target: Target, *, secrets: Any = None, body: Any = None) -> WebhookSink:
    """Return a webhook sink whose Secrets are in the namespace `shop`."""
    post = Post(HttpClient(secrets or Secrets()), target, namespace="shop")
    return WebhookSink("hook", post, installation="prod", body=body)


def test_a_webhook_gets_a_cloud_event() -> None:
    """Structured mode by default, with the moment's id as the event's and as idempotency key."""
    with server(said("", 202)) as (address, received):
        webhook(Target(url=f"{address}/in", headers=[{"name": "X-Team", "value": "a"}])).send(FULL)
    (got,) = received
    assert (got.method, got.path, got.headers["X-Team"]) == ("POST", "/in", "a")
    assert got.headers["Content-Type"] == "application/cloudevents+json"
    body = json.loads(got.body)
    assert body["id"] == got.headers["Idempotency-Key"] == FULL.id
    assert body["data"]["rollout"] == {"id": "r1", "revision": "checkout-2", "source": "checkout-1"}
    jsonschema.validate(body, CLOUD_EVENT_SCHEMA)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_a_cloud_event(event: Any) -> None:
    """Each has a type of its own and the attributes that the specification requires."""
    made = cloud_event(moment(event=event), installation="prod")
    jsonschema.validate(made, CLOUD_EVENT_SCHEMA)
    assert len({type_of(other) for other in EVENTS}) == len(EVENTS)


def test_a_template_makes_the_body() -> None:
    """Any JSON; placeholders in texts at any depth, other values as they are."""
    body = {"summary": "{{title}}", "links": ["https://x/{{namespace}}/{{ name }}"], "count": 1, "on": True}
    with server(said("")) as (address, received):
        webhook(Target(url=address), body=body).send(FULL)
    assert received[0].headers["Content-Type"] == "application/json"
    assert json.loads(received[0].body) == {
        "summary": "shop/checkout: checkout-2 was rolled back",
        "links": ["https://x/shop/checkout"],
        "count": 1,
        "on": True,
    }


def test_a_chat_gets_escaped_text() -> None:
    """Slack's three control characters are escaped in what is filled in, not in the template."""
    with server(said("ok")) as (address, received):
        post = Post(HttpClient(Secrets()), Target(url=address), namespace="shop")  # type: ignore[arg-type]  # only secret() is used
        SlackSink("chat", post, installation="prod", text="<https://x|{{name}}>: {{message}}").send(FULL)
        SlackSink("chat", post, installation="prod").send(FULL)
    first, second = (json.loads(got.body)["text"] for got in received)
    assert first.endswith('<https://x|checkout>: errors &lt;0.05&gt; &amp; "more"\nline two')
    assert second.startswith(":rotating_light: *shop/checkout: checkout-2 was rolled back*\n")


def test_secrets_come_by_reference_and_stay_there() -> None:
    """URL and header are read from Secrets; a failure names the host and nothing else of them."""
    with server(said("no", 500)) as (address, received):
        secrets = Secrets(url=encoded(f"{address}/services/T0/B0/hush"), token=encoded("Bearer hush2"))
        reference = {"name": "s", "key": "token"}
        target = Target(
            url_secret={"name": "s", "key": "url"},
            headers=[{"name": "Authorization", "secretKeyRef": reference}],
        )
        with pytest.raises(SinkFailure) as caught:
            webhook(target, secrets=secrets).send(FULL)
    assert received[0].path == "/services/T0/B0/hush"
    assert received[0].headers["Authorization"] == "Bearer hush2"
    assert "hush" not in str(caught.value)
    assert "127.0.0.1: answered 500" in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/hush", "http://[::hush", "hush"])
def test_an_unreachable_secret_url_stays_secret(url: str) -> None:
    """Neither the failure nor what it came from holds the path."""
    with pytest.raises(SinkFailure) as caught:
        webhook(Target(url_secret={"name": "s", "key": "url"}), secrets=Secrets(url=encoded(url))).send(FULL)
    assert caught.value.kind == "busy"
    assert "/hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_that_is_missing_or_unreadable_is_waited_for() -> None:
    """Somebody is about to make it; the text names Secret and key."""
    with pytest.raises(SinkFailure, match="Secret nowhere has no key url") as caught:
        webhook(Target(url_secret={"name": "nowhere", "key": "url"})).send(FULL)
    assert caught.value.kind == "busy"
    binary = Secrets(url=base64.b64encode(b"https://a.example.com/\xff").decode())
    with pytest.raises(SinkFailure, match="key url of Secret s is no text") as caught:
        webhook(Target(url_secret={"name": "s", "key": "url"}), secrets=binary).send(FULL)
    assert caught.value.kind == "busy"

    class Away:
        def secret(self, _namespace: str, _name: str) -> Mapping[str, Any]:
            raise Retryable("the API server is away")

    with pytest.raises(SinkFailure, match="could not be read: the API server is away"):
        webhook(Target(url_secret={"name": "s", "key": "url"}), secrets=Away()).send(FULL)


ANSWERS = {
    200: "",
    204: "",
    301: "busy",
    400: "refused",
    401: "busy",
    403: "busy",
    404: "busy",
    413: "refused",
}
ANSWERS |= {408: "busy", 410: "busy", 422: "refused", 429: "busy", 500: "busy", 503: "busy"}


@pytest.mark.parametrize(("status", "kind"), ANSWERS.items())
def test_what_an_answer_means(status: int, kind: str) -> None:
    """What is wrong with this message is refused; everything else is about the sink and waits."""
    with server(said("", status)) as (address, _):
        sink = webhook(Target(url=address))
        if not kind:
            sink.send(FULL)
            return
        with pytest.raises(SinkFailure) as caught:
            sink.send(FULL)
    assert (caught.value.kind, str(status) in str(caught.value)) == (kind, True)


@pytest.mark.parametrize(
    ("header", "expected"),
    [("30", 30), ("99999", 300), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0), ("", 0)],
)
def test_a_receiver_may_say_when(header: str, expected: float) -> None:
    """Seconds are obeyed within reason; a date or nonsense is what nothing is."""

    def answer(_got: Received) -> tuple[int, bytes, Mapping[str, str]]:
        return 429, b"", {"Retry-After": header}

    with server(answer) as (address, _), pytest.raises(SinkFailure) as caught:
        webhook(Target(url=address)).send(FULL)
    assert (caught.value.kind, caught.value.retry_after) == ("busy", expected)


def test_a_redirect_is_not_followed() -> None:
    """A header with a secret must not reach another host."""

    def answer(_got: Received) -> tuple[int, bytes, Mapping[str, str]]:
        return 302, b"", {"Location": "/elsewhere"}

    with server(answer) as (address, received), pytest.raises(SinkFailure, match="answered 302"):
        webhook(Target(url=address)).send(FULL)
    assert [got.path for got in received] == ["/"]


@dataclass
class Gateway:
    """`ports.Aws` that answers or raises, and remembers."""

    answer: Callable[[], Mapping[str, Any]] = dict
    calls: list[tuple[str, str, Mapping[str, Any], CallContext]] = field(default_factory=list)

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Make one call."""
        self.calls.append((service, operation, params, context))
        return self.answer()


BINDING = Binding(account="111122223333", region="eu-west-1")


def topic(aws: Gateway, *, arn: str = TOPIC, message: str = "{{title}}") -> SnsSink:
    """Return an SNS sink."""
    return SnsSink(
        "topic", aws, clock=Clock(), binding=BINDING, topic=arn, installation="prod", message=message
    )


def bus(aws: Gateway) -> EventBridgeSink:
    """Return an EventBridge sink."""
    return EventBridgeSink("bus", aws, clock=Clock(), binding=BINDING, bus="ops", installation="prod")


def test_a_topic_gets_text_and_attributes() -> None:
    """The subject fits SNS's rules; attributes let subscriptions filter and drop duplicates."""
    aws = Gateway()
    topic(aws).send(dataclasses.replace(FULL, revision="prüf\n" + "x" * 200))
    ((service, operation, params, context),) = aws.calls
    assert (service, operation, context.key, context.binding) == ("sns", "Publish", FULL.key, BINDING)
    assert params["Message"].startswith("shop/checkout: prüf")
    subject = params["Subject"]
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100
    assert params["MessageAttributes"]["event"] == {"DataType": "String", "StringValue": "RolledBack"}
    assert params["MessageAttributes"]["id"]["StringValue"] == FULL.id
    assert "MessageGroupId" not in params


def test_a_topic_can_get_the_cloud_event() -> None:
    """An empty template sends it, for programs."""
    aws = Gateway()
    topic(aws, message="").send(FULL)
    assert json.loads(aws.calls[0][2]["Message"])["type"] == "dev.sluice.rollout.rolled-back"


def test_a_fifo_topic_keeps_order_and_drops_duplicates() -> None:
    """Grouped by object; SNS itself drops a moment that is published again within five minutes."""
    aws = Gateway()
    topic(aws, arn=f"{TOPIC}.fifo").send(FULL)
    params = aws.calls[0][2]
    assert (params["MessageGroupId"], params["MessageDeduplicationId"]) == (FULL.uid, FULL.id)


def test_a_bus_gets_an_event() -> None:
    """Source, detail type and time as rules match them; the id is in the detail."""
    aws = Gateway(lambda: {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    bus(aws).send(FULL)
    (entry,) = aws.calls[0][2]["Entries"]
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        "sluice.dev",
        "Sluice RolledBack",
        "ops",
    )
    assert json.loads(entry["Detail"])["id"] == FULL.id
    assert entry["Time"] == NOW


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ThrottlingException", "busy"), ("InternalFailure", "busy"), ("MalformedDetail", "refused")],
)
def test_an_entry_that_was_not_taken_is_a_failure(code: str, kind: str) -> None:
    """PutEvents answers 200 for it all the same."""
    entry = {"ErrorCode": code, "ErrorMessage": "m"}
    with pytest.raises(SinkFailure, match=code) as caught:
        bus(Gateway(lambda: {"FailedEntryCount": 1, "Entries": [entry]})).send(FULL)
    assert caught.value.kind == kind


def failed(kind: AwsErrorKind) -> AwsFailure:
    """Return a failure of that kind."""
    return AwsFailure(service="sns", operation="Publish", code="X", message="m", kind=kind)


@pytest.mark.parametrize(
    ("error", "kind", "after"),
    [
        pytest.param(Deferred(NOW + 7, "sns/write"), "busy", 7, id="budget"),
        pytest.param(failed("throttled"), "busy", 0, id="throttled"),
        pytest.param(failed("denied"), "busy", 0, id="denied"),
        pytest.param(failed("not-found"), "busy", 0, id="not-found"),
        pytest.param(failed("rejected"), "refused", 0, id="rejected"),
        pytest.param(failed("unknown-outcome"), "busy", 0, id="no-answer-is-sent-again"),
        pytest.param(LeadershipLost("the lease ends"), "busy", 0, id="lease"),
        pytest.param(WriteWithheld("sns", "Publish"), "withheld", 0, id="dry-run"),
    ],
)
def test_what_a_call_that_failed_means(error: Exception, kind: str, after: float) -> None:
    """The moment waits unless AWS will never take it, or nobody is to be told."""

    def answer() -> Mapping[str, Any]:
        raise error

    with pytest.raises(SinkFailure) as caught:
        topic(Gateway(answer)).send(FULL)
    assert (caught.value.kind, caught.value.retry_after) == (kind, after)


def test_every_fact_can_be_named() -> None:
    """The names that templates are checked against are those that are filled in."""
    assert set(FULL.facts("prod")) == FACTS
    assert all(isinstance(value, str) for value in Moment.facts(FULL, "prod").values())
