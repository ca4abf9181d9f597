"""The ways CloudWatch refuses, by code.

Codes and statuses are those of botocore's error shapes (InvalidParameterValueException is the code
InvalidParameterValue, and so on); what no shape covers is the service's common ValidationError.
"""

from __future__ import annotations

from sluice_sandbox.aws.errors import AwsError


def validation_error(message: str) -> AwsError:
    """Refuse a request that cannot be: ValidationError."""
    return AwsError("ValidationError", message)


def invalid_value(message: str) -> AwsError:
    """Refuse a parameter's value: InvalidParameterValue."""
    return AwsError("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsError:
    """Refuse parameters that exclude each other: InvalidParameterCombination."""
    return AwsError("InvalidParameterCombination", message)


def missing_parameter(message: str) -> AwsError:
    """Refuse for want of a parameter: MissingParameter."""
    return AwsError("MissingParameter", message)


def invalid_token() -> AwsError:
    """Refuse a NextToken that was never given out."""
    return AwsError("InvalidNextToken", "Request parameter NextToken is invalid")


def not_modelled(what: str, instead: str = "") -> AwsError:
    """Refuse what AWS has and the stand-in does not: never an empty success."""
    text = f"The sandbox does not model {what}."
    return AwsError("UnsupportedOperation", f"{text} {instead}".strip(), status=501)
