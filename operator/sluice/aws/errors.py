"""What an AWS error means for the next step, as data: codes and messages → AwsErrorKind.

Codes are botocore's error shapes of ECS, Elastic Load Balancing, Cloud Map and ECR, and the common errors of
every AWS API (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html). ECS puts most
of its meaning into the message of ClientException and InvalidParameterException; those texts are from
memory and from public issues (named beside them), so they are matched loosely, and what is not recognised
falls back to what the code alone says.
"""

from __future__ import annotations

import re
from typing import Final

from sluice.aws.transport import Answered, NoAnswer, NotSent, TransportError
from sluice.model.errors import AwsErrorKind, AwsFailure, Retryable, stable


class WriteWithheld(Retryable):
    """Dry run: the write was logged and not sent. Nothing is wrong and nothing happened."""

    def __init__(self, service: str, operation: str) -> None:
        """Name the call that was not made."""
        super().__init__(f"dry run: {service}:{operation} was not sent")
        self.service = service
        self.operation = operation


_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "AuthorizationError",
        "BlockedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_NOT_FOUND: Final = frozenset(
    {
        "ImageNotFoundException",
        "InstanceNotFound",
        "ListenerNotFound",
        "LoadBalancerNotFound",
        "NamespaceNotFound",
        "OperationNotFound",
        "RepositoryNotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "RuleNotFound",
        "ServiceDeploymentNotFoundException",
        "ServiceNotFound",
        "ServiceNotFoundException",
        "TargetGroupNotFound",
    }
)
_CONFLICT: Final = frozenset(
    {
        "ConflictException",
        "CustomHealthNotFound",
        "DuplicateListener",
        "DuplicateRequest",
        "DuplicateTargetGroupName",
        "NamespaceAlreadyExists",
        "PriorityInUse",
        "ResourceInUse",
        "ResourceInUseException",
        "ServiceAlreadyExists",
        "ServiceNotActiveException",
        "UpdateInProgressException",
    }
)
_QUOTA: Final = frozenset(
    {
        "AttributeLimitExceededException",
        "LimitExceeded",
        "LimitExceededException",
        "ResourceLimitExceeded",
        "ServiceQuotaExceededException",
        "TargetGroupAssociationLimit",
    }
)
_UNAVAILABLE: Final = frozenset(
    {
        "HealthUnavailable",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)

_BY_CODE: Final[dict[str, AwsErrorKind]] = {
    **dict.fromkeys(_DENIED, "denied"),
    **dict.fromkeys(_NOT_FOUND, "not-found"),
    **dict.fromkeys(_CONFLICT, "conflict"),
    **dict.fromkeys(_QUOTA, "quota"),
}

# (operation, text in the message) → kind, for the codes that say nothing. '' is any operation.
_MESSAGES: Final[tuple[tuple[str, str, AwsErrorKind], ...]] = (
    # hashicorp/terraform-provider-aws#2283: the name is taken by a service with other settings.
    ("CreateService", r"not idempotent", "conflict"),
    ("CreateService", r"still draining", "conflict"),
    ("", r"service (was )?not active", "conflict"),
    # hashicorp/terraform#32908: "The target group with targetGroupArn … does not have an associated
    # load balancer."; deleted by hand, or the anchor rule is not there yet.
    ("", r"target ?group.*(does not exist|not found|associated load balancer)", "conflict"),
    ("DeleteService", r"scaled above 0|deployments are active", "conflict"),
    ("RegisterTaskDefinition", r"too many concurrent attempts", "unavailable"),
    ("", r"task ?definition.*(inactive|not active)", "conflict"),
    ("", r"(unable to describe task definition|task ?definition.*(not found|does not exist))", "not-found"),
    ("", r"service linked role", "denied"),
    ("", r"is not authorized to perform", "denied"),
)
_VAGUE: Final = frozenset(
    {"ClientException", "InvalidParameterException", "InvalidParameterValue", "ValidationError"}
)


def classify(operation: str, code: str, message: str, *, status: int, write: bool) -> AwsErrorKind:
    """Return what a refusal means. `status` is the HTTP status, the judge of unknown codes.

    A server error after a write is `unknown-outcome`: AWS may fail after it has done the work.
    503 is refused before the work by every service we know, so it is `unavailable`.
    """
    if code in _THROTTLED or status == 429:
        return "throttled"
    if code in _VAGUE:
        return _by_message(operation, message)
    if code in _UNAVAILABLE or status >= 500:
        return "unavailable" if status == 503 or not write else "unknown-outcome"
    by_status: AwsErrorKind = "denied" if status in (401, 403) else "rejected"
    return "quota" if code.startswith("TooMany") else _BY_CODE.get(code, by_status)


def _by_message(operation: str, message: str) -> AwsErrorKind:
    for only, text, kind in _MESSAGES:
        if only in ("", operation) and re.search(text, message, re.IGNORECASE):
            return kind
    return "rejected"


def failure(service: str, operation: str, error: TransportError, *, write: bool) -> AwsFailure:
    """Turn what a transport raised into the error of the product's tree."""
    if isinstance(error, Answered):
        kind = classify(operation, error.code, error.message, status=error.status, write=write)
        return AwsFailure(
            service=service, operation=operation, code=error.code, message=stable(error.message), kind=kind
        )
    lost = isinstance(error, NoAnswer) and write
    code = "NotSent" if isinstance(error, NotSent) else "NoAnswer"
    return AwsFailure(
        service=service,
        operation=operation,
        code=code,
        message=stable(str(error)),
        kind="unknown-outcome" if lost else "unavailable",
    )
