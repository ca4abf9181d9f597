"""Operations that FAIL on purpose: faults on what Cloud Map does after it has answered.

A rule of `aws.faults` for the service `servicediscovery` and an operation that begins with `Operation.`
(`Operation.REGISTER_INSTANCE`, `Operation.*`) meets the asynchronous work instead of the call. What it
refuses with becomes the operation's ErrorCode: `throttle` THROTTLED_REQUEST, `deny` ACCESS_DENIED, `error`
its own code where botocore lists it for operations, INTERNAL_FAILURE otherwise. `latency` makes the operation
take that much longer. As long as such a rule is
active, rules for every operation (`*`) meet the work too.
"""

from __future__ import annotations

from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.faults import Faults, Verdict
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery.desk import Mishap

PREFIX = "Operation."


def of_faults(faults: Faults, clock: Clock) -> Mishap:
    """Return what the world's faults do to operations."""

    def mishap(caller: Caller, kind: str) -> Verdict | None:
        if not any(rule.operation.startswith(PREFIX) for rule in faults.active()):
            return None
        return faults.decide(caller, "servicediscovery", PREFIX + kind, now=clock.now())

    return mishap
