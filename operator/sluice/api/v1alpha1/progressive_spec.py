"""`spec.strategy.progressive`: how a new revision gets its requests, step by step."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from sluice.api.v1alpha1.analysis import AnalysisSpec
from sluice.api.v1alpha1.choice import Choice, complaint
from sluice.api.v1alpha1.duration import Duration
from sluice.api.v1alpha1.hooks import HookSpec
from sluice.api.v1alpha1.schema import Cel, Typed, atomic, list_map
from sluice.api.v1alpha1.steps import BlueGreen, Canary, Linear, Name, StepSpec

_LAST: Final = "the last step is setWeight: 100; add it"
_HOOKS: Final = "a hook step names a hook of progressive.hooks with stage Step; add it there"
_UNUSED: Final = "a hook of stage Step runs only where a step names it; add the step or choose another stage"
_METRICS: Final = "an analysis step needs metrics in progressive.analysis, and names only those; add them"


def _cron(low_high: str, names: str = "") -> str:
    """Return the pattern of one cron field: lists of ranges with steps."""
    one = f"({low_high}{'|' + names if names else ''})"
    part = rf"(\*|{one}(-{one})?)(/[1-9][0-9]?)?"
    return f"{part}(,{part})*"


CRON: Final = (
    "^"
    + " ".join(
        (
            _cron("[0-5]?[0-9]"),
            _cron("1?[0-9]|2[0-3]"),
            _cron("[1-9]|[12][0-9]|3[01]"),
            _cron("[1-9]|1[0-2]", "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"),
            _cron("[0-7]", "SUN|MON|TUE|WED|THU|FRI|SAT"),
        )
    )
    + "$"
)


class Bake(Typed):
    """The time in which all requests reach the candidate and everything is ready to go back."""

    duration: Duration | None = None
    """How long; absent: 0s."""


class Capacity(Typed):
    """How many tasks the candidate has at a weight."""

    mode: Literal["AheadOfWeight", "Full"] | None = None
    """AheadOfWeight: what the next weight needs, healthy before it is written. Full: as many as the live
    slot from the start. Absent: Full with blueGreen, else AheadOfWeight."""
    surge: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Tasks beyond the share, as long as it is not all; absent: 1."""


class StandbySpec(Typed):
    """What is left of the old revision for an instant undo."""

    replicas: Annotated[str, Field(max_length=4, pattern=r"^(100|[1-9]?[0-9])%$")] | None = None
    """Share of its tasks that stay; absent: 100%."""
    duration: Duration | None = None
    """How long after success; absent: 1h. 0s: they go at once."""


class Drain(Typed):
    """How the old slot is left to finish its requests, beside the target groups' deregistration delay."""

    propagation_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """How long a load balancer may go on by old rules; absent: 30."""


class FreezeWindowSpec(Typed):
    """A time without starts and steps forward. Rollbacks are never frozen."""

    name: Name
    """Identity."""
    schedule: Annotated[str, Field(max_length=128, pattern=CRON)]
    """When it begins: five cron fields (minute, hour, day, month, weekday), as "0 18 * * FRI"."""
    duration: Duration
    """How long it lasts."""
    time_zone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] | None = None
    """IANA time zone of the schedule, as Europe/Berlin; absent: UTC."""


class ReleaseGroup(Typed):
    """Deployments of the namespace that start, step and fall back together."""

    name: Name
    """Name of the group: all Deployments that give it belong to it."""
    timeout: Duration | None = None
    """How long to wait for the other members; absent: 1h."""


class ProgressiveSpec(Choice):
    """A candidate beside what is live, tested and given requests weight by proven weight."""

    blue_green: BlueGreen | None = None
    """All requests at once. Exactly one of blueGreen, canary, linear, steps."""
    canary: Canary | None = None
    """A share first, then all."""
    linear: Linear | None = None
    """Equal shares, one after another."""
    steps: Annotated[list[StepSpec], atomic(most=64, least=1)] | None = None
    """Any steps, in order; the last is setWeight: 100."""
    bake: Bake | None = None
    """Time under all requests before the old tasks go."""
    capacity: Capacity | None = None
    """Tasks of the candidate at each weight."""
    standby: StandbySpec | None = None
    """What is left of the old revision for an instant undo."""
    drain: Drain | None = None
    """How the old slot finishes its requests."""
    on_new_revision: Literal["Supersede", "Queue", "Reject"] | None = None
    """What another revision in the spec does to a rollout in motion: back to the source first and then
    the new one (Supersede), after this one (Queue), nothing (Reject). Absent: Supersede."""
    on_drift: Literal["Halt", "Reassert"] | None = None
    """What weights do that somebody else wrote during a rollout: stop it and show them (Halt), or be
    overwritten (Reassert). Absent: Halt. A rollback always overwrites."""
    analysis: AnalysisSpec | None = None
    """Metrics and alarms, from the first weight to the end of bake."""
    hooks: Annotated[list[HookSpec], list_map("name", most=16)] | None = None
    """Gates outside of Sluice."""
    freeze_windows: Annotated[list[FreezeWindowSpec], list_map("name", most=16)] | None = None
    """Times without starts and steps forward."""
    release_group: ReleaseGroup | None = None
    """Deployments that go together."""
    choices: ClassVar[tuple[str, ...]] = ("blue_green", "canary", "linear", "steps")
    choice_text: ClassVar[str] = "exactly one of blueGreen, canary, linear and steps is needed; keep one"
    cel = (
        Cel(
            rule="!has(self.steps) || has(self.steps[self.steps.size() - 1].setWeight) && "
            "self.steps[self.steps.size() - 1].setWeight == 100.0",
            message=_LAST,
            field_path=".steps",
        ),
        Cel(
            rule="!has(self.steps) || self.steps.all(s, !has(s.hook) || has(self.hooks) && "
            "self.hooks.exists(h, h.name == s.hook.name && h.stage == 'Step'))",
            message=_HOOKS,
            field_path=".steps",
        ),
        Cel(
            rule="!has(self.hooks) || self.hooks.all(h, h.stage != 'Step' || has(self.steps) && "
            "self.steps.exists(s, has(s.hook) && s.hook.name == h.name))",
            message=_UNUSED,
            field_path=".hooks",
        ),
        Cel(
            rule="!has(self.steps) || self.steps.all(s, !has(s.analysis) || has(self.analysis) && "
            "has(self.analysis.metrics) && self.analysis.metrics.size() > 0 && "
            "(!has(s.analysis.metrics) || s.analysis.metrics.all(m, "
            "self.analysis.metrics.exists(x, x.name == m))))",
            message=_METRICS,
            field_path=".steps",
        ),
    )

    @model_validator(mode="after")
    def _names_what_is_there(self) -> ProgressiveSpec:
        steps, hooks = self.steps or [], {hook.name for hook in self.hooks or () if hook.stage == "Step"}
        metrics = {metric.name for metric in (self.analysis.metrics if self.analysis else None) or ()}
        called = {step.hook.name for step in steps if step.hook}
        if self.steps is not None and (not steps or steps[-1].set_weight != 100.0):
            raise complaint(_LAST)
        if not called <= hooks:
            raise complaint(_HOOKS)
        if not hooks <= called:
            raise complaint(_UNUSED)
        if any(
            step.analysis and (not metrics or not metrics.issuperset(step.analysis.metrics or ()))
            for step in steps
        ):
            raise complaint(_METRICS)
        return self
