"""Settings of notifications and AWS's events: what is refused at the start, and what is not shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.config import ConfigError, Settings, load
from sluice.notify.moment import EVENTS

HOOK = {"name": "hook", "webhook": {"url": "https://hooks.example.com/in"}}
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/sluice"


def loaded(folder: Path, **settings: Any) -> Settings:
    """Return the settings of a file."""
    file = folder / "sluice.yaml"
    file.write_text(yaml.safe_dump({"installationId": "dev", **settings}), encoding="utf-8")
    return load(file=file, environment={})


def sink(**members: Any) -> dict[str, Any]:
    """Return the settings of one sink."""
    return {"notifications": {"sinks": [{"name": "chat", **members}]}}


def test_a_sink_serves_everybody_of_everything(tmp_path: Path) -> None:
    """Unless it says otherwise, and never secretly: the defaults are those of the table."""
    (made,) = loaded(tmp_path, notifications={"sinks": [HOOK]}).notifications.sinks
    assert (made.namespaces, made.events, made.opt_in, made.kind) == (("*",), EVENTS, False, "webhook")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no-kind": (sink(), "needs exactly one of slack, webhook, sns, eventBridge"),
    "two-kinds": (
        sink(
            slack={"url": "https://a.example.com"}, sns={"topicArn": "arn:aws:sns:eu-west-1:111122223333:a"}
        ),
        "needs exactly one of",
    ),
    "name": (sink(name="Chat!", slack={"url": "https://a.example.com"}), "notifications.sinks.0.name"),
    "off": (sink(name="off", slack={"url": "https://a.example.com"}), "the annotation's word for no sink"),
    "twice": ({"notifications": {"sinks": [HOOK, HOOK]}}, "['hook'] appear twice"),
    "event": (
        sink(events=["Finished"], slack={"url": "https://a.example.com"}),
        "notifications.sinks.0.events.0",
    ),
    "text": (
        sink(slack={"url": "https://a.example.com", "text": "{{titel}}"}),
        "slack.text: {{titel}} is not a placeholder; known: at, by",
    ),
    "body": (
        sink(webhook={"url": "https://a.example.com", "body": {"a": ["x", {"b": "{{who}}"}]}}),
        "webhook.body.a.1.b: {{who}} is not a placeholder",
    ),
    "message": (
        sink(sns={"topicArn": "arn:aws:sns:eu-west-1:111122223333:a", "message": "{{x}}"}),
        "sns.message: {{x}}",
    ),
    "no-url": (sink(slack={}), "needs either url or urlSecretKeyRef"),
    "two-urls": (
        sink(slack={"url": "https://a.example.com", "urlSecretKeyRef": {"name": "a", "key": "b"}}),
        "needs either url or urlSecretKeyRef",
    ),
    "scheme": (sink(slack={"url": "ftp://a.example.com"}), "needs http:// or https://"),
    "credentials": (sink(webhook={"url": "https://u:p@a.example.com"}), "urlSecretKeyRef"),
    "query": (sink(webhook={"url": "https://a.example.com/?token=hush"}), "urlSecretKeyRef"),
    "metadata-service": (sink(webhook={"url": "http://169.254.169.254/latest"}), "link-local"),
    "metadata-service-6": (sink(webhook={"url": "http://[fd00:ec2::254]:80/"}), "link-local"),
    "header-without-value": (
        sink(webhook={"url": "https://a.example.com", "headers": [{"name": "A"}]}),
        "needs either value or secretKeyRef",
    ),
    "header-of-ours": (
        sink(webhook={"url": "https://a.example.com", "headers": [{"name": "Content-Type", "value": "x"}]}),
        "is set by Sluice",
    ),
    "header-injection": (
        sink(webhook={"url": "https://a.example.com", "headers": [{"name": "A", "value": "x\r\nB: y"}]}),
        "webhook.headers.0.value",
    ),
    "topic": (sink(sns={"topicArn": "rollouts"}), "sns.topicArn"),
    "unknown-member": (
        sink(slack={"url": "https://a.example.com", "channel": "#x"}),
        "slack.channel: is no setting",
    ),
    "account": (sink(eventBridge={"account": "ops"}), "sink 'chat' names account 'ops', not in accounts"),
    "too-many": (
        {"notifications": {"sinks": [{**HOOK, "name": f"s{number}"} for number in range(17)]}},
        "notifications.sinks",
    ),
    "expiry": ({"notifications": {"expireAfter": 0}}, "notifications.expireAfter"),
    "queue": ({"awsEvents": {"queueUrl": "sluice"}}, "awsEvents.queueUrl"),
    "queue-account": ({"awsEvents": {"queueUrl": QUEUE, "account": "ops"}}, "awsEvents names account 'ops'"),
    "factor": ({"awsEvents": {"driftFactor": 0.5}}, "awsEvents.driftFactor"),
}


@pytest.mark.parametrize(
    ("settings", "expected"), [pytest.param(*case, id=name) for name, case in REFUSED.items()]
)
def test_what_cannot_work_ends_the_start(tmp_path: Path, settings: dict[str, Any], expected: str) -> None:
    """The path and what to do, before anything runs."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, **settings)
    assert expected in str(caught.value)


def test_header_values_are_not_shown(tmp_path: Path) -> None:
    """A token that was written into the file after all stays out of the log."""
    headers = [{"name": "A", "value": "hush"}, {"name": "B", "secretKeyRef": {"name": "s", "key": "k"}}]
    web = {"url": "https://a.example.com", "headers": headers}
    shown = loaded(tmp_path, **sink(webhook=web)).shown()["notifications"]
    assert "hush" not in str(shown)
    first, second = shown["sinks"][0]["webhook"]["headers"]
    assert (first["value"], second["value"]) == ("(set)", "")


@pytest.mark.parametrize("kind", ["slack", "webhook"])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.slack.com/services/T0/B0/hush", "https://hooks.slack.com/(set)"),
        ("http://chat.example.com:8080", "http://chat.example.com:8080"),
    ],
    ids=["path", "host"],
)
def test_paths_of_urls_are_not_shown(tmp_path: Path, kind: str, url: str, expected: str) -> None:
    """Whoever knows a chat's may write there; the host is enough to find a mistake."""
    shown = loaded(tmp_path, **sink(**{kind: {"url": url}})).shown()["notifications"]
    assert shown["sinks"][0][kind]["url"] == expected


@pytest.mark.parametrize(
    "url",
    [
        QUEUE,
        "https://queue.amazonaws.com/111122223333/a",
        "http://127.0.0.1:4566/111122223333/sluice_1",
        "http://sqs.localhost:4566/queue/eu-west-1/111122223333/a",
    ],
)
def test_queues_anywhere(tmp_path: Path, url: str) -> None:
    """AWS's URLs old and new, and those of stand-ins."""
    assert loaded(tmp_path, awsEvents={"queueUrl": url}).aws_events.queue_url == url


def test_the_queue_from_the_environment() -> None:
    """One more thing that a chart of another team can set without a file."""
    environment = {"SLUICE_INSTALLATION_ID": "dev", "SLUICE_AWS_EVENTS_QUEUE_URL": QUEUE}
    environment |= {"SLUICE_AWS_EVENTS_DRIFT_FACTOR": "3", "SLUICE_AWS_EVENTS_QUIET_AFTER": "5m"}
    events = load(environment=environment).aws_events
    assert (events.queue_url, events.drift_factor, events.quiet_after) == (QUEUE, 3, 300)
