"""A progressive strategy as the machine reads it: steps, gates, capacity, and what to do when they fail.

Made from `spec.strategy.progressive` (`sluice.api`), presets already expanded to steps. A rollout keeps
the spec's own text of it as a snapshot, so an edit takes effect with the next rollout (rollout.md §3.1).
Weights are permille (0-1000) of requests for the candidate; times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

FULL: Final = 1000
"""Permille: everything."""
CapacityMode = Literal["AheadOfWeight", "Full"]
OnNewRevision = Literal["Supersede", "Queue", "Reject"]
OnDrift = Literal["Halt", "Reassert"]
OnNoData = Literal["Pause", "Fail", "Pass"]
OnFailure = Literal["Rollback", "Pause", "Ignore"]
HookStage = Literal[
    "PreScaleUp", "PostScaleUp", "PreTraffic", "Step", "PostTraffic", "PostBake", "OnRollback"
]
Operator = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWeight:
    """Send `permille` of the requests to the candidate (or, without routes, of the tasks)."""

    permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait: `seconds`, or until a person promotes."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyse:
    """Go on only after `seconds` of analysis with no metric failed; at least one sample of each."""

    seconds: float
    metrics: tuple[str, ...] = ()
    """Names of the strategy's metrics; () means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHook:
    """Run the hook of stage Step with this name and wait for its answer."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHeaderRoute:
    """Send requests with this header to the candidate, before and beside any weight; '' takes it away."""

    header: str = ""
    value: str = ""


Step = SetWeight | Pause | Analyse | RunHook | SetHeaderRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`> 0.01`: true of a value means what the field says (failure or success)."""

    operator: Operator
    threshold: float

    def holds(self, value: float) -> bool:
        """Tell whether `value` meets the condition."""
        match self.operator:
            case "<":
                return value < self.threshold
            case "<=":
                return value <= self.threshold
            case ">":
                return value > self.threshold
            case ">=":
                return value >= self.threshold
            case "==":
                return value == self.threshold
            case _:
                return value != self.threshold

    def __str__(self) -> str:
        """Return `> 0.01`."""
        return f"{self.operator} {self.threshold:g}"


MetricKind = Literal["loadBalancer", "cloudWatch", "prometheus", "web"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of an analysis."""

    name: str
    kind: MetricKind
    query: Mapping[str, Any]
    """The member of the spec that says what to ask, as it is there (`loadBalancer: {...}`)."""
    failure: Condition | None = None
    success: Condition | None = None
    """With both, a value that meets neither is inconclusive."""
    interval: float = 60.0
    initial_delay: float = 0.0
    failure_limit: int = 0
    """Failed samples that are tolerated; one more fails the analysis."""
    consecutive_error_limit: int = 4
    """Errors in a row that are tolerated; one more is inconclusive: the rollout pauses."""
    min_requests: int = 0
    """A sample over fewer requests counts as no data (load-balancer metrics)."""
    compare_to_live: bool = False
    """The value is the candidate's minus the live slot's over the same window."""
    dry_run: bool = False
    """Measured and shown, never decides."""

    def means(self, value: float) -> bool | None:
        """Return what a value means: True passed, False failed, None neither."""
        if self.failure is not None and self.failure.holds(value):
            return False
        if self.success is not None:
            if self.success.holds(value):
                return True
            return None if self.failure is not None else False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is measured throughout the rollout, from the first weight to the end of bake."""

    metrics: tuple[Metric, ...] = ()
    alarms: tuple[str, ...] = ()
    """CloudWatch alarms that must not be in ALARM."""
    on_no_data: OnNoData = "Pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A gate outside: a webhook, or an ECS task."""

    name: str
    stage: HookStage
    webhook: Mapping[str, Any] | None = None
    run_task: Mapping[str, Any] | None = None
    timeout: float = 300.0
    retries: int = 0
    on_failure: OnFailure = "Rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeWindow:
    """No start and no step forward from each time of a cron schedule on, for `duration` seconds."""

    name: str
    schedule: str
    """Five cron fields, in `time_zone`."""
    duration: float
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressive:
    """A whole strategy."""

    steps: tuple[Step, ...]
    preset: str = ""
    """blueGreen, canary or linear when the steps were made from one; for people."""
    bake: float = 0.0
    capacity: CapacityMode = "AheadOfWeight"
    surge: int = 1
    standby_percent: int = 100
    standby_seconds: float = 3600.0
    propagation_delay: float = 30.0
    on_new_revision: OnNewRevision = "Supersede"
    on_drift: OnDrift = "Halt"
    analysis: Analysis = field(default_factory=Analysis)
    hooks: tuple[Hook, ...] = ()
    freeze: tuple[FreezeWindow, ...] = ()
    release_group: str = ""
    group_timeout: float = 3600.0
    """How long a member waits for the others before it stalls."""
    min_ready: float = 0.0
    progress_deadline: float = 3600.0
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    """`spec.strategy.progressive` as it was read: kept in status.rollout.strategy."""
