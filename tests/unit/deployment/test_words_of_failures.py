"""What a person reads of an error that ended a pass, and which errors say nothing."""

from __future__ import annotations

import pytest

from sluice.model.errors import (
    AwsErrorKind,
    AwsFailure,
    Deferred,
    LeadershipLost,
    Refused,
    SluiceError,
    WriteConflict,
)
from sluice.plan.failures import Failure, failure_of, silence


def _failure(kind: AwsErrorKind) -> AwsFailure:
    return AwsFailure(service="ecs", operation="UpdateService", code="Code", message="Text.", kind=kind)


WORDS: dict[str, tuple[SluiceError, Failure | None]] = {
    "refused": (
        Refused("InvalidSpec", "spec.x: use y"),
        Failure(reason="InvalidSpec", message="spec.x: use y"),
    ),
    "no budget": (
        Deferred(7.0, "ecs writes"),
        Failure(reason="WaitingForAWSBudget", message="waiting for the AWS API budget ecs writes"),
    ),
    "denied": (
        _failure("denied"),
        Failure(
            reason="AccessDenied",
            message="AWS answered ecs:UpdateService with Code: Text.; allow the action for the operator's "
            "role",
        ),
    ),
    "quota": (
        _failure("quota"),
        Failure(
            reason="QuotaExceeded",
            message="AWS answered ecs:UpdateService with Code: Text.; raise the quota or remove what is not "
            "needed",
        ),
    ),
    "rejected": (
        _failure("rejected"),
        Failure(reason="AWSRejected", message="AWS answered ecs:UpdateService with Code: Text."),
    ),
    "throttled": (
        _failure("throttled"),
        Failure(reason="WaitingForAWSBudget", message="AWS answered ecs:UpdateService with Code: Text."),
    ),
    "not found": (_failure("not-found"), None),
    "conflict": (_failure("conflict"), None),
    "unavailable": (_failure("unavailable"), None),
    "unknown outcome": (_failure("unknown-outcome"), None),
    "a newer object": (WriteConflict("web"), None),
    "a lost Lease": (LeadershipLost("lease"), None),
}


@pytest.mark.parametrize(("error", "failure"), WORDS.values(), ids=WORDS)
def test_the_condition_of_an_error(error: SluiceError, failure: Failure | None) -> None:
    """AWS's own words and the cure; nothing of what the next pass looks at afresh anyway."""
    assert failure_of(error) == failure


def test_a_call_that_aws_refused_is_told_with_what_it_was_about() -> None:
    """AWS's words often do not say ("Cluster not found.")."""
    assert failure_of(_failure("rejected"), subject="service web-a1") == Failure(
        reason="AWSRejected", message="service web-a1: AWS answered ecs:UpdateService with Code: Text."
    )


@pytest.mark.parametrize("error", [error for error, _ in WORDS.values()], ids=WORDS)
def test_only_an_aws_without_an_answer_is_silent(error: SluiceError) -> None:
    """It is asked again, and until then an object that is fine stays Ready."""
    quiet = isinstance(error, AwsFailure) and error.kind in {"unavailable", "unknown-outcome"}
    told = silence(error)
    assert told == (
        Failure(
            reason="WaitingForAWSBudget",
            message="AWS gives no answer to ecs:UpdateService: Text.; it is asked again",
        )
        if quiet
        else None
    )


@pytest.mark.parametrize(("reason", "passing"), [("WaitingForAWSBudget", True), ("AccessDenied", False)])
def test_only_the_pace_of_aws_passes(reason: str, passing: bool) -> None:  # noqa: FBT001 - a table's cell
    """Everything else waits for a person."""
    assert Failure(reason=reason, message="").passing is passing
