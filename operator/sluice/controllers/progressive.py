"""One pass of a progressive Deployment: facts, the machine's decision, the plan.

The machine is pure and asks for what it lacks (`Decision.needs`); it is looked up and decided again, in
the same pass. What it wants measured or run is handed to the gates after the status that says so was
written. Around it stand the same intent, apply, outcome as for a rolling Deployment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sluice.api.v1alpha1.progressive import from_snapshot
from sluice.controllers.deployment_looks import Mood
from sluice.controllers.deployment_wish import Tenant, Wish, Wishes
from sluice.controllers.gate_scene import scene
from sluice.controllers.groups import group_facts
from sluice.controllers.held import hold_blind, hold_of, in_between
from sluice.controllers.hook_leftovers import HookLeftovers
from sluice.controllers.progressive_looks import ProgressiveLooks, failing
from sluice.controllers.record import Record
from sluice.controllers.settings import ControllerSettings
from sluice.model.actions import Note
from sluice.model.binding import CallContext, Priority
from sluice.model.conditions import WARNINGS
from sluice.model.desired import Desired, Revision
from sluice.model.errors import AwsFailure, Deferred, Refused, SluiceError
from sluice.model.keys import Key
from sluice.model.observed import Observed
from sluice.model.rollout import BACK, Decision, Motion
from sluice.model.situation import Person, Situation
from sluice.model.strategy import Metric, Progressive
from sluice.plan import permit
from sluice.plan.deployment import history, summary
from sluice.plan.deployment.planner import DeploymentPlan
from sluice.plan.deployment.register import STALE_READS
from sluice.plan.deployment.state import State
from sluice.plan.deployment.summary import Verdict
from sluice.plan.progressive import facts, planner, unanswered
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.memory import motion_of
from sluice.plan.progressive.persons import person_of
from sluice.plan.progressive.publish import unpublished
from sluice.plan.progressive.recovery import recovered
from sluice.plan.progressive.steps import describe
from sluice.plan.progressive.urgency import urgent
from sluice.ports import Object, World
from sluice.rollout.machine import decide
from sluice.rollout.work import SETTLING, steps_of

_COUNTS: Final = ("replicas", "readyReplicas", "updatedReplicas")
_LOOKS: Final = 4  # times that a pass may look again because the machine asked
_ASKED_AGE: Final = 15.0  # seconds for which the revision that another member asks for is not made again
_JUMP: Final = 5.0  # seconds between wall and monotonic time that are a jump of the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressiveWork:
    """What one pass of a progressive Deployment works with."""

    record: Record
    wish: Wish
    tenant: Tenant
    context: CallContext
    desired: Desired
    strategy: Progressive
    state: State
    look: Look
    looks: ProgressiveLooks
    person: Person
    moment: Moment
    settles_at: float
    """When calls without an answer are over, epoch seconds."""
    notes: tuple[Note, ...] = ()
    unseen: AwsFailure | Deferred | None = None
    """Why nothing but target health could be looked at; such a pass only ever goes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What this process remembers that status cannot: whether it was there, and what time did."""

    resumed: bool = False
    jumped: bool = False
    blocked: str = ""


class Progressives:
    """Makes and plans passes of progressive Deployments; one for the process, thread-safe per key."""

    def __init__(
        self,
        world: World,
        settings: ControllerSettings,
        wishes: Wishes,
        leftovers: HookLeftovers | None = None,
    ) -> None:
        """Work with `world` under `settings`."""
        self._world = world
        self._leftovers = leftovers or HookLeftovers(world, settings)
        self._settings = settings
        self._wishes = wishes
        self._seen: dict[Key, str] = {}
        self._times: dict[Key, tuple[float, float]] = {}
        self._blocked: dict[Key, str] = {}
        self._waited: dict[Key, tuple[int, float]] = {}
        """The leader's epoch, and since when it waits for no answer of a call that takes tasks away, by the
        monotonic clock: its first look at the object, or the last such call that it gave up."""
        self._asked_for: dict[Key, tuple[object, float, str | None]] = {}
        """Of other members: uid and generation, when it was made (epoch seconds), the revision."""

    def forget(self, key: Key) -> None:
        """Drop what is remembered of an object that is gone."""
        for memory in (self._seen, self._times, self._blocked, self._waited, self._asked_for):
            memory.pop(key, None)
        self._leftovers.forget(key)
        self._world.gates.forget(key)

    def blocked(self, key: Key, why: str) -> None:
        """Remember that a pass could not ask AWS: its time is not the rollout's."""
        self._blocked[key] = why

    def unanswered(self, key: Key) -> None:
        """Remember that a call which takes tasks away was given up without an answer."""
        self._waited[key] = (self._world.leader_epoch(), self._world.clock.monotonic())

    def _settles_at(self, key: Key) -> float:
        """Return when no such call of a pass before can take place any more, epoch seconds."""
        clock = self._world.clock
        if key not in self._waited or self._waited[key][0] != self._world.leader_epoch():
            self.unanswered(key)
        return clock.now() + max(0.0, SETTLING - (clock.monotonic() - self._waited[key][1]))

    # Looking.

    def look(
        self,
        record: Record,
        wish: Wish,
        tenant: Tenant,
        context: CallContext,
        *,
        state: State,
        mood: Mood,
    ) -> ProgressiveWork:
        """Read what the pass needs; raises Refused for what only a person can help with."""
        key = record.key
        strategy = self._strategy(wish, state)
        context = self._hurried(context, record, wish, state)
        heard = person_of(record.obj["metadata"].get("annotations") or {}, state)
        if wish.desired.suspended:
            heard = dataclasses.replace(heard, state=state, notes=())  # said, and not done: it is heard later
        state, settles_at = heard.state, self._settles_at(key)
        if unanswered.waits(state):  # what was read before may be older than what took place
            mood = dataclasses.replace(mood, resting=False)
            over = settles_at <= self._world.clock.now()
            state = unanswered.over(state) if over else state
        begun = rollout.stage_since if (rollout := motion_of(state).rollout) else float("-inf")
        just_begun = self._world.clock.now() < begun + STALE_READS
        mood = dataclasses.replace(mood, look_now=heard.look_now, just_begun=just_begun)
        desired = dataclasses.replace(wish.desired, spec_revision=wish.wanted)
        desired = self._wishes.routed(desired, context, tenant.rule)
        revisions = self._revisions(key, wish, state, heard.person)
        desired = dataclasses.replace(desired, revision=self._asked(wish, revisions, key))
        if desired.hold is None:
            self._same_cluster(desired, state)
            self._permit(tenant, wish, revisions, state)
        now = self._world.clock.now()
        looks = ProgressiveLooks(
            self._world.facts, context, self._settings, mood, revisions=revisions, now=now
        )
        untold = unpublished(state, {state.live.slot} if state.live else set())
        moving = bool(state.moving) or not mood.resting or bool(untold)
        unseen: AwsFailure | Deferred | None = None
        try:
            look = looks.first(desired, state, moving=moving)
            if mood.lost:
                look = looks.more(desired, state, look, frozenset({"proof", "health"}))
                state = recovered(desired, state, look, now=now)
                state = unanswered.doubted(state) if settles_at > now else state
            if moving and self._failing(state, look):
                look = looks.more(desired, state, look, frozenset({"tasks"}))
        except (AwsFailure, Deferred) as error:
            # Short of tokens a pass that is in no hurry comes back, and spends none on looking elsewhere.
            later = isinstance(error, Deferred) and context.priority is not Priority.ROLLBACK
            if mood.lost or later or not in_between(state):
                raise
            unseen, look = error, looks.blind(state, str(error))
            desired = dataclasses.replace(desired, hold=desired.hold or hold_blind(error), paused=True)
        return ProgressiveWork(
            record=record,
            wish=wish,
            tenant=tenant,
            context=context,
            desired=desired,
            strategy=strategy,
            state=state,
            look=look,
            looks=looks,
            person=heard.person,
            moment=self._moment(key, state),
            settles_at=settles_at,
            notes=heard.notes,
            unseen=unseen,
        )

    def _hurried(self, context: CallContext, record: Record, wish: Wish, state: State) -> CallContext:
        """Return the context of a pass that is likely to roll back: its reads wait for nobody's rollout."""
        answers = self._world.gates.answers(record.key)
        known: dict[str, Metric] = {}
        rollout = motion_of(state).rollout if answers.samples else None
        if rollout and rollout.strategy:
            metrics = _thawed(rollout.strategy, wish.desired).analysis.metrics
            known = {metric.name: metric for metric in metrics}
        annotations = record.obj["metadata"].get("annotations") or {}
        if urgent(state, annotations=annotations, wanted=wish.wanted, gates=answers, metrics=known):
            return dataclasses.replace(context, priority=Priority.ROLLBACK)
        return context

    def _strategy(self, wish: Wish, state: State) -> Progressive:
        if wish.progressive is not None:
            return wish.progressive
        # The spec is rolling by now; the rollout that goes on ends by the strategy it began with.
        rollout = motion_of(state).rollout
        return _thawed(rollout.strategy if rollout else {}, wish.desired)

    def _revisions(self, key: Key, wish: Wish, state: State, person: Person) -> dict[str, Revision]:
        rollout, standby = state.moving, state.progressive.get("standby") or {}
        names = {slot.revision for slot in state.slots} | {wish.wanted, standby.get("revision", "")}
        names |= {rollout.get("candidate", ""), rollout.get("source", "")}
        names |= {state.live.revision if state.live else "", person.undo or ""}
        if person.undo == "":
            names.add(history.previous(state))
        found = {wish.desired.revision.name: wish.desired.revision}
        for name in sorted(names - {"", *found}):
            kept = self._wishes.kept(key, wish.desired.uid, name)
            if kept is not None:
                found[name] = kept
        return found

    def _asked(self, wish: Wish, revisions: Mapping[str, Revision], key: Key) -> Revision:
        """Return the body of the revision that the spec asks for."""
        if wish.wanted not in revisions:
            known = ", ".join(self._wishes.known(key)) or "none"
            raise Refused(
                "InvalidSpec",
                f"spec.rollback.toRevision: {wish.wanted} is not kept; known revisions: {known}",
            )
        return revisions[wish.wanted]

    def _same_cluster(self, desired: Desired, state: State) -> None:
        clusters = {slot.cluster.rsplit("/", 1)[-1] for slot in state.slots if slot.service_arn}
        if clusters and desired.cluster.rsplit("/", 1)[-1] not in clusters:
            raise Refused(
                "InvalidSpec",
                f"spec.ecs.cluster: a progressive Deployment stays in its cluster ({', '.join(clusters)}); "
                "set strategy.type RollingUpdate for the move and Progressive again afterwards",
            )

    def _permit(self, tenant: Tenant, wish: Wish, revisions: Mapping[str, Revision], state: State) -> None:
        """Check the roles of a kept revision that may be started; what runs already is left to run."""
        running = {slot.revision for slot in state.slots}
        for name, revision in revisions.items():
            if name not in running or name == wish.wanted:
                permit.permit_revision(tenant.rule, definition=revision.definition, service=revision.service)

    def _failing(self, state: State, look: Look) -> bool:
        return any(
            failing(service)
            for place, service in look.observed.services.items()
            if service and any(slot.service_name == place.name for slot in state.slots)
        )

    def _moment(self, key: Key, state: State) -> Moment:
        clock = self._world.clock
        wall, steady = clock.now(), clock.monotonic()
        before = self._times.get(key)
        self._times[key] = (wall, steady)
        rollout = str(state.moving.get("id", ""))
        resumed = bool(rollout) and self._seen.get(key) != rollout
        self._seen[key] = rollout
        jumped = before is not None and abs((wall - before[0]) - (steady - before[1])) > _JUMP
        return Moment(resumed=resumed, jumped=jumped, blocked=self._blocked.pop(key, ""))

    # Planning.

    def plan(self, work: ProgressiveWork, state: State, observed: Observed, *, again: bool) -> DeploymentPlan:
        """Return the plan for what was seen; `again` after actions took place, when words were heard."""
        look = dataclasses.replace(work.look, observed=observed)
        person = Person() if again else work.person
        moment = dataclasses.replace(work.moment, resumed=work.moment.resumed and not again)
        if again:
            look = dataclasses.replace(look, proof=None)
        now = self._world.clock.now()
        try:
            decision, done = self._planned(work, state, look, person=person, moment=moment)
        except Refused as refused:
            if not in_between(state):
                raise
            work = dataclasses.replace(
                work, desired=dataclasses.replace(work.desired, hold=hold_of(refused), paused=True)
            )
            decision, done = self._planned(work, state, look, person=person, moment=moment)
        done = dataclasses.replace(done, decision=decision)
        if work.unseen:
            done = self._groped(work, state, done, work.unseen)
        rollout = decision.motion.rollout
        self._seen[work.record.key] = rollout.id if rollout else ""
        if work.desired.suspended:
            return _withheld(work, state, done, now=now)
        return done

    def _groped(
        self, work: ProgressiveWork, state: State, done: DeploymentPlan, error: AwsFailure | Deferred
    ) -> DeploymentPlan:
        """Return the plan of a pass that could not look, where it goes back or knows more; else raise.

        The gates are asked on: what they answer may be what turns the rollout back.
        """
        decision = done.decision
        same = decision is not None and decision.motion == motion_of(state)
        rollout = decision.motion.rollout if decision else None
        back = done.rollback or (rollout is not None and rollout.stage in BACK)
        if not back and (same or isinstance(error, Deferred)):
            if same:
                self.ask(work, done)
            if work.moment.resumed:  # nothing was written of what a restart asks for
                self._seen.pop(work.record.key, None)
            raise error
        counts = {name: work.record.status[name] for name in _COUNTS if name in work.record.status}
        return dataclasses.replace(done, status={**done.status, **counts})

    def _planned(
        self, work: ProgressiveWork, state: State, look: Look, *, person: Person, moment: Moment
    ) -> tuple[Decision, DeploymentPlan]:
        decision, look = self._decide(work, state, look, person=person, moment=moment)
        now, routes = self._world.clock.now(), self._world.store.routes_to(work.record.key)
        rollout = decision.motion.rollout
        kind = rollout.kind if rollout else "Rollout"
        steps = tuple(describe(step) for step in steps_of(kind, self._snapshot(state, work)))
        done = planner.plan(work.desired, look, state, decision, now=now, routes=routes, steps=steps)
        if unanswered.waits(done.state):
            wakes = (work.settles_at, *(() if done.wake_at is None else (done.wake_at,)))
            done = dataclasses.replace(done, wake_at=min(wakes))
        return decision, done

    def _decide(
        self, work: ProgressiveWork, state: State, look: Look, *, person: Person, moment: Moment
    ) -> tuple[Decision, Look]:
        motion = motion_of(state)
        asked: frozenset[Any] = frozenset()
        for _ in range(_LOOKS):
            situation = self._situation(work, state, look, motion, person=person, moment=moment)
            decision = decide(situation, motion, now=self._world.clock.now())
            missing = decision.needs - asked - {"alarms"}
            if not missing or look.blind:
                break
            asked |= missing
            look = work.looks.more(work.desired, state, look, frozenset(missing))
        return decision, look

    def _situation(
        self,
        work: ProgressiveWork,
        state: State,
        look: Look,
        motion: Motion,
        *,
        person: Person,
        moment: Moment,
    ) -> Situation:
        key, desired = work.record.key, work.desired
        rollout = motion.rollout
        snapshot = self._snapshot(state, work) if rollout else None
        group = (snapshot or work.strategy).release_group
        routes = self._world.store.routes_to(key)
        return Situation(
            wanted=work.wish.wanted,
            declared_undo=work.wish.wanted != work.wish.desired.revision.name,
            strategy=work.strategy,
            snapshot=snapshot,
            leaving=work.wish.progressive is None,
            replicas=desired.replicas,
            slots=facts.slot_facts(desired, state, look, routes, settles_at=work.settles_at),
            traffic=facts.traffic_facts(state, routes, key.name),
            gates=self._world.gates.answers(key),
            group=group_facts(self._world.store, key, group, asks=self._asks) if group else None,
            person=person,
            paused=desired.paused,
            hold=desired.hold is not None,
            known=frozenset(self._wishes.known(key)) if person.undo is not None else frozenset(),
            leader_epoch=self._world.leader_epoch(),
            resumed=moment.resumed,
            clock_jumped=moment.jumped,
            blocked=moment.blocked or look.blocked,
            evidence=look.evidence,
            previous=history.previous(state),
            last_rollout=str(state.history[0].get("id", "")) if state.history else "",
            ended_before=history.ended(state),
        )

    def _asks(self, key: Key, obj: Object) -> str | None:
        """Return the revision that another Deployment's spec asks for, None where it cannot be made.

        Made again after a while only: every pass of every member asks for each that is not Ready, and a spec
        with ConfigMaps and Secrets reads them all.
        """
        now, metadata = self._world.clock.now(), obj["metadata"]
        version = (metadata.get("uid"), metadata.get("generation"))
        known = self._asked_for.get(key)
        if known and known[0] == version and 0 <= now - known[1] < _ASKED_AGE:
            return known[2]
        try:
            wanted: str | None = self._wishes.wish(key, obj)[0].wanted
        except SluiceError:
            wanted = None
        self._asked_for[key] = (version, now, wanted)
        return wanted

    def _snapshot(self, state: State, work: ProgressiveWork) -> Progressive:
        rollout = motion_of(state).rollout
        return _thawed(rollout.strategy, work.desired) if rollout and rollout.strategy else work.strategy

    def ask(self, work: ProgressiveWork, done: DeploymentPlan) -> None:
        """Hand the machine's questions to the gates; call after the status that names them was written."""
        decision = done.decision
        if decision is not None:
            self._leftovers.look(
                work.context,
                uid=work.desired.uid,
                cluster=work.desired.cluster,
                state=done.state,
                rollout=decision.motion.rollout,
                strategies=(work.strategy, self._snapshot(done.state, work)),
            )
        if decision is None or decision.motion.rollout is None:
            self._world.gates.forget(work.record.key)
            return
        strategy = self._snapshot(done.state, work)
        stage = scene(work.context, work.desired, done.state, decision, strategy, work.look.revisions)
        self._world.gates.ask(stage, metrics=decision.metrics, hooks=decision.hooks)


def _thawed(raw: Mapping[str, Any], desired: Desired) -> Progressive:
    strategy = desired.strategy
    return from_snapshot(
        raw,
        min_ready=float(strategy.min_ready_seconds),
        progress_deadline=float(strategy.progress_deadline_seconds),
    )


def _withheld(work: ProgressiveWork, state: State, would: DeploymentPlan, *, now: float) -> DeploymentPlan:
    """Hands off: say what would be done, do nothing and remember no intent."""
    texts = [f"{action.operation}: {action.reason}" for action in would.actions]
    told = would.state.traffic != state.traffic and would.state.traffic is not None
    texts += ["publish other weights"] if told else []
    if texts:
        more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
        message = f"suspended; not done: {'; '.join(texts[:3])}{more}"
        verdict = Verdict(ready=False, reason="Paused", message=message)
    else:
        ready = next(entry for entry in would.status["conditions"] if entry["type"] == "Ready")
        text = f"suspended, nothing to do; {ready['message']}"
        verdict = Verdict(ready=ready["status"] == "True", reason=ready["reason"], message=text)
    quiet = dataclasses.replace(state, observed_generation=work.desired.generation)
    warnings = next(
        (entry["message"] for entry in would.status["conditions"] if entry["type"] == WARNINGS), ""
    )
    body = {
        **would.status,
        **summary.judged(quiet, verdict, work.desired.generation, now=now, warnings=warnings),
    }
    notes: tuple[Note, ...] = ()
    if texts and not any(entry["message"] == verdict.message for entry in state.conditions):
        notes = (Note(type="Warning", reason="DriftFound", message=verdict.message),)
    return DeploymentPlan(state=quiet, status=body, notes=notes)
