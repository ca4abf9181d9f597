"""The ways Application Auto Scaling refuses, by code (botocore's error shapes; all HTTP 400).

Texts follow the service as public clients' tests repeat them (moto's among them), else from memory.
"""

from __future__ import annotations

from sluice_sandbox.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    """Refuse a request that cannot be: ValidationException."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """Refuse for want of a target, policy or schedule: ObjectNotFoundException."""
    return AwsError("ObjectNotFoundException", message)


def limit_exceeded(message: str) -> AwsError:
    """Refuse at a quota: LimitExceededException."""
    return AwsError("LimitExceededException", message)


def not_modelled(what: str) -> AwsError:
    """Refuse what AWS has and the stand-in does not: never an empty success."""
    return AwsError("UnsupportedOperation", f"The sandbox does not model {what}.", status=501)


def no_target(verb: str, namespace: str, resource: str, dimension: str) -> AwsError:
    """Say that nothing is registered (`verb` is `registered` or `found`, as the calls differ)."""
    return not_found(
        f"No scalable target {verb} for service namespace: {namespace}, resource ID: {resource}, "
        f"scalable dimension: {dimension}"
    )
