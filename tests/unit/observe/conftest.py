"""AWS as a table of functions, with a record of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.errors import AwsErrorKind, AwsFailure
from sluice.model.keys import DEPLOYMENT, Key
from sluice.observe.facts import AwsFacts
from sluice.observe.source import FactsSettings


@dataclass
class StillClock:
    """Time moves when a test says so."""

    seconds: float = 1000.0

    def now(self) -> float:
        """Return wall time."""
        return self.seconds

    def monotonic(self) -> float:
        """Return monotonic time."""
        return self.seconds


@dataclass
class TableAws:
    """`ports.Aws` over functions by operation; what is not in the table answers {}."""

    table: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, context: CallContext
    ) -> Mapping[str, Any]:
        """Record and answer."""
        self.calls.append((operation, params))
        answer = self.table.get(operation)
        return answer(params) if answer else {}

    def operations(self) -> list[str]:
        """Return what was called, in order."""
        return [operation for operation, _ in self.calls]


def failure(code: str, kind: AwsErrorKind) -> AwsFailure:
    """Return what the gateway raises."""
    return AwsFailure(service="x", operation="X", code=code, message="", kind=kind)


@dataclass
class Rig:
    """Facts over a table."""

    aws: TableAws = field(default_factory=TableAws)
    clock: StillClock = field(default_factory=StillClock)
    settings: FactsSettings = field(default_factory=FactsSettings)
    binding: Binding = field(default_factory=lambda: Binding(account="1", region="eu-west-1"))
    fail: Callable[[str, AwsErrorKind], AwsFailure] = failure
    facts: AwsFacts = field(init=False)

    def __post_init__(self) -> None:
        """Compose."""
        self.facts = AwsFacts(self.aws, clock=self.clock, settings=self.settings)

    @property
    def context(self) -> CallContext:
        """Return a context for a Deployment."""
        key = Key(DEPLOYMENT, "shop", "checkout")
        return CallContext(binding=self.binding, priority=Priority.ROLLOUT, key=key)


@pytest.fixture
def rig() -> Rig:
    """Give facts over an empty table."""
    return Rig()
