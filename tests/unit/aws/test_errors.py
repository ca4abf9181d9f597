"""Which AWS error means what: the table that decides every next step."""

from __future__ import annotations

import pytest

from sluice.aws.errors import classify, failure
from sluice.aws.transport import Answered, NoAnswer, NotSent
from sluice.model.errors import AwsErrorKind, stable

TABLE: list[tuple[str, str, str, int, bool, AwsErrorKind]] = [
    ("UpdateService", "ThrottlingException", "Rate exceeded", 400, True, "throttled"),
    ("ModifyRule", "Throttling", "Rate exceeded", 400, True, "throttled"),
    ("DescribeRules", "SomethingNew", "", 429, False, "throttled"),
    ("UpdateService", "AccessDeniedException", "User: x is not authorized", 400, True, "denied"),
    ("ModifyRule", "AccessDenied", "", 403, True, "denied"),
    ("AssumeRole", "ExpiredToken", "", 400, True, "denied"),
    ("UpdateService", "NeverHeardOf", "", 403, True, "denied"),
    (
        "CreateService",
        "InvalidParameterException",
        "Unable to assume the service linked role.",
        400,
        True,
        "denied",
    ),
    ("UpdateService", "ServiceNotFoundException", "Service not found.", 400, True, "not-found"),
    ("ModifyRule", "RuleNotFound", "", 400, True, "not-found"),
    ("DescribeTargetGroups", "TargetGroupNotFound", "", 400, False, "not-found"),
    (
        "DescribeTaskDefinition",
        "ClientException",
        "Unable to describe task definition.",
        400,
        False,
        "not-found",
    ),
    ("CreateService", "ClientException", "TaskDefinition not found.", 400, True, "not-found"),
    ("CreateService", "ClusterNotFoundException", "Cluster not found.", 400, True, "rejected"),
    ("CreateRule", "PriorityInUse", "Priority '3' is currently in use", 400, True, "conflict"),
    ("CreateTargetGroup", "DuplicateTargetGroupName", "", 400, True, "conflict"),
    ("DeleteTargetGroup", "ResourceInUse", "", 400, True, "conflict"),
    ("UpdateService", "ServiceNotActiveException", "Service was not ACTIVE.", 400, True, "conflict"),
    ("UpdateService", "ClientException", "TaskDefinition is inactive", 400, True, "conflict"),
    (
        "CreateService",
        "InvalidParameterException",
        "Creation of service was not idempotent.",
        400,
        True,
        "conflict",
    ),
    (
        "CreateService",
        "InvalidParameterException",
        "Unable to Start a service that is still Draining.",
        400,
        True,
        "conflict",
    ),
    (
        "CreateService",
        "InvalidParameterException",
        "The target group with targetGroupArn arn:x does not have an associated load balancer.",
        400,
        True,
        "conflict",
    ),
    (
        "DeleteService",
        "InvalidParameterException",
        "The service cannot be stopped while it is scaled above 0.",
        400,
        True,
        "conflict",
    ),
    ("CreateRule", "TooManyRules", "", 400, True, "quota"),
    ("CreateRule", "TargetGroupAssociationLimit", "", 400, True, "quota"),
    ("RegisterTaskDefinition", "LimitExceededException", "", 400, True, "quota"),
    (
        "UpdateService",
        "InvalidParameterException",
        "The subnet ID 'subnet-1' does not exist",
        400,
        True,
        "rejected",
    ),
    ("RegisterTaskDefinition", "ClientException", "Invalid 'cpu' setting for task.", 400, True, "rejected"),
    (
        "RegisterTaskDefinition",
        "ClientException",
        "Too many concurrent attempts to create",
        400,
        True,
        "unavailable",
    ),
    ("ModifyRule", "ValidationError", "1 validation error detected", 400, True, "rejected"),
    ("ModifyRule", "NeverHeardOf", "", 400, True, "rejected"),
    ("DescribeServices", "ServerException", "", 500, False, "unavailable"),
    ("UpdateService", "ServerException", "Service Unavailable.", 500, True, "unknown-outcome"),
    ("UpdateService", "500", "", 500, True, "unknown-outcome"),
    ("UpdateService", "ServiceUnavailable", "", 503, True, "unavailable"),
]


@pytest.mark.parametrize(
    ("operation", "code", "message", "status", "write", "kind"),
    TABLE,
    ids=[f"{row[0]}-{row[1]}-{row[5]}-{number}" for number, row in enumerate(TABLE)],
)
def test_a_refusal_has_one_meaning(
    operation: str, code: str, message: str, status: int, *, write: bool, kind: AwsErrorKind
) -> None:
    """Code first, then the message where the code says nothing, then the HTTP status."""
    assert classify(operation, code, message, status=status, write=write) == kind


@pytest.mark.parametrize(
    ("error", "write", "kind"),
    [
        (NotSent("refused"), True, "unavailable"),
        (NotSent("refused"), False, "unavailable"),
        (NoAnswer("read timeout"), True, "unknown-outcome"),
        (NoAnswer("read timeout"), False, "unavailable"),
    ],
)
def test_a_lost_answer_matters_only_to_a_write(
    error: NotSent | NoAnswer, *, write: bool, kind: AwsErrorKind
) -> None:
    """What never left did not happen; a write without an answer may have."""
    assert failure("ecs", "CreateService", error, write=write).kind == kind


def test_aws_own_words_are_kept() -> None:
    """People search for exactly the code and the message."""
    failed = failure("elbv2", "CreateRule", Answered("PriorityInUse", "Priority '3' is in use"), write=True)
    assert str(failed) == "elbv2:CreateRule: PriorityInUse: Priority '3' is in use"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Rate exceeded", "Rate exceeded"),
        (
            "Group missing (Service: ElasticLoadBalancing; Code: 400; Request ID: 1b2-c3; Proxy: null)",
            "Group missing (Service: ElasticLoadBalancing; Code: 400; Proxy: null)",
        ),
        (
            "no (Service: Sts, Status Code: 403, Request ID: 1b2-c3)",
            "no (Service: Sts, Status Code: 403)",
        ),
        ("<HTTPConnection object at 0x7f3c>: refused", "<HTTPConnection object >: refused"),
        ("two\n  lines", "two lines"),
    ],
)
def test_messages_are_the_same_for_the_same_trouble(said: str, kept: str) -> None:
    """A request id in a condition would write the status again with every attempt."""
    assert stable(said) == kept
