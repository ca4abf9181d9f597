"""Queue, rule and rights as they are shipped: one thing said twice, and exactly what the receiver needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from aws_events_template import FOLDER, event_pattern, template
from sluice.aws_events import sqs
from sluice.aws_events.happening import _KINDS

TERRAFORM = (FOLDER / "main.tf").read_text(encoding="utf-8")
CODE = "\n".join(line.split("#")[0] for line in TERRAFORM.splitlines())
ACTIONS = {"ReceiveMessage": "sqs:ReceiveMessage", "DeleteMessageBatch": "sqs:DeleteMessage"}
"""Who calls what, and the IAM action that allows it (service authorization reference of SQS)."""


def references(value: Any) -> Iterator[str]:
    """Yield the logical names that a part of the template refers to."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "Ref":
                yield inner
            elif name == "Fn::GetAtt":
                yield inner[0]
            elif name == "Fn::Sub":
                yield from re.findall(r"\$\{(\w+)\}", inner)
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def statement(resource: str) -> dict[str, Any]:
    """Return the only statement of a policy in the template."""
    (found,) = template()["Resources"][resource]["Properties"]["PolicyDocument"]["Statement"]
    return dict(found)


def test_every_reference_of_the_template_leads_somewhere() -> None:
    """Parameters and resources are there, and each parameter is used."""
    whole = template()
    names = set(whole["Parameters"]) | set(whole["Resources"])
    found = set(references(whole["Resources"])) | set(references(whole["Outputs"]))
    assert found <= names
    assert set(whole["Parameters"]) <= found


def test_the_rule_asks_for_what_is_read() -> None:
    """Exactly the events that the receiver understands, in both files."""
    pattern = event_pattern()
    assert pattern == {"source": ["aws.ecs"], "detail-type": list(_KINDS)}
    (block,) = re.findall(r"event_pattern = jsonencode\(\{(.*?)\n  \}\)", CODE, re.DOTALL)
    assert re.findall(r'"([^"]+)"', block) == ["aws.ecs", "detail-type", *_KINDS]


def test_the_operator_may_receive_and_delete() -> None:
    """Exactly what the code calls, on this queue alone."""
    source = (FOLDER.parents[1] / "operator/sluice/aws_events/sqs.py").read_text(encoding="utf-8")
    called = set(re.findall(r'_call\(\s*"(\w+)"', source))
    needed = sorted(ACTIONS[name] for name in called)
    own = statement("OperatorPolicy")
    assert (own["Action"], own["Resource"]) == (needed, {"Fn::GetAtt": ["Queue", "Arn"]})
    (block,) = re.findall(r'"aws_iam_policy_document" "operator" \{(.*?)\n\}', CODE, re.DOTALL)
    assert sorted(re.findall(r'"(sqs:\w+)"', block)) == needed
    assert "resources = [aws_sqs_queue.events.arn]" in block


def test_nobody_but_the_rule_may_send() -> None:
    """EventBridge's service principal, bound to the rule's ARN."""
    sending = statement("QueuePolicy")
    assert sending["Principal"] == {"Service": "events.amazonaws.com"}
    assert sending["Action"] == "sqs:SendMessage"
    assert sending["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}}
    (block,) = re.findall(r'"aws_iam_policy_document" "queue" \{(.*?)\n\}', CODE, re.DOTALL)
    for part in (
        '"sqs:SendMessage"',
        '"events.amazonaws.com"',
        '"aws:SourceArn"',
        "aws_cloudwatch_event_rule.ecs.arn",
    ):
        assert part in block


def test_the_queue_is_the_same_in_both() -> None:
    """Long polls by default, the visibility that the receiver counts on, encrypted, short memory."""
    queue = template()["Resources"]["Queue"]["Properties"]
    (block,) = re.findall(r'resource "aws_sqs_queue" "events" \{(.*?)\n\}', CODE, re.DOTALL)
    said = dict(re.findall(r"(\w+)\s*=\s*(\S+)", block))
    assert said["message_retention_seconds"] == str(queue["MessageRetentionPeriod"])
    assert said["receive_wait_time_seconds"] == str(queue["ReceiveMessageWaitTimeSeconds"]) == str(sqs.WAIT)
    assert said["visibility_timeout_seconds"] == str(queue["VisibilityTimeout"]) == str(sqs.VISIBILITY)
    assert (said["sqs_managed_sse_enabled"], queue["SqsManagedSseEnabled"]) == ("true", True)


def test_terraform_refers_to_what_it_declares() -> None:
    """Offline there is no terraform: braces, names and variables are what can be checked."""
    assert CODE.count("{") == CODE.count("}")
    declared = {
        f"{kind}.{name}" for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', CODE, re.MULTILINE)
    }
    declared |= {
        f"data.{kind}.{name}" for kind, name in re.findall(r'^data "(\w+)" "(\w+)"', CODE, re.MULTILINE)
    }
    used = set(re.findall(r"\b((?:data\.)?aws_\w+\.\w+)\.", CODE))
    assert used
    assert used <= declared
    variables = set(re.findall(r'^variable "(\w+)"', CODE, re.MULTILINE))
    assert set(re.findall(r"var\.(\w+)", CODE)) == variables


@pytest.mark.parametrize("name", ["Queue", "Rule", "QueuePolicy", "OperatorPolicy"])
def test_no_resource_is_in_one_file_alone(name: str) -> None:
    """Each resource of the template has its like in Terraform."""
    likes = {
        "Queue": "aws_sqs_queue",
        "Rule": "aws_cloudwatch_event_rule",
        "QueuePolicy": "aws_sqs_queue_policy",
        "OperatorPolicy": "aws_iam_role_policy",
    }
    assert set(template()["Resources"]) == set(likes)
    assert f'resource "{likes[name]}"' in CODE
