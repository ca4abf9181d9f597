"""Which condition an error of a pass becomes; the same for both controllers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sluice.model.errors import AwsErrorKind, AwsFailure, Deferred, Refused, SluiceError

_REASONS: Final[dict[AwsErrorKind, str]] = {
    "denied": "AccessDenied",
    "rejected": "AWSRejected",
    "quota": "QuotaExceeded",
    "throttled": "WaitingForAWSBudget",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A condition's reason and message."""

    reason: str
    message: str

    @property
    def passing(self) -> bool:
        """Tell whether it is only the pace of AWS: an object that is fine stays Ready meanwhile."""
        return self.reason == "WaitingForAWSBudget"


def failure_of(error: SluiceError, *, subject: str = "") -> Failure | None:
    """Return the condition that tells a person about `error`; None when waiting a moment may do.

    `subject` is what a call that AWS refused was about: its words often do not say ("Cluster not found.").

    None covers what the next pass looks at afresh: conflicts, things that vanished between two calls,
    answers that never came, a lost Lease. Their conditions stay what they were.
    """
    if isinstance(error, Refused):
        return Failure(reason=error.reason, message=error.message)
    if isinstance(error, Deferred):
        return Failure(reason="WaitingForAWSBudget", message=f"waiting for the AWS API budget {error.bucket}")
    if isinstance(error, AwsFailure) and error.kind in _REASONS:
        cure = {
            "denied": "; allow the action for the operator's role",
            "quota": "; raise the quota or remove what is not needed",
        }.get(error.kind, "")
        about = f"{subject}: " if subject else ""
        text = (
            f"{about}AWS answered {error.service}:{error.operation} with {error.code}: {error.message}{cure}"
        )
        return Failure(reason=_REASONS[error.kind], message=text)
    return None


def silence(error: SluiceError) -> Failure | None:
    """Return the condition about an AWS that has not answered for a while, None for any other error."""
    if isinstance(error, AwsFailure) and error.kind in {"unavailable", "unknown-outcome"}:
        text = f"AWS gives no answer to {error.service}:{error.operation}: {error.message}; it is asked again"
        return Failure(reason="WaitingForAWSBudget", message=text)
    return None
