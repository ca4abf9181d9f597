"""The steps of a progressive rollout, and the presets that are short for some.

The words follow Argo Rollouts (setWeight, pause, setHeaderRoute, analysis); the presets' numbers when
absent are those of ECS's own strategies (botocore's CanaryConfiguration and LinearConfiguration).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, model_validator

from sluice.api.v1alpha1.choice import Choice, complaint
from sluice.api.v1alpha1.container import DNS_LABEL
from sluice.api.v1alpha1.duration import Duration
from sluice.api.v1alpha1.schema import Cel, Typed, rules, unique

Name = Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_|~`-]+$"
_ONE_DECIMAL: Final = "a weight has one decimal at most, as 0.5 or 12"
_NOTHING: Final = "a canary needs a weight of 0.1 at least"
_PAIR: Final = "header and value go together; give both, or neither to take the header route away"
_WAITS: Final = "autoPromote false waits for a person; remove autoPromoteAfter"


def _in_tenths(value: float) -> float:
    if round(value * 10) / 10 != value:
        raise complaint(_ONE_DECIMAL)
    return value


def _something(value: float) -> float:
    if not value:
        raise complaint(_NOTHING)
    return value


_TENTHS_RULE: Final = "double(int(self * 10.0 + 0.5)) / 10.0 == self"
_TENTHS: Final = rules(Cel(rule=_TENTHS_RULE, message=_ONE_DECIMAL))
Percent = Annotated[float, Field(ge=0, le=100), AfterValidator(_in_tenths), _TENTHS]
_SOME: Final = rules(
    # kube-openapi compares a whole number with a minimum of 0.1 as integers: 0 would pass there.
    Cel(rule="self > 0.0", message=_NOTHING),
    Cel(rule=_TENTHS_RULE, message=_ONE_DECIMAL),
)
SomePercent = Annotated[
    float, Field(ge=0, le=100), AfterValidator(_in_tenths), AfterValidator(_something), _SOME
]
StepPercent = Annotated[float, Field(ge=1, le=100), AfterValidator(_in_tenths), _TENTHS]


class PauseStep(Typed):
    """A pause."""

    duration: Duration | None = None
    """How long (10m, 1h30m); absent: until a person promotes."""


class AnalysisStep(Typed):
    """A step that goes on only when its analysis passes."""

    duration: Duration
    """How long to measure."""
    metrics: Annotated[list[Name], unique(most=32)] | None = None
    """Names of metrics of progressive.analysis; absent: all of them."""


class HookStep(Typed):
    """A step that waits for a hook."""

    name: Name
    """Name of a hook of stage Step."""


class HeaderRoute(Typed):
    """Requests with a header go to the candidate, whatever the weights; {} takes that away again."""

    header: Annotated[str, Field(min_length=1, max_length=40, pattern=HEADER_NAME)] | None = None
    """Name of the header, in any case."""
    value: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Its value; * and ? stand for any text and any character, as in ALB conditions."""
    cel = (Cel(rule="has(self.header) == has(self.value)", message=_PAIR),)

    @model_validator(mode="after")
    def _both(self) -> HeaderRoute:
        if (self.header is None) != (self.value is None):
            raise complaint(_PAIR)
        return self


class TestHeader(Typed):
    """A header that reaches the candidate before any weight."""

    __test__ = False
    header: Annotated[str, Field(min_length=1, max_length=40, pattern=HEADER_NAME)]
    """Name of the header, in any case."""
    value: Annotated[str, Field(min_length=1, max_length=128)]
    """Its value."""


class StepSpec(Choice):
    """One step; exactly one of its members is set."""

    set_weight: Percent | None = None
    """Send this share of the requests (0 to 100, one decimal) to the candidate and wait until every
    route has proved it."""
    pause: PauseStep | None = None
    """Wait for a time, or, with {}, for a person."""
    analysis: AnalysisStep | None = None
    """Measure for a time and go on only when nothing failed."""
    hook: HookStep | None = None
    """Call a hook and wait for its answer."""
    set_header_route: HeaderRoute | None = None
    """Send requests with a header to the candidate; {} takes that away."""
    choices: ClassVar[tuple[str, ...]] = ("set_weight", "pause", "analysis", "hook", "set_header_route")
    choice_text: ClassVar[str] = (
        "a step has exactly one of setWeight, pause, analysis, hook and setHeaderRoute; make a step of each"
    )


class BlueGreen(Typed):
    """All requests at once, after a time for tests if any. Expands to header, pause, setWeight 100."""

    test_header: TestHeader | None = None
    """A header that reaches the candidate meanwhile; a ServiceRoute's test listener does so anyway."""
    auto_promote: bool | None = None
    """Whether it goes on without a person; absent: true."""
    auto_promote_after: Duration | None = None
    """How long the candidate waits, tested by whoever likes to, before it gets the requests; absent: 0s."""
    cel = (
        Cel(
            rule="!has(self.autoPromote) || self.autoPromote || !has(self.autoPromoteAfter)",
            message=_WAITS,
            field_path=".autoPromoteAfter",
        ),
    )

    @model_validator(mode="after")
    def _waits_for_one(self) -> BlueGreen:
        if self.auto_promote is False and self.auto_promote_after is not None:
            raise complaint(_WAITS)
        return self


class Canary(Typed):
    """A small share first, then all. Expands to setWeight, pause, setWeight 100."""

    weight: SomePercent | None = None
    """Share of the requests; absent: 5."""
    duration: Duration | None = None
    """How long it stays there; absent: 10m."""


class Linear(Typed):
    """Equal shares, one after another. Expands to setWeight and pause by turns, up to setWeight 100."""

    step_weight: StepPercent | None = None
    """Share that each step adds; absent: 10."""
    step_duration: Duration | None = None
    """How long each step stays; absent: 6m. None after 100: that is bake's."""
