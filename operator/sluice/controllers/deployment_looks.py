"""Reads of AWS what the plan of one pass needs, and no more.

| state of the object | reads |
|---|---|
| seen for the first time | the listener's rules, if a route refers to it (the anchor's priority) |
| at rest | the service, at most the drift interval old, and its anchors and groups, cached longer |
| in motion | the service now; health while traffic is not published; reasons once tasks fail |
| status lost, open intent | the likely service names, the family, groups and rules, all now |
| taking a service over | that service, its target groups and its task definition, all now |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.controllers.settings import ControllerSettings
from sluice.model import ownership
from sluice.model.binding import CallContext
from sluice.model.desired import Desired
from sluice.model.errors import AwsFailure
from sluice.model.observed import Observed, ServiceId, Structure
from sluice.plan.canonical import definition_hash
from sluice.plan.deployment import adoption, leftovers, publish, register, slots, targets
from sluice.plan.deployment import service as ecs
from sluice.plan.deployment.anchor import listener_for
from sluice.plan.deployment.state import State, TargetGroup
from sluice.ports import Facts

_MOVING = 1.0  # seconds that a read may be old while something moves
_FAMILY = 20  # newest task definitions that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """How closely to look."""

    fresh: bool
    """The object is new: nothing of it can be in AWS."""
    lost: bool
    """The object is known, but its status is not."""
    clusters: tuple[str, ...] = ()
    """ECS clusters of the kept revisions, where the status is lost."""
    resting: bool
    """Ready for this generation and nothing in motion."""
    look_now: bool = False
    """A person asked for it."""
    register_unsent: bool = False
    """The open register intent is this process's own, and its call was refused before it was made."""
    just_begun: bool = False
    """The rollout is younger than reads may be stale: what it made may not be found yet."""


class Looks:
    """The reads of one pass."""

    def __init__(self, facts: Facts, context: CallContext, settings: ControllerSettings, mood: Mood) -> None:
        """Read through `facts` on behalf of `context`."""
        self._facts = facts
        self._context = context
        self._settings = settings
        self._mood = mood

    def look(self, desired: Desired, state: State) -> Observed:
        """Return what the plan needs."""
        services = self._services(desired, state)
        observed = Observed(services=services, register_unsent=self._mood.register_unsent)
        service = _current(state, services)
        observed = self._definitions(desired, state, observed, service)
        observed = self._adopted(desired, state, observed)
        state = adoption.learn(desired, state, observed)
        slot = state.slot.name if state.slot else "a"
        observed = self._balancing(desired, state, observed, slot=slot)
        observed = self._leftovers(desired, state, observed)
        if service:
            observed = self._progress(desired, state, observed, service)
        return observed

    # How old an answer may be.

    @property
    def _age(self) -> float:
        if self._mood.look_now or self._mood.lost:
            return 0.0
        # Passes come once a drift interval; with half of it for reads, drift shows in one and a half.
        return self._settings.drift_interval / 2 if self._mood.resting else _MOVING

    @property
    def _rare_age(self) -> float:
        """For what nobody but us and a hand edit changes."""
        if self._mood.look_now or self._mood.lost:
            return 0.0
        return self._settings.attributes_interval

    def _services(self, desired: Desired, state: State) -> Mapping[ServiceId, Structure | None]:
        if self._mood.fresh and not desired.adopt:
            return {}
        places = slots.candidates(
            desired.installation, desired, state, lost=self._mood.lost, clusters=self._mood.clusters
        )
        return {
            place: self._facts.service(
                self._context,
                cluster=place.cluster,
                name=place.name,
                max_age=self._age if state.slot else 0.0,
            )
            for place in places
        }

    def _adopted(self, desired: Desired, state: State, observed: Observed) -> Observed:
        """Read what comes with a service that is taken over, and whether it runs the spec's definition."""
        concerned = state.slot.ordinal == adoption.ORDINAL if state.slot else desired.adopt is not None
        service = _current(state, observed.services)
        if not concerned or not service:
            return observed
        places = [entry for entry in observed.services.values() if entry]
        names = {name for entry in places for name in adoption.group_names(entry)}
        if state.slot is None and names:
            found = self._facts.target_groups(self._context, sorted(names), max_age=0)
            groups = {name: found.get(name) for name in names}
            observed = dataclasses.replace(observed, target_groups={**observed.target_groups, **groups})
        digest, running = desired.revision.definition_hash, str(service.get("taskDefinition") or "")
        if register.known_arn(desired, state, observed) or not running:
            return observed
        body = self._facts.task_definition(self._context, running)
        if body and definition_hash(body) == digest:
            return dataclasses.replace(observed, definitions={**observed.definitions, digest: running})
        return dataclasses.replace(observed, adopted_definition=body)

    def _definitions(
        self, desired: Desired, state: State, observed: Observed, service: Structure | None
    ) -> Observed:
        digest = desired.revision.definition_hash
        open_intent = register.needs_family(state, digest, lost=self._mood.lost)
        if open_intent and not self._mood.register_unsent:
            found: dict[str, str] = {}
            for body in self._facts.find_task_definitions(self._context, desired.family, limit=_FAMILY):
                tags = ownership.from_ecs(body.get("tags") or ())
                mark = tags.get(ownership.DEFINITION_HASH)
                ours = ownership.ownership(tags, desired.installation, desired.key) == "ours"
                if mark and ours and body.get("status") == "ACTIVE":
                    found.setdefault(mark, body["taskDefinitionArn"])
            return dataclasses.replace(observed, definitions=found, family_read=True)
        arn = dict(state.definitions).get(digest, "")
        if arn and (service is None or service.get("taskDefinition") != arn):
            # About to be deployed again: ECS refuses an INACTIVE one, and its body in the cache is old.
            self._facts.forget(self._context.binding, arn)
            definition = self._facts.task_definition(self._context, arn)
            unseen = definition is None and self._mood.just_begun
            if not unseen and (definition is None or definition.get("status") != "ACTIVE"):
                return dataclasses.replace(observed, inactive=frozenset({arn}))
        return observed

    def _balancing(self, desired: Desired, state: State, observed: Observed, *, slot: str) -> Observed:
        entries = [group for group, _, _ in targets.wanted(desired, state, slot=slot)]
        if not entries:
            return observed
        groups = {**observed.target_groups, **self._groups(entries, state)}
        observed = dataclasses.replace(observed, target_groups=groups)
        rules = {**self._rules_everywhere(entries), **observed.rules}
        observed = dataclasses.replace(observed, rules=rules)
        lost: set[str] = set(observed.lost_listeners)
        placed = {
            (anchor.listener_arn, anchor.container_port): bool(anchor.rule_arn) for anchor in state.anchors
        }
        for group in entries:
            while (listener := listener_for(desired, state, observed, group)) and listener not in rules:
                known = placed.get((listener, group.container_port))
                age = self._age if known or known is None else 0.0
                try:
                    rules[listener] = self._facts.rules(self._context, listener, max_age=age)
                except AwsFailure as failure:
                    if failure.kind != "not-found":
                        raise
                    lost.add(listener)
                    observed = dataclasses.replace(observed, lost_listeners=frozenset(lost))
        return dataclasses.replace(observed, rules=rules)

    def _leftovers(self, desired: Desired, state: State, observed: Observed) -> Observed:
        """Read every rule that may refer to a group that nobody needs any more."""
        groups = leftovers.candidates(desired, state) if self._mood.resting else ()
        rules, found = dict(observed.rules), dict(observed.listeners)
        for group in groups:
            for balancer in sorted(leftovers.balancers(group, observed.target_groups.get(group.name))):
                try:
                    listeners = [e["ListenerArn"] for e in self._facts.listeners(self._context, balancer)]
                    for listener in listeners:
                        if listener not in rules:
                            rules[listener] = self._facts.rules(self._context, listener, max_age=self._age)
                except AwsFailure as failure:
                    if failure.kind != "not-found":
                        raise
                    continue  # gone meanwhile: the next pass knows
                found[balancer] = tuple(listeners)
        return dataclasses.replace(observed, rules=rules, listeners=found)

    def _rules_everywhere(self, entries: Sequence[TargetGroup]) -> dict[str, Sequence[Structure]]:
        """Read every listener of the load balancers when the status is lost: an anchor may be on any."""
        if not self._mood.lost:
            return {}
        return {
            listener["ListenerArn"]: self._facts.rules(self._context, listener["ListenerArn"], max_age=0)
            for balancer in sorted({group.load_balancer_arn for group in entries})
            for listener in self._facts.listeners(self._context, balancer)
        }

    def _groups(self, entries: Sequence[TargetGroup], state: State) -> Mapping[str, Structure | None]:
        """Read the groups that may exist: a wish of this pass alone does not."""
        known = {group.name for group in state.target_groups}
        names = [group.name for group in entries if self._mood.lost or group.name in known]
        if not names:
            return {}
        age = self._rare_age if all(group.arn for group in entries if group.name in names) else 0.0
        found = self._facts.target_groups(self._context, names, max_age=age)
        return {name: found.get(name) for name in names}

    def _progress(self, desired: Desired, state: State, observed: Observed, service: Structure) -> Observed:
        slot = state.slot
        place = ServiceId(slot.cluster, slot.service_name) if slot else ServiceId(desired.cluster, "")
        deployment = ecs.primary(service)
        failed = deployment.get("rolloutState") == "FAILED"
        arn = register.known_arn(desired, state, observed)
        moving = state.rollout is not None and state.rollout.candidate == desired.revision.name
        given = bool(slot and slot.revision == desired.revision.name)
        elsewhere = bool(arn) and service.get("taskDefinition") != arn and (given or moving)
        forced = bool(
            moving
            and state.rollout
            and state.rollout.supersedes
            and state.rollout.supersedes != deployment.get("id")
            and deployment.get("rolloutState") in {"COMPLETED", "FAILED"}
        )
        attached = {entry.get("targetGroupArn") for entry in service.get("loadBalancers") or ()}
        attached |= {entry.get("registryArn") for entry in service.get("serviceRegistries") or ()}
        routed = {
            group.arn
            for group in state.target_groups
            if group.arn and (observed.target_groups.get(group.name) or {}).get("LoadBalancerArns") != []
        }
        routed |= {desired.registry.arn} if desired.registry else set()
        detached = given and bool(routed - attached)
        if slot and (elsewhere or failed or forced or detached):
            observed = dataclasses.replace(
                observed,
                deployments=self._facts.service_deployments(
                    self._context, cluster=place.cluster, service=place.name
                ),
            )
        if slot and (elsewhere or failed or deployment.get("failedTasks")):
            observed = dataclasses.replace(
                observed,
                stopped=self._facts.tasks(
                    self._context,
                    cluster=place.cluster,
                    service=place.name,
                    status="STOPPED",
                    max_age=10.0,
                ),
            )
        return self._health(state, observed, service, place)

    def _health(self, state: State, observed: Observed, service: Structure, place: ServiceId) -> Observed:
        if not int(service.get("runningCount", 0)):
            return observed
        arns = set(publish.unpublished(state, state.target_groups))
        arns |= {group["TargetGroupArn"] for group in observed.target_groups.values() if group} - {
            target.target_group_arn for target in (state.traffic.targets if state.traffic else ())
        }
        if state.retiring:
            arns |= {group.arn for group in state.target_groups if group.arn}
            running = self._facts.tasks(
                self._context, cluster=place.cluster, service=place.name, status="RUNNING", max_age=0
            )
            observed = dataclasses.replace(observed, addresses=addresses(running))
        healthy = {
            arn: frozenset(
                f"{entry['Target']['Id']}:{entry['Target'].get('Port', '')}"
                for entry in self._facts.target_health(self._context, arn, max_age=_MOVING)
                if entry["TargetHealth"]["State"] == "healthy"
            )
            for arn in sorted(arns)
        }
        return dataclasses.replace(observed, healthy=healthy)


def addresses(tasks: Sequence[Structure]) -> frozenset[str]:
    """Return the private addresses of tasks' network interfaces (ECS API, Attachment details)."""
    return frozenset(
        detail["value"]
        for task in tasks
        for attachment in task.get("attachments") or ()
        for detail in attachment.get("details") or ()
        if detail.get("name") == "privateIPv4Address"
    )


def _current(state: State, services: Mapping[ServiceId, Structure | None]) -> Structure | None:
    if state.slot is None:
        return next((service for service in services.values() if service), None)
    return services.get(ServiceId(state.slot.cluster, state.slot.service_name))
