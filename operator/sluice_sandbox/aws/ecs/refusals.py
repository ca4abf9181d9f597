"""The ways ECS refuses, by code and in its words.

All are HTTP 400 (botocore's ecs model gives no other status for them). Texts come from public
issues and terraform/copilot sources unless a function says otherwise.
"""

from __future__ import annotations

from sluice_sandbox.aws.errors import AwsError


def invalid_parameter(message: str) -> AwsError:
    """Refuse a parameter: InvalidParameterException."""
    return AwsError("InvalidParameterException", message)


def client_exception(message: str) -> AwsError:
    """Refuse for a reason of the client: ClientException."""
    return AwsError("ClientException", message)


def unsupported(message: str) -> AwsError:
    """Refuse what the stand-in does not model (or AWS does not support there)."""
    return AwsError("UnsupportedFeatureException", message)


def cluster_not_found() -> AwsError:
    """Say that the cluster does not exist."""
    return AwsError("ClusterNotFoundException", "Cluster not found.")


def cluster_inactive() -> AwsError:
    """Say that the cluster was deleted (hashicorp/terraform-provider-aws, recognised by text)."""
    return AwsError("ClusterNotFoundException", "The referenced cluster was inactive.")


def service_not_found() -> AwsError:
    """Say that the service does not exist."""
    return AwsError("ServiceNotFoundException", "Service not found.")


def service_not_active() -> AwsError:
    """Say that the service is DRAINING or INACTIVE."""
    return AwsError("ServiceNotActiveException", "Service was not ACTIVE.")


def namespace_not_found(namespace: str) -> AwsError:
    """Say that a Cloud Map namespace does not exist (text: terraform-aws-modules/terraform-aws-ecs#116)."""
    return AwsError("NamespaceNotFoundException", f"Failed to retrieve namespace for {namespace}")


def resource_not_found(arn: str) -> AwsError:
    """Say that a tagged resource does not exist (text from memory)."""
    return AwsError("ResourceNotFoundException", f"The specified resource is not found: {arn}")


def access_denied_other_account() -> AwsError:
    """Refuse an ARN of another account or region (text from memory)."""
    return invalid_parameter("Identifier is for another account or region.")
