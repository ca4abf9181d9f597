"""The ways Cloud Map refuses, by code, HTTP status and in its words.

Codes, statuses and members are botocore's error shapes. Texts marked (issue) are quoted in public
issues; the others are from memory.
"""

from __future__ import annotations

from sluice_sandbox.aws.errors import AwsError


def invalid_input(message: str) -> AwsError:
    """Refuse a parameter: InvalidInput."""
    return AwsError("InvalidInput", message)


def namespace_not_found(identifier: str) -> AwsError:
    """Say that no namespace has the id, ARN or HTTP name."""
    return AwsError("NamespaceNotFound", f"Failed to get namespace {identifier}: not found", status=404)


def service_not_found(identifier: str) -> AwsError:
    """Say that no service has the id, ARN or name."""
    return AwsError("ServiceNotFound", f"Failed to get service {identifier}: not found", status=404)


def instance_not_found(instance_id: str) -> AwsError:
    """Say that the service has no such instance."""
    return AwsError("InstanceNotFound", f"Instance {instance_id} not found", status=404)


def operation_not_found(operation_id: str) -> AwsError:
    """Say that no operation has the id."""
    return AwsError("OperationNotFound", f"Operation {operation_id} not found", status=404)


def resource_not_found(arn: str) -> AwsError:
    """Say that nothing that carries tags has the ARN."""
    return AwsError("ResourceNotFoundException", f"The resource {arn} was not found", status=404)


def resource_in_use(message: str) -> AwsError:
    """Refuse a deletion of what still holds something."""
    return AwsError("ResourceInUse", message, status=409)


def duplicate_request(operation_id: str) -> AwsError:
    """Refuse a second operation on what one is working on."""
    return AwsError(
        "DuplicateRequest",
        "Another operation of this type and target is in progress",
        status=409,
        members={"DuplicateOperationId": operation_id},
    )


def namespace_already_exists(*, namespace_id: str, creator_request_id: str, name: str) -> AwsError:
    """Refuse a namespace whose name is taken."""
    return AwsError(
        "NamespaceAlreadyExists",
        f"Namespace with name {name} already exists.",
        members={"NamespaceId": namespace_id, "CreatorRequestId": creator_request_id},
    )


def service_already_exists(*, service_id: str, service_arn: str, creator_request_id: str) -> AwsError:
    """Refuse a service whose name is taken in its namespace."""
    return AwsError(
        "ServiceAlreadyExists",
        "Service already exists.",
        members={
            "ServiceId": service_id,
            "ServiceArn": service_arn,
            "CreatorRequestId": creator_request_id,
        },
    )


def custom_health_not_found() -> AwsError:
    """Refuse a custom status for a service without HealthCheckCustomConfig."""
    return AwsError(
        "CustomHealthNotFound", "The service has no HealthCheckCustomConfig configured.", status=404
    )


def limit_exceeded(what: str, limit: int) -> AwsError:
    """Refuse what would exceed a quota."""
    return AwsError("ResourceLimitExceeded", f"You have reached the limit of {limit} {what}.")


def too_many_tags(arn: str, limit: int) -> AwsError:
    """Refuse tags beyond 50."""
    return AwsError(
        "TooManyTagsException",
        f"The maximum number of tags that can be applied to a resource is {limit}.",
        members={"ResourceName": arn},
    )


def too_many_service_attributes(limit: int) -> AwsError:
    """Refuse attributes of a service beyond 30."""
    return AwsError(
        "ServiceAttributesLimitExceededException",
        f"The maximum number of attributes of a service is {limit}.",
    )
