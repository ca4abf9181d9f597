"""What the progressive machine is told about the world: facts, condensed, with "unknown" told apart.

Made by `plan.progressive` from what AWS, the routes and the gates said. A fact that could not be read
is None and never a reason to move (rollout.md §6, "a missing read is no transition").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sluice.model.strategy import Progressive

Unjudged = Literal["", "some", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFacts:
    """One ECS service of two."""

    name: str
    exists: bool = False
    revision: str = ""
    """What the service is known to run completely: PRIMARY's task definition is this revision's, no
    member of the revision differs, and no task of another deployment is left; '' otherwise."""
    desired: int = 0
    running: int = 0
    current: int | None = None
    """Of these, those of the service's newest task definition; None when it could not be read."""
    tasks: int = 0
    """All tasks that are not stopped, of any revision."""
    healthy: int | None = None
    """Running tasks that are healthy targets in every target group of the slot (running tasks where it
    has none); None when it could not be read."""
    unused: bool = False
    """No listener sends to one of its target groups, so nobody checks its targets: they are not healthy, and
    nothing is known against them, nor does another group have none that is healthy."""
    unjudged: Unjudged = ""
    """Whether a verdict is missing of some of its targets, or of all where none is healthy: their checks have
    just begun, or nobody makes any."""
    images: tuple[str, ...] = ()
    """`<container>@<digest>` of its running tasks, sorted; () when it was not read."""
    zones: int = 0
    """Availability Zones that must each have a healthy target; 0 where cross-zone balancing is on."""
    failing: tuple[str, ...] = ()
    """Why tasks of its present revision stop, or why ECS gave the deployment up; () when they do not."""
    failed: bool = False
    """The circuit breaker gave the deployment up, or tasks crash in a loop."""
    carries_weight: bool | None = None
    """Whether any rule of its load balancers gives weight to it, read in this pass; None: not read.
    The proof before every shrink (rollout.md §7 point 3)."""
    carrier: str = ""
    """The first such rule, for people; '' where none is known."""
    listed: str = ""
    """What may still answer with its tasks (a ServiceRoute's discovery), in words; '' when nothing does.
    Like weight, it keeps tasks from going."""
    drain_seconds: float = 0.0
    """Deregistration delay, plus the cookie's duration where a route keeps sessions."""
    fewest: int | None = None
    """desiredCount that a write whose answer never came may still give it (decision 27); None: none may."""
    settles_at: float = 0.0
    """When that write has taken place or never will, and shows; epoch seconds."""

    @property
    def free(self) -> bool:
        """Tell whether it is proved that neither a rule nor a name leads to it: its tasks may go.

        A slot where no task runs has no entries (one just made, for its candidate), whatever names are not
        known yet to answer with.
        """
        return self.carries_weight is False and not (self.listed and self.running)


Plane = Literal["rules", "discovery"]
"""Where requests are moved: listener rules, within seconds, or names that clients keep for their TTL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts:
    """One plane of a ServiceRoute that refers to the Deployment and is not being deleted.

    A route with rules and discovery is two of them: each is proved by itself.
    """

    name: str
    plane: Plane = "rules"
    proven: bool
    """Its acknowledgement proves the traffic that is published now."""
    verified_at: float = 0.0
    foreign: str = ""
    """A rule shows weights that nobody of us wrote: which, and what; '' when none does."""
    problem: str = ""
    """Why the route can't carry the weights at the moment (its condition's message)."""
    problem_reason: str = ""

    @property
    def label(self) -> str:
        """Return how people are told of it."""
        return self.name if self.plane == "rules" else f"{self.name} (discovery)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficFacts:
    """What is published, and who has proved it."""

    seq: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    """Slot → permille, as published; {} before anything was."""
    test: str = ""
    header: tuple[str, str] | None = None
    verify_after: float = 0.0
    published_slots: frozenset[str] = frozenset()
    """Slots whose target groups routes have been told of."""
    routes: tuple[RouteFacts, ...] = ()
    """By name. Empty: no route refers to the Deployment."""

    @property
    def provers(self) -> tuple[RouteFacts, ...]:
        """Return the routes that must prove: those that once did, all while none has.

        A new route joins once it is verified (rollout.md §6, "route added"), so that one that cannot be
        made holds nothing up; what AWS itself shows of its rules still keeps tasks from going, and so do
        entries that are there.
        """
        return tuple(route for route in self.routes if route.verified_at) or self.routes

    @property
    def unproved(self) -> bool:
        """Tell whether there are routes and none of them ever proved anything of the Deployment.

        Their status says nothing of their rules then, and may never come to: the first route is misspelt, or
        names a slot that nobody serves (decision 28). Rules can be read instead, names cannot: a name is only
        passed over where its route says that it can't be had.
        """
        told = all(route.plane == "rules" or route.problem for route in self.routes)
        return bool(self.routes) and told and not any(route.verified_at for route in self.routes)

    def provers_of(self, plane: Plane | None) -> tuple[RouteFacts, ...]:
        """Return those of one plane, all for None."""
        return tuple(route for route in self.provers if plane in (None, route.plane))

    def proven_at(self, plane: Plane | None = None) -> float | None:
        """Return when the last route of the plane proved what is published; None while one has not.

        None, too, where the plane has no route.
        """
        provers = self.provers_of(plane)
        if not provers or not all(route.proven for route in provers):
            return None
        return max(route.verified_at for route in provers)


GateState = Literal["Running", "Succeeded", "Failed", "Error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of a metric."""

    at: float
    value: float | None = None
    """None: no data, or fewer than minRequests."""
    error: str = ""
    """The provider could not be asked."""
    detail: str = ""
    """For people and evidence: numbers behind the value. No secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """How a hook's attempt stands."""

    state: GateState
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """Answers of gates that the machine asked for, by the request's id."""

    samples: Mapping[str, Sample] = field(default_factory=dict)
    hooks: Mapping[str, HookAnswer] = field(default_factory=dict)
    alarms: Mapping[str, str | None] | None = None
    """Alarm name → OK, ALARM, INSUFFICIENT_DATA, or None when there is no such alarm; the whole is None
    when CloudWatch could not be asked or was not yet."""
    alarms_at: float = 0.0
    alarms_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """Another Deployment of the release group, from its spec and status."""

    name: str
    changing: bool
    """Its spec asks for another revision than the one that is live, or it is rolling out."""
    rollout_id: str = ""
    arrived: int = -1
    """How many steps it has finished; -1 while its candidate is not ready for the first."""
    failed: bool = False
    """Its rollout of this release fell back for a reason of its own (a rejected revision whose cause is not
    Group, and which its spec still asks for): what the group took back with it is not to blame."""
    finished: bool = False
    """Its candidate is live."""
    strategy_steps: int = 0
    trouble: str = ""
    """Why it does not go on, where a person may be needed: a condition's reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """The release group; the members but for this Deployment, by name."""

    name: str
    members: tuple[MemberFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person's word that was not handled before (`sluice.dev/<verb>` annotations), already addressed."""

    promote: bool = False
    promote_full: bool = False
    abort: bool = False
    retry: bool = False
    undo: str | None = None
    """Revision to go back to; '' for the one before; None: no undo."""
    pause: bool = False
    resume: bool = False
    who: Mapping[str, str] = field(default_factory=dict)
    """Verb → who said it, as they say themselves; absent where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that one decision depends on beside the machine's own state and the time."""

    wanted: str
    """Name of the revision that the spec asks for (or its `rollback.toRevision`)."""
    declared_undo: bool = False
    """`spec.rollback.toRevision` asks for it: like the verb, no steps."""
    strategy: Progressive
    """The spec's. A rollout in motion goes by `snapshot`."""
    snapshot: Progressive | None = None
    """The strategy that the running rollout started with."""
    leaving: bool = False
    """The spec's strategy is not Progressive any more: what is in motion ends by its snapshot, and another
    revision is not this machine's to begin."""
    replicas: int | None
    """The spec's; None: somebody else owns the live slot's count."""
    slots: Mapping[str, SlotFacts]
    """`a` and `b`, both always there."""
    traffic: TrafficFacts = field(default_factory=TrafficFacts)
    gates: GateFacts = field(default_factory=GateFacts)
    group: GroupFacts | None = None
    person: Person = field(default_factory=Person)
    paused: bool = False
    """`spec.paused`, or what `hold` says."""
    hold: bool = False
    """The spec can't be followed now (it is refused, AWS can't be read): nothing goes forward, and what the
    controller says beside it tells why."""
    known: frozenset[str] = frozenset()
    """Revisions that are kept and can be gone back to."""
    previous: str = ""
    """The revision that was live before the present one (from the history), for an undo without a name."""
    ended_before: float = 0.0
    """When the newest rollout of the history ended: until then another revision may have been sent
    requests in the candidate's slot. Epoch seconds; 0 when there was none."""
    last_rollout: str = ""
    """Id of the newest entry of the history: makes the next id another one."""
    evidence: tuple[str, ...] | None = None
    """What was collected about the candidate after `needs` said "evidence"; None: not looked."""
    leader_epoch: int = 0
    """The Lease's transitions: another number than the rollout's means another leader before."""
    resumed: bool = False
    """This process sees the rollout for the first time: samples before it do not count."""
    clock_jumped: bool = False
    """Wall time left monotonic time since the last pass: timers start again."""
    blocked: str = ""
    """Why AWS cannot be asked or written now (throttled, unreachable); time then does not count
    against the deadline. '' when it can."""
