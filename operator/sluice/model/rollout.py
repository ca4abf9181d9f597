"""The progressive machine's own memory: what status keeps of a rollout, and what is decided about it.

`Motion` is read from status and written back by `plan.progressive.state`; the machine (`sluice.rollout`)
turns one into the next. Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sluice.model.actions import Note
from sluice.model.strategy import Metric

_DIGEST: Final = 19  # of a digest: sha256: and twelve digits

Stage = Literal[
    "Starting",  # gates of the start: pause, freeze, alarms, release group
    "PreScaleUp",  # hooks
    "ScalingUp",  # idle slot to 0, then the candidate up to its first size, healthy
    "PostScaleUp",  # hooks
    "PreTraffic",  # hooks; the test listener shows the candidate from here on
    "Stepping",
    "PostTraffic",  # hooks, at 100 %
    "Baking",
    "PostBake",  # hooks
    "Draining",  # the source's slot: propagation, deregistration, cookies; then it becomes standby
    "RollingBack",  # rules first: written, verified
    "CleaningUp",  # OnRollback hooks, evidence, drain, candidate to 0
]
BACK: Final[frozenset[str]] = frozenset({"RollingBack", "CleaningUp"})
"""Stages of the way back."""
RolloutKind = Literal["First", "Rollout", "Undo"]
Outcome = Literal["Succeeded", "RolledBack", "Failed", "Aborted", "Superseded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun:
    """Where a hook stands; its id is `<place>/<name>`, place a stage or `step-<index>`."""

    id: str
    attempt: int = 0
    started_at: float = 0.0
    state: Literal["Running", "Succeeded", "Failed", "Ignored"] = "Running"
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRun:
    """Where the samples of a metric stand; `id` is the metric's name, `step-<index>/<name>` in a step."""

    id: str
    since: float
    """When it began: the weight was proven, or the step's clock started."""
    due: float = 0.0
    """When the next sample is asked for; its window is the interval that ends then."""
    taken: int = 0
    """Samples that were judged; the number of the next one."""
    passed: int = 0
    failed: int = 0
    inconclusive: int = 0
    errors: int = 0
    """In a row, up to now."""
    empty: int = 0
    """Samples without data in a row, up to now."""
    last: float | None = None
    last_at: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """For people: one thing that must say yes before the rollout goes on (status.rollout.gates)."""

    name: str
    state: Literal["Waiting", "Running", "Passed", "Failed", "Inconclusive"]
    since: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One move to another revision. Nothing in it is derived from the present facts."""

    id: str
    kind: RolloutKind
    candidate: str
    slot: str
    """The candidate's."""
    source: str = ""
    """Revision that was live; '' in the first rollout."""
    stage: Stage = "Starting"
    started_at: float = 0.0
    by: str = "spec"
    persons: tuple[str, ...] = ()
    """Verbs that had their effect, with who said them: `promote: alice`."""
    step: int = 0
    """Index of the step that goes on; steps before it are done."""
    step_since: float | None = None
    """When its clock started (the last acknowledgement of its weight); None: not yet."""
    stage_since: float = 0.0
    progressed_at: float = 0.0
    """When something last moved forward, or time stopped counting; against progressDeadlineSeconds."""
    weight: int = 0
    """Permille for the candidate that routes are asked for."""
    proven: int = 0
    """The last one that every route proved: slots are sized for the larger (rollout.md §7 point 5)."""
    header: tuple[str, str] | None = None
    live_floor: int = 0
    """The most tasks the live slot was meant to have since the start: it never has fewer before the end."""
    shown: bool = False
    """Requests may have reached the candidate (test listener, header or weight): it drains before it goes."""
    shares: bool = False
    """No route at the start: weights are shares of tasks, not of requests."""
    healthy_since: float | None = None
    """Since when the candidate has the healthy targets for its next weight (minReadySeconds)."""
    clock_stopped_at: float | None = None
    """Since when time does not count against progressDeadlineSeconds; None: it counts."""
    barrier_since: float | None = None
    """Since when it waits for other members of the release group; None: it does not."""
    paused: bool = False
    """By a person."""
    held: str = ""
    """A condition reason while the machine itself waits for a person (AnalysisInconclusive, DriftHalted,
    RouteMissing, ...), with the text in `message`."""
    full: bool = False
    """promote-full: pauses, analyses and hooks of the remaining steps are passed over; gates of health,
    alarms and background analysis are not."""
    reassert: bool = False
    """A person resumed after drift: foreign weights are overwritten once."""
    verify_after: float = 0.0
    samples_after: float = 0.0
    """Samples older than this do not count (a restart, a new leader)."""
    decided_at: float = 0.0
    """When the rollback was decided."""
    verified_at: float = 0.0
    """When the rollback's last rule was verified; 0 where it has none to write."""
    discovered_at: float = 0.0
    """When the last name was seen to answer without the revision that was left; 0: not yet, or no name."""
    reason: str = ""
    """Why it is rolled back, one word: Analysis, Alarm, Hook, Deadline, CrashLoop, Person, Superseded,
    Unhealthy, Group."""
    outcome: Outcome | Literal[""] = ""
    """What the history will say, once it is known."""
    message: str = ""
    evidence: tuple[str, ...] = ()
    evidence_taken: bool = False
    """Evidence was collected (it may be empty), or could not be in the time there was."""
    hooks: tuple[HookRun, ...] = ()
    metrics: tuple[MetricRun, ...] = ()
    images: tuple[str, ...] = ()
    """What the candidate's tasks were seen to run: `<container>@<digest>`; more than one digest of a
    container means that its tag was moved."""
    leader_epoch: int = 0
    strategy: Mapping[str, Any] = field(default_factory=dict)
    """`spec.strategy.progressive` at the start."""
    gates: tuple[Gate, ...] = ()

    @property
    def returned_at(self) -> float:
        """Return when requests went back: by the rules, by the names where there are no rules; 0: not yet."""
        return self.verified_at or self.discovered_at

    @property
    def moved_tags(self) -> tuple[str, ...]:
        """Return `app: sha256:… then sha256:…` for each container that was seen with more than one image."""
        found: dict[str, list[str]] = {}
        for image in self.images:
            container, _, digest = image.partition("@")
            found.setdefault(container, []).append(digest[:_DIGEST])
        return tuple(f"{name}: {' then '.join(seen)}" for name, seen in found.items() if len(seen) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRevision:
    """What production requests reach."""

    slot: str
    revision: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """The old slot after a success: ready for an instant undo until `until`."""

    slot: str
    revision: str
    until: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRevision:
    """A revision that failed: tried again only after `retry`, or never named again by the spec."""

    revision: str
    reason: str
    """A condition reason: RolledBack, FirstRolloutFailed, NotPermitted (onNewRevision: Reject)."""
    message: str
    fallback: str = ""
    cause: str = ""
    """The rollout's `reason`, one word; what a release group rejected is freed when its member is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """All that the machine remembers."""

    live: LiveRevision | None = None
    standby: Standby | None = None
    rollout: Rollout | None = None
    rejected: RejectedRevision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOrder:
    """What a slot shall run. The planner scales to 0 first where the revision changes."""

    slot: str
    revision: str | None
    """None: leave what it runs."""
    count: int | None
    """Tasks; None: leave the count to whoever owns it."""
    reason: str = ""
    hold_scale_in: bool = False
    """Somebody else's scale-in (autoscaling) must not shrink it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOrder:
    """What routes shall write."""

    weights: Mapping[str, int]
    """Slot → permille, sum 1000, no zeros; {} publishes nothing."""
    test: str = ""
    """Slot that the test listener sends to."""
    header: tuple[str, str] | None = None
    """(name, value): requests with it go to the candidate's slot."""
    header_slot: str = ""
    reassert: bool = True
    """Whether routes overwrite weights that nobody of us wrote, or report them and wait."""
    verify_after: float = 0.0
    rollback: bool = False
    """Written before anything else, with the priority of a rollback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRequest:
    """Measure now; the answer comes back as `GateFacts.samples[id]`."""

    id: str
    """`<rollout id>/<run id>/<number>`."""
    metric: Metric
    window: tuple[float, float]
    """From and to, epoch seconds."""
    candidate: str
    """Slot."""
    live: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """See that this attempt of a hook runs; answered in `GateFacts.hooks[id]`."""

    id: str
    """`<rollout id>/<hook run id>/<attempt>`: with the uid also the idempotency key."""
    hook: str
    timeout: float
    context: Mapping[str, Any] = field(default_factory=dict)
    """For the receiver: stage, step, weight, revisions, reason of a rollback."""


Need = Literal["proof", "health", "alarms", "tasks", "evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A rollout that is over, for status.history."""

    rollout: Rollout
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now. Deciding again on the same facts and the new motion changes nothing (fixpoint)."""

    motion: Motion
    slots: tuple[SlotOrder, ...]
    traffic: TrafficOrder
    ready: bool
    reason: str
    """A condition reason of the closed list."""
    message: str
    phase: str
    """Display word of api.md."""
    metrics: tuple[MetricRequest, ...] = ()
    hooks: tuple[HookRequest, ...] = ()
    needs: frozenset[Need] = frozenset()
    """Facts that were None in this situation and that the next move depends on: look, then decide again
    in the same pass."""
    notes: tuple[Note, ...] = ()
    finished: tuple[Finished, ...] = ()
    wake_at: float | None = None
