"""Reads of AWS what one pass of a progressive Deployment needs, and more only when the machine asks.

| what the machine needs | read |
|---|---|
| nothing in particular | both services; at rest at most the drift interval old, in motion now |
| `health` (and whenever something moves) | target health of every group of a slot with tasks |
| | where names alone lead to a slot: what its containers' checks say |
| a service of the serving slot was replaced | the addresses of its successor's tasks, now |
| once the candidate is up | its running tasks, in each stage and once a minute: what images they run |
| `proof` | every rule of every listener of the load balancers, now (rollout.md §7 point 3) |
| `tasks` | stopped tasks of the slots |
| `evidence` | stopped tasks, target health and the rules, in words |
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from sluice.controllers.deployment_looks import Looks, Mood, addresses
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import CallContext, Priority
from sluice.model.desired import Desired, Revision
from sluice.model.errors import AwsFailure, Deferred
from sluice.model.observed import Observed, ServiceId, Structure
from sluice.model.rollout import Need
from sluice.model.situation import Unjudged
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment import slots as services
from sluice.plan.deployment.anchor import is_anchor
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.progressive import evidence, facts
from sluice.plan.progressive.facts import groups_of, weighted
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.memory import motion_of
from sluice.plan.progressive.replaced import serving, still_run
from sluice.ports import Facts
from sluice.rollout import images

_HEALTH_AGE: Final = 1.0  # seconds; rollout.md allows 10 for a rollback, weights want it fresh
_RULES_AGE: Final = 60.0
_IMAGES_AGE: Final = 60.0


class ProgressiveLooks(Looks):
    """The reads of one pass."""

    def __init__(
        self,
        facts: Facts,
        context: CallContext,
        settings: ControllerSettings,
        mood: Mood,
        *,
        revisions: Mapping[str, Revision],
        now: float,
    ) -> None:
        """Read through `facts` on behalf of `context`; `revisions` are the bodies that are at hand."""
        super().__init__(facts, context, settings, mood)
        self._now = now
        self._revisions = revisions

    def first(self, desired: Desired, state: State, *, moving: bool) -> Look:
        """Return what every pass needs; with health where something moves."""
        seen = Observed(services=self._services(desired, state), register_unsent=self._mood.register_unsent)
        for revision in self._running_or_next(desired, state):
            wish = dataclasses.replace(desired, revision=revision)
            found = self._definitions(wish, state, seen, self._service_of(state, seen, revision.name))
            seen = dataclasses.replace(
                found,
                definitions={**seen.definitions, **found.definitions},
                inactive=seen.inactive | found.inactive,
                family_read=seen.family_read or found.family_read,
            )
        for name in services.NAMES:
            wish = dataclasses.replace(desired, revision=self._revision_of(desired, state, name))
            seen = self._balancing(wish, state, seen, slot=name)
        seen = self._successor(state, seen)
        checked = frozenset(slot.name for slot in state.slots if self._is_checked(desired, state, slot.name))
        look = Look(observed=seen, revisions=self._revisions, checked=checked)
        return self._with_images(state, self._with_health(state, look)) if moving else look

    def blind(self, state: State, why: str) -> Look:
        """Return what the load balancer alone can tell; what it does not answer is not known."""
        read: dict[str, Mapping[str, str]] = {}
        for arn in sorted(group.arn for slot in state.slots for group in groups_of(state, slot.name)):
            with contextlib.suppress(AwsFailure, Deferred):
                read[arn] = self._states(arn)
        seen = Observed(healthy={arn: _healthy(states) for arn, states in read.items()})
        return Look(
            observed=seen,
            revisions=self._revisions,
            health_read=frozenset(read),
            unused=_unused(read),
            unjudged=_unjudged(read),
            blind=True,
            blocked=why,
        )

    def more(self, desired: Desired, state: State, look: Look, needs: frozenset[Need]) -> Look:
        """Return the look with what the machine asked for."""
        if "health" in needs:
            look = self._with_health(state, look)
        if "tasks" in needs or "evidence" in needs:
            look = self._with_stopped(state, look)
        if "proof" in needs:
            look = dataclasses.replace(look, proof=self._proof(desired, state))
        if "evidence" in needs:
            look = dataclasses.replace(look, evidence=self._evidence(desired, state, look))
        return look

    def _successor(self, state: State, seen: Observed) -> Observed:
        """Return what is seen with the addresses of the tasks that take the place of a retiring service's."""
        slot = next((entry for entry in state.slots if entry.name == serving(state)), None)
        if slot is None or not still_run(state, seen):
            return seen
        tasks = self._facts.tasks(
            self._context, cluster=slot.cluster, service=slot.service_name, status="RUNNING", max_age=0
        )
        return dataclasses.replace(seen, addresses=addresses(tasks))

    # Which revisions matter.

    def _running_or_next(self, desired: Desired, state: State) -> tuple[Revision, ...]:
        names = {slot.revision for slot in state.slots}
        rollout = state.moving
        names |= {rollout.get("candidate", ""), "" if rollout else desired.revision.name}
        return tuple(self._revisions[name] for name in sorted(names) if name and name in self._revisions)

    def _revision_of(self, desired: Desired, state: State, slot: str) -> Revision:
        rollout = state.moving
        if rollout.get("slot") == slot and rollout.get("candidate") in self._revisions:
            return self._revisions[rollout["candidate"]]
        for entry in state.slots:
            if entry.name == slot and entry.revision in self._revisions:
                return self._revisions[entry.revision]
        return desired.revision

    def _service_of(self, state: State, seen: Observed, revision: str) -> Structure | None:
        for slot in state.slots:
            if slot.revision == revision:
                return seen.services.get(ServiceId(slot.cluster, slot.service_name))
        return None

    # More facts.

    def _with_health(self, state: State, look: Look) -> Look:
        arns = sorted(
            group.arn
            for slot in state.slots
            for group in groups_of(state, slot.name)
            if self._serves(state, look, slot.name, group) and group.arn not in look.health_read
        )
        healthy = dict(look.observed.healthy)
        read = {arn: self._states(arn) for arn in arns}
        healthy |= {arn: _healthy(states) for arn, states in read.items()}
        well = {name: self._well(state, name) for name in sorted(look.checked - set(look.well))}
        return dataclasses.replace(
            look,
            well={**look.well, **well},
            observed=dataclasses.replace(look.observed, healthy=healthy),
            health_read=look.health_read | frozenset(arns),
            unused=look.unused | _unused(read),
            unjudged={**look.unjudged, **_unjudged(read)},
        )

    def _with_images(self, state: State, look: Look) -> Look:
        """Return the look with the digests of the candidate's tasks; not knowing them is no fault.

        Read anew in each stage and once a minute: what was read in the stage before may be of the tasks that
        the slot had before. A pass in a hurry spends nothing on them: they hold a rollout, they never turn
        it back.
        """
        rollout = motion_of(state).rollout
        if rollout is None or rollout.stage not in images.WATCHED or rollout.kind != "Rollout":
            return look
        if self._context.priority is Priority.ROLLBACK:
            return look
        revision = self._revisions.get(rollout.candidate)
        if revision is None:
            return look
        containers = {entry["name"] for entry in revision.definition.get("containerDefinitions") or ()}
        for slot in state.slots:
            if slot.name == rollout.slot:
                with contextlib.suppress(AwsFailure, Deferred):
                    tasks = self._facts.tasks(
                        self._context,
                        cluster=slot.cluster,
                        service=slot.service_name,
                        status="RUNNING",
                        max_age=min(_IMAGES_AGE, max(0.0, self._now - rollout.stage_since)),
                    )
                    seen = facts.images(tasks, definition=slot.task_definition, containers=containers)
                    return dataclasses.replace(look, images={slot.name: seen})
        return look

    def _is_checked(self, desired: Desired, state: State, name: str) -> bool:
        """Tell whether only its containers say how a slot is, and do."""
        if not desired.listed or groups_of(state, name):
            return False
        containers = self._revision_of(desired, state, name).definition.get("containerDefinitions") or ()
        return any(entry.get("healthCheck") and entry.get("essential", True) for entry in containers)

    def _well(self, state: State, name: str) -> int:
        """Count a slot's tasks whose essential containers pass their checks (botocore, Task.healthStatus)."""
        slot = next(entry for entry in state.slots if entry.name == name)
        tasks = self._facts.tasks(
            self._context,
            cluster=slot.cluster,
            service=slot.service_name,
            status="RUNNING",
            max_age=_HEALTH_AGE,
        )
        return sum(task.get("healthStatus") == "HEALTHY" for task in tasks)

    def _states(self, arn: str) -> Mapping[str, str]:
        """Return how ELB judges the targets of a group (botocore, TargetHealthStateEnum), by id and port."""
        return {
            f"{entry['Target']['Id']}:{entry['Target'].get('Port', '')}": entry["TargetHealth"]["State"]
            for entry in self._facts.target_health(self._context, arn, max_age=_HEALTH_AGE)
        }

    def _serves(self, state: State, look: Look, slot: str, group: TargetGroup) -> bool:
        for entry in state.slots:
            service = look.observed.services.get(ServiceId(entry.cluster, entry.service_name))
            if entry.name == slot and service and int(service.get("runningCount", 0)):
                attached = {part.get("targetGroupArn") for part in service.get("loadBalancers") or ()}
                return group.arn in attached
        return False

    def _with_stopped(self, state: State, look: Look) -> Look:
        stopped = dict(look.stopped)
        for slot in state.slots:
            service = look.observed.services.get(ServiceId(slot.cluster, slot.service_name))
            if service and slot.name not in stopped:
                stopped[slot.name] = self._facts.tasks(
                    self._context,
                    cluster=slot.cluster,
                    service=slot.service_name,
                    status="STOPPED",
                    max_age=5.0,
                )
        return dataclasses.replace(look, stopped=stopped)

    def _proof(self, desired: Desired, state: State) -> Mapping[str, Sequence[Structure]]:
        """Read all rules now. A listener that vanished meanwhile gives weight to nobody."""
        balancers = {group.load_balancer_arn for group in state.target_groups if group.arn}
        balancers |= {backend.load_balancer_arn for backend in desired.backends}
        found: dict[str, Sequence[Structure]] = {}
        for balancer in sorted(balancers - {""}):
            for listener in self._facts.listeners(self._context, balancer):
                arn = listener["ListenerArn"]
                try:
                    found[arn] = self._facts.rules(self._context, arn, max_age=0)
                except AwsFailure as failure:
                    if failure.kind != "not-found":
                        raise
        return found

    def _evidence(self, desired: Desired, state: State, look: Look) -> tuple[str, ...]:
        """Return what vanishes soon, in words. What can't be read is less evidence, never a delay."""
        rollout = motion_of(state).rollout
        slot = rollout.slot if rollout else ""
        stopped = look.stopped.get(slot, ())
        targets: list[Structure] = []
        for group in groups_of(state, slot):
            with contextlib.suppress(AwsFailure):
                targets += self._facts.target_health(self._context, group.arn, max_age=_HEALTH_AGE)
        arns = {group.arn for group in state.target_groups}
        rules = [
            rule
            for listener in {target.listener_arn for target in state.anchors}
            for rule in self._rules_or_none(listener)
            # An anchor names both slots and matches no request: it would look like a rule that splits them.
            if arns & set(weighted(rule)) and not is_anchor(rule, desired.installation, desired.key)
        ]
        revision = self._revisions.get(rollout.candidate) if rollout else None
        logs = {
            found.container: self._log(found.group, found.stream)
            for found in evidence.streams(revision, stopped)
        }
        return evidence.lines(rollout, stopped=stopped, targets=targets, rules=rules, logs=logs)

    def _rules_or_none(self, listener: str) -> Sequence[Structure]:
        try:
            return self._facts.rules(self._context, listener, max_age=_RULES_AGE)
        except AwsFailure:
            return ()

    def _log(self, group: str, stream: str) -> Sequence[str]:
        try:
            return self._facts.log_lines(self._context, group=group, stream=stream, limit=evidence.LOG_LINES)
        except AwsFailure:
            return ()


def failing(service: Structure) -> bool:
    """Tell whether a service's deployment shows failed tasks: the stopped ones are worth a read."""
    primary = ecs.primary(service)
    return primary.get("rolloutState") == "FAILED" or bool(int(primary.get("failedTasks", 0) or 0))


def _healthy(states: Mapping[str, str]) -> frozenset[str]:
    return frozenset(target for target, state in states.items() if state == "healthy")


def _unused(read: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Return the groups whose targets nobody checks."""
    return frozenset(arn for arn, states in read.items() if states and set(states.values()) == {"unused"})


def _unjudged(read: Mapping[str, Mapping[str, str]]) -> dict[str, Unjudged]:
    """Return the groups with targets that no check has judged yet (botocore, TargetHealthStateEnum)."""
    found: dict[str, Unjudged] = {}
    for arn, states in read.items():
        open_ones = [state for state in states.values() if state in ("initial", "unused")]
        if open_ones:
            found[arn] = "all" if len(open_ones) == len(states) else "some"
    return found
