"""Where in AWS something is done, how urgent it is, and on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from sluice.model.keys import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One account and region reached with one role; the unit of clients, caches and budgets."""

    account: str
    """Account id, or '' for the operator's own before it is known."""
    region: str
    role_arn: str = ""
    """Role to assume; '' uses the operator's own credentials."""
    external_id: str = ""

    def __str__(self) -> str:
        """Return `account/region`, the label of metrics and logs."""
        return f"{self.account or 'default'}/{self.region}"


class Priority(IntEnum):
    """Who gets a budget token first; the smaller the value the sooner (decision 7)."""

    ROLLBACK = 0
    VERIFY = 1
    ROLLOUT = 2
    DRIFT = 3
    GARBAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """What the gateway needs to know of a call beside its parameters."""

    binding: Binding
    priority: Priority
    key: Key
    reason: str = ""
    """Why, for the audit line of a write."""
    subject: str = ""
    """What it is about, for the same line."""
