"""Every way a pass can end early, drawn once.

    SluiceError
    ├── Refused                    waiting changes nothing: a condition, then a new generation
    └── Retryable                  waiting may help: back-off, or `until` where the time is known
        ├── Deferred               no AWS budget now: come back at `until`, no thread waits
        ├── AwsFailure             AWS answered with an error, or did not answer
        ├── WriteConflict          the API server has a newer version of the object than we planned on
        └── LeadershipLost         this replica may no longer write

Messages say what, where (field path, ARN) and what to do; no timestamps and no request ids, because
they end up in conditions and would make every status write differ.
"""

from __future__ import annotations

import re
from typing import Final, Literal

AwsErrorKind = Literal[
    "throttled",  # the budget shrinks, the call is repeated later
    "denied",  # IAM: Stalled/AccessDenied, slow retry (a policy may be fixed without a new generation)
    "not-found",  # the object is gone: caches are dropped, the plan is made again
    "conflict",  # somebody was there first (names, priorities, state): look again, plan again
    "rejected",  # AWS will never accept these parameters: Stalled/AWSRejected
    "quota",  # a limit of the account: Stalled/QuotaExceeded
    "unavailable",  # AWS is broken; nothing happened or it is safe to look
    "unknown-outcome",  # no answer to a write: it may have happened; look before acting again
]

PASSING: Final = frozenset[AwsErrorKind]({"throttled", "unavailable", "unknown-outcome"})
"""AWS's pace: the same call is worth repeating, and nobody but AWS can do anything about it."""
_CHANGING: Final = re.compile(r"[;,]?\s*\bRequest ?ID: ?[\w-]+|\bat 0x[0-9a-f]+", re.IGNORECASE)


class SluiceError(Exception):
    """Base of every error that ends a pass."""


class Refused(SluiceError):  # noqa: N818 - reads as the outcome it is
    """Waiting changes nothing. `reason` is one of the closed list of condition reasons (api.md)."""

    def __init__(self, reason: str, message: str) -> None:
        """Refuse with a condition reason and a text that names the field or object and the cure."""
        super().__init__(message)
        self.reason = reason
        self.message = message


class Retryable(SluiceError):  # noqa: N818
    """Waiting may help."""


class Deferred(Retryable):
    """No budget token for an AWS call of this priority before `until` (epoch seconds)."""

    def __init__(self, until: float, bucket: str) -> None:
        """Tell when a token will be there and which bucket is empty."""
        super().__init__(f"AWS budget {bucket} is spent")
        self.until = until
        self.bucket = bucket


class AwsFailure(Retryable):
    """An AWS call failed; `kind` decides what happens next."""

    def __init__(self, *, service: str, operation: str, code: str, message: str, kind: AwsErrorKind) -> None:
        """Keep AWS's own code and message; a person searches for exactly these."""
        super().__init__(f"{service}:{operation}: {code}: {message}")
        self.service = service
        self.operation = operation
        self.code = code
        self.message = message
        self.kind: AwsErrorKind = kind


class WriteConflict(Retryable):
    """The object changed since the snapshot was taken, or is gone."""


class LeadershipLost(Retryable):
    """The Lease does not outlive the call that was about to be made."""


def stable(message: str) -> str:
    """Return one line without what differs from call to call: it ends up in conditions.

    ECS quotes other services with their request ids; Python's errors quote object addresses.
    """
    return " ".join(_CHANGING.sub("", message).split())
