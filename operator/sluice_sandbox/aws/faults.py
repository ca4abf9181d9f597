"""Faults on purpose: what AWS does to a caller on a bad day, deterministic by seed.

A fault is a rule: which calls (service, operation and principal, as globs), when (a window of world
time), how often (probability, count), and what happens. Probabilities are drawn from the faults' own
generator, one draw per matching rule and call, so that adding a rule for one operation does not
change the dice of another world component.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sluice_sandbox.aws.buckets import TokenBuckets
from sluice_sandbox.aws.errors import AwsError, ConnectionLost
from sluice_sandbox.aws.refusals import access_denied, resource_of, server_error, throttled
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire.models import Value

KINDS = (
    "throttle",  # refused with the service's throttling code
    "buckets",  # refused when the published token buckets are empty (aws.buckets)
    "error",  # refused: `code`, `status`, `message`; a server error of the service when not given
    "latency",  # answered `seconds` later
    "reset",  # the connection ends before the call takes place
    "lost-response",  # the call takes place, its answer never arrives
    "stale-read",  # reads miss the writes of the last `seconds`
    "deny",  # AccessDenied in IAM's wording
)


@dataclass(slots=True, kw_only=True)
class Fault:
    """One rule. `remaining` counts down; a rule at 0 or past `until` does nothing and is dropped."""

    kind: str
    service: str = "*"
    operation: str = "*"
    principal: str = "*"
    probability: float = 1.0
    remaining: int | None = None
    since: float = 0.0
    until: float | None = None
    seconds: float = 0.0
    status: int = 0
    code: str = ""
    message: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        """Refuse what no rule can mean."""
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability is between 0 and 1, not {self.probability}")
        if self.kind in {"latency", "stale-read"} and self.seconds <= 0:
            raise ValueError(f"{self.kind} needs seconds above 0")
        if self.status and not 400 <= self.status <= 599:
            raise ValueError(f"an error's status is between 400 and 599, not {self.status}")


@dataclass(slots=True)
class Verdict:
    """What the faults do to one call."""

    latency: float = 0.0
    refusal: AwsError | ConnectionLost | None = None
    lose_answer: bool = False
    stale_seconds: float = 0.0


@dataclass(slots=True)
class Faults:
    """The active rules. `on_latency(seconds)` hears of latency in process, where nothing waits."""

    rng: random.Random
    on_latency: Callable[[float], None] | None = None
    _rules: list[Fault] = field(default_factory=list)
    _buckets: TokenBuckets = field(default_factory=TokenBuckets)
    _next: int = 1

    def add(self, fault: Fault) -> Fault:
        """Activate a rule and return it with its id."""
        fault.id = fault.id or f"fault-{self._next}"
        self._next += 1
        self._rules.append(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """End a rule; False when there is none with this id."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if rule.id != fault_id]
        return len(self._rules) < before

    def clear(self) -> None:
        """End all rules and fill the buckets."""
        self._rules.clear()
        self._buckets = TokenBuckets()

    def active(self) -> tuple[Fault, ...]:
        """Return the rules that have not ended by count (a window may still be ahead)."""
        return tuple(self._rules)

    @property
    def stale_horizon(self) -> float:
        """How far back a stale read may look, seconds; 0 when no rule asks for history."""
        if not self._rules:
            return 0.0
        return max((rule.seconds for rule in self._rules if rule.kind == "stale-read"), default=0.0)

    def decide(
        self, caller: Caller, service: str, operation: str, *, now: float, params: Value = None
    ) -> Verdict | None:
        """Return what happens to this call, None when nothing does. Counts and draws are used up.

        `params`, as sent, only serve to name the resource in a denial.
        """
        if not self._rules:
            return None
        verdict = Verdict()
        for rule in tuple(self._rules):
            if not self._hits(rule, caller, service, operation, now):
                continue
            if rule.remaining is not None:
                rule.remaining -= 1
            if rule.kind == "latency":
                verdict.latency += rule.seconds
            elif rule.kind == "stale-read":
                verdict.stale_seconds = max(verdict.stale_seconds, rule.seconds)
            elif rule.kind == "lost-response":
                verdict.lose_answer = True
            elif verdict.refusal is None:
                verdict.refusal = _refusal(rule, caller, service, operation, params)
        self._drop_ended(now)
        return verdict

    def _hits(self, rule: Fault, caller: Caller, service: str, operation: str, now: float) -> bool:
        if rule.remaining == 0 or now < rule.since or (rule.until is not None and now >= rule.until):
            return False
        if not (
            fnmatchcase(service, rule.service)
            and fnmatchcase(operation, rule.operation)
            and fnmatchcase(caller.principal, rule.principal)
        ):
            return False
        if rule.kind == "buckets":
            return not self._buckets.take(caller, service, operation, now=now)
        return rule.probability >= 1 or self.rng.random() < rule.probability

    def _drop_ended(self, now: float) -> None:
        self._rules = [
            rule for rule in self._rules if rule.remaining != 0 and (rule.until is None or now < rule.until)
        ]


def _refusal(
    rule: Fault, caller: Caller, service: str, operation: str, params: Value
) -> AwsError | ConnectionLost:
    if rule.kind == "reset":
        return ConnectionLost(f"{service} {operation}: reset before the call")
    if rule.kind == "deny":
        return access_denied(caller, service, operation, resource=resource_of(caller, service, params))
    if rule.kind in {"throttle", "buckets"}:
        return throttled(service, operation)
    if rule.code:
        text = rule.message or f"{service} {operation} is refused by {rule.id}"
        return AwsError(rule.code, text, status=rule.status or 400)
    return server_error(service, status=rule.status or 500, message=rule.message)
