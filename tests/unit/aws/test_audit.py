"""The line of a write: enough to know what was done, and not one value that somebody keeps secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from captured_log import Captured, captured
from sluice.aws.errors import WriteWithheld
from sluice.aws.transport import Answered, NoAnswer
from sluice.model.errors import AwsFailure

Build = Callable[..., Any]
PLANTED = "planted-s3cr3t"
CONTAINER = {
    "name": "app",
    "image": "shop:1",
    "command": ["serve", PLANTED],
    "entryPoint": [PLANTED],
    "environment": [{"name": "TOKEN", "value": PLANTED}],
    "secrets": [{"name": "KEY", "valueFrom": PLANTED}],
    "logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": PLANTED}},
    "dockerLabels": {"note": PLANTED},
}
WRITES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "task definition": (
        "ecs",
        "RegisterTaskDefinition",
        {"family": "web", "containerDefinitions": [CONTAINER], "tags": [{"key": "k", "value": PLANTED}]},
        {"family": "web"},
    ),
    "hook's task": (
        "ecs",
        "RunTask",
        {
            "cluster": "main",
            "taskDefinition": "web:1",
            "count": 1,
            "overrides": {"containerOverrides": [{"environment": [{"name": "A", "value": PLANTED}]}]},
        },
        {"cluster": "main", "taskDefinition": "web:1", "count": 1},
    ),
    "rule behind a login": (
        "elbv2",
        "ModifyRule",
        {
            "RuleArn": "r",
            "Actions": [
                {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientSecret": PLANTED}},
                {
                    "Type": "forward",
                    "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a", "Weight": 5}]},
                },
            ],
        },
        {"RuleArn": "r", "weights": {"a": 5}},
    ),
    "instance": (
        "servicediscovery",
        "RegisterInstance",
        {"ServiceId": "srv-1", "InstanceId": "i", "Attributes": {"password": PLANTED}},
        {"ServiceId": "srv-1", "InstanceId": "i"},
    ),
    "notification": (
        "sns",
        "Publish",
        {"TopicArn": "t", "Message": PLANTED, "MessageAttributes": {"a": {"StringValue": PLANTED}}},
        {"TopicArn": "t"},
    ),
    "event": ("events", "PutEvents", {"Entries": [{"Detail": PLANTED, "EventBusName": PLANTED}]}, {}),
    "secret": ("secretsmanager", "PutSecretValue", {"SecretId": "s", "SecretString": PLANTED}, {}),
    "role": ("sts", "AssumeRoleWithWebIdentity", {"RoleArn": "r", "WebIdentityToken": PLANTED}, {}),
    "something AWS adds": (
        "ecs",
        "UpdateNovelty",
        {"service": "web", "novelty": {"key": PLANTED}},
        {"service": "web"},
    ),
}


@pytest.fixture
def log() -> Iterator[Captured]:
    """Everything that is logged, as it leaves the process."""
    with captured() as found:
        yield found


@pytest.mark.parametrize(("service", "operation", "params", "shown"), WRITES.values(), ids=WRITES)
def test_a_line_identifies_and_keeps_secrets(
    rig: Build, log: Captured, service: str, operation: str, params: dict[str, Any], shown: dict[str, Any]
) -> None:
    """Whether AWS took it, refused it or never answered."""
    world = rig({}, Answered("AccessDeniedException", "no", status=403), NoAnswer("reset"), share=1.0)
    world.gateway.call(service, operation, params, context=world.context())
    for _ in range(2):
        with pytest.raises(AwsFailure):
            world.gateway.call(service, operation, params, context=world.context())
    assert PLANTED not in log.text
    lines = log.lines()
    assert [line["outcome"] for line in lines] == ["ok", "denied", "unknown-outcome"]
    assert [line["level"] for line in lines] == ["info", "warning", "warning"]
    for line in lines:
        assert (line["event"], line["service"], line["operation"]) == ("aws_write", service, operation)
        assert (line["account"], line["region"]) == ("111122223333", "eu-west-1")
        assert line["params"] == shown
        assert line["key"] == "Deployment/shop/checkout"


def test_a_dry_runs_line_is_as_quiet(rig: Build, log: Captured) -> None:
    """What would have been sent is shown by the same list."""
    world = rig(dry_run=True)
    _, operation, params, shown = WRITES["task definition"]
    with pytest.raises(WriteWithheld):
        world.gateway.call("ecs", operation, params, context=world.context())
    (line,) = log.lines()
    assert (line["outcome"], line["params"]) == ("dry-run", shown)
    assert PLANTED not in log.text


def test_reads_leave_no_line(rig: Build, log: Captured) -> None:
    """There are many, and they change nothing; metrics and spans tell of them."""
    world = rig({"services": []})
    world.gateway.call("ecs", "DescribeServices", {"services": ["web"]}, context=world.context())
    assert log.text == ""
