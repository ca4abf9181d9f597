"""The refusals that come before a service's own logic, each in that service's code and words.

Codes are the services' own error shapes in botocore where they have one (ECS's
AccessDeniedException, ServerException), the common errors of the query services otherwise
(https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/CommonErrors.html).
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire.models import Value

QUERY_SERVICES = frozenset({"elbv2", "iam", "sts", "sns", "ec2"})

_ACCESS_DENIED = QUERY_SERVICES | {"s3", "route53", "cloudwatch"}
"""The others say AccessDeniedException."""

_REST_JSON = frozenset({"vpc-lattice", "lambda"})

_THROTTLING = {
    "ecs": ("ThrottlingException", 400),
    "elbv2": ("Throttling", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "iam": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "sns": ("Throttled", 429),
    "cloudwatch": ("Throttling", 400),
    "resourcegroupstaggingapi": ("ThrottledException", 400),
    "s3": ("SlowDown", 503),
    "vpc-lattice": ("ThrottlingException", 429),
    "route53": ("Throttling", 400),
    "sqs": ("RequestThrottled", 400),
    "lambda": ("TooManyRequestsException", 429),
}
_THROTTLING_OF_OPERATION = {
    ("servicediscovery", "DiscoverInstances"): ("RequestLimitExceeded", 429),
    ("servicediscovery", "DiscoverInstancesRevision"): ("RequestLimitExceeded", 429),
}
"""Only the operations of Cloud Map's data plane have this shape in botocore; its control plane says
ThrottlingException (aws/aws-cloud-map-mcs-controller-for-k8s#128)."""
_SERVER_ERRORS = {
    "ecs": "ServerException",
    "ecr": "ServerException",
    "vpc-lattice": "InternalServerException",
    "application-autoscaling": "InternalServiceException",
    "cloudwatch": "InternalServiceError",
    "resourcegroupstaggingapi": "InternalServiceException",
    "events": "InternalException",
    "ec2": "InternalError",
    "s3": "InternalError",
}
_IAM_PREFIX = {
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
}


_IAM_ACTION = {
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "UploadPart"): "PutObject",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "DeleteObjects"): "DeleteObject",
    ("lambda", "Invoke"): "InvokeFunction",
}
"""Operations whose action has another name (Service Authorization Reference, the commoner ones)."""


def throttled(service: str, operation: str = "") -> AwsError:
    """Return the service's answer to too many calls of an operation."""
    usual = _THROTTLING.get(service, ("ThrottlingException", 400))
    code, status = _THROTTLING_OF_OPERATION.get((service, operation), usual)
    return AwsError(code, "Rate exceeded", status=status)


def server_error(service: str, *, status: int = 500, message: str = "") -> AwsError:
    """Return the service's 5xx: its own error shape at 500, ServiceUnavailable at 503."""
    if status == 503:
        return AwsError("ServiceUnavailable", message or "Service is unavailable", status=503)
    text = message or "Service Unavailable. Please try again later."
    return AwsError(_SERVER_ERRORS.get(service, "InternalFailure"), text, status=status)


def resource_of(caller: Caller, service: str, params: Value) -> str:
    """Return the resource that IAM would name for a call: an ARN among its parameters, `*` otherwise.

    ECS services are named, not always by ARN; their ARN is built as ECS builds it.
    """
    if not isinstance(params, Mapping):
        return "*"
    if service == "ecs":
        cluster = str(params.get("cluster", "default")).rsplit("/", 1)[-1]
        name = params.get("serviceName") or params.get("service")
        if isinstance(name, str) and not name.startswith("arn:"):
            return f"arn:aws:ecs:{caller.region}:{caller.account}:service/{cluster}/{name}"
    arns = (value for value in params.values() if isinstance(value, str) and value.startswith("arn:"))
    return next(arns, "*")


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action of an operation: `elasticloadbalancing:ModifyRule`, `s3:ListAllMyBuckets`."""
    return f"{_IAM_PREFIX.get(service, service)}:{_IAM_ACTION.get((service, operation), operation)}"


def access_denied(
    caller: Caller, service: str, operation: str, *, resource: str = "*", action: str = "", reason: str = ""
) -> AwsError:
    """Return IAM's denial as `service` shows it; the text is what IAM's troubleshooting page quotes.

    `action` is another than the call's own (iam:PassRole), `reason` another than a missing allow.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    action = action or iam_action(service, operation)
    reason = reason or f"because no identity-based policy allows the {action} action"
    text = f"User: {caller.principal} is not authorized to perform: {action} on resource: {resource} {reason}"
    if service == "ec2":
        return AwsError("UnauthorizedOperation", text, status=403)
    if service in _ACCESS_DENIED:
        return AwsError("AccessDenied", text, status=403)
    return AwsError("AccessDeniedException", text, status=403 if service in _REST_JSON else 400)


def unsupported(service: str, operation: str) -> AwsError:
    """Return the stand-in's own refusal of what it does not model: never an empty success."""
    text = f"The sandbox does not model {service} {operation}."
    code = "InvalidAction" if service in QUERY_SERVICES else "UnsupportedOperation"
    return AwsError(code, text, status=501)
