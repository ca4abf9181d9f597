"""Both controllers, condensed to what their contract is (rollout.md §7), around the product's own parts.

The machine (`sluice.rollout.machine.decide`), what is published (`plan.progressive.publish.compose`), what
of it counts as proved (`plan.progressive.facts.traffic_facts`) are the product's; the rest is what the
planners do with it, one call at a time. `looked` and `wants` are pure and remembered.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from explore.state import (
    NOW,
    Ack,
    Act,
    DeploymentPass,
    Frozen,
    Kept,
    Route,
    Service,
    State,
    Weights,
    keep,
    quiet,
)
from sluice.model.rollout import Decision, Motion
from sluice.model.situation import Person, Situation, SlotFacts
from sluice.model.strategy import Progressive, SetWeight
from sluice.model.traffic import Traffic
from sluice.plan.deployment import state as plan_state
from sluice.plan.progressive import facts, publish
from sluice.rollout import machine

SLOTS = ("a", "b")
DRAIN = 20.0
REPLICAS = 2
THREE_STEPS = Progressive(
    steps=(SetWeight(permille=250), SetWeight(permille=500), SetWeight(permille=1000)),
    surge=0,
    standby_percent=0,
    standby_seconds=0,
    propagation_delay=0,
    progress_deadline=1e12,
    snapshot=Frozen(three="steps"),
)
_GROUPS = tuple(
    plan_state.TargetGroup(
        slot=name, port="http", container_port=80, load_balancer_arn="lb", name=name, arn=name
    )
    for name in SLOTS
)
_DESIRED: Any = SimpleNamespace(uid="uid", revision=SimpleNamespace(ports=()))
_SEEN: Any = SimpleNamespace(healthy={name: frozenset({"target"}) for name in SLOTS})
Asked = tuple[
    Kept[Motion],
    Kept[Traffic],
    tuple[Ack, ...],
    tuple[Service, Service],
    tuple[Weights, ...],
    tuple[int | None, ...],
    str,
    str,
    bool,
    int,
    str,
    str,
]


@dataclass(slots=True)
class Controllers:
    """The controllers under one strategy."""

    strategy: Progressive = THREE_STEPS
    drain: float = DRAIN
    memory: dict[Asked, DeploymentPass | None] = field(default_factory=dict)

    def looks(
        self, state: State, *, slots: tuple[Service, Service], rules: tuple[Weights, ...]
    ) -> DeploymentPass | None:
        """Return what a pass that reads `slots` and `rules` goes on to do; None: nothing."""
        asked = (
            state.motion,
            state.traffic,
            tuple(route.ack for route in state.routes),
            slots,
            rules,
            tuple(slot.sure for slot in state.slots),
            state.wanted,
            state.person,
            state.resumed,
            state.epoch,
            state.last,
            state.previous,
        )
        if asked not in self.memory:
            self.memory[asked] = self._looked(state, slots, rules)
        return self.memory[asked]

    def _looked(
        self, state: State, slots: tuple[Service, Service], rules: tuple[Weights, ...]
    ) -> DeploymentPass | None:
        decision = self._decide(state, slots, rules)
        motion = quiet(decision.motion)
        rollout = motion.rollout
        done = decision.finished
        last = done[-1].rollout.id if done else state.last
        succeeded = [entry.rollout.source for entry in done if entry.outcome == "Succeeded"]
        traffic = publish.compose(
            _DESIRED,
            plan_state.State(traffic=state.traffic.value, target_groups=_GROUPS),
            _SEEN,
            decision.traffic,
            rollout_id=rollout.id if rollout else last,
        )
        assert traffic is not None
        traffic = dataclasses.replace(traffic, weights=Frozen(traffic.weights))
        acts = self.acts(decision, slots)
        same = (motion, traffic) == (state.motion.value, state.traffic.value)
        if same and not acts and not state.person and not done:
            return None
        return DeploymentPass(
            motion=keep(motion),
            traffic=keep(traffic),
            acts=acts,
            leaves=tuple(self.leaves(act, slots) for act in acts),
            last=last,
            previous=next((name for name in succeeded if name), state.previous),
            heard=bool(state.person),
            written=False,
        )

    def _decide(self, state: State, slots: tuple[Service, Service], rules: tuple[Weights, ...]) -> Decision:
        looked: frozenset[str] = frozenset()
        routes = tuple(_structure(ack, number) for number, ack in enumerate(r.ack for r in state.routes))
        traffic = facts.traffic_facts(plan_state.State(traffic=state.traffic.value), routes, "web")
        while True:
            situation = Situation(
                wanted=state.wanted,
                strategy=self.strategy,
                snapshot=self.strategy if state.motion.value.rollout else None,
                replicas=REPLICAS,
                slots={
                    name: self._facts(name, service, rules, looked, fewest=slot.sure)
                    for name, service, slot in zip(SLOTS, slots, state.slots, strict=True)
                },
                traffic=traffic,
                person=_person(state.person),
                known=frozenset({"r1", "r2", "r3"}),
                leader_epoch=state.epoch,
                resumed=state.resumed and state.motion.value.rollout is not None,
                evidence=(),
                previous=state.previous,
                last_rollout=state.last,
            )
            decision = machine.decide(situation, state.motion.value, now=NOW)
            if not decision.needs - looked:
                return decision
            looked |= decision.needs

    def _facts(
        self,
        name: str,
        service: Service,
        rules: tuple[Weights, ...],
        looked: frozenset[str],
        *,
        fewest: int | None,
    ) -> SlotFacts:
        return SlotFacts(
            name=name,
            exists=bool(service.revision),
            revision=service.revision,
            desired=service.count,
            running=service.count,
            tasks=service.count,
            healthy=service.healthy if "health" in looked else None,
            carries_weight=any(rule.get(name) for rule in rules) if "proof" in looked else None,
            drain_seconds=self.drain,
            fewest=fewest,
            settles_at=NOW + 1,
        )

    def acts(self, decision: Decision, slots: tuple[Service, Service]) -> tuple[Act, ...]:
        """Return the writes to services, as `plan.progressive.planner` and `slot` make them."""
        rollout = decision.motion.rollout
        if decision.traffic.rollback and not (rollout and rollout.kind == "Undo"):
            return ()  # while a rollback's rules are not verified nothing else is written
        found = []
        for order, service in zip(decision.slots, slots, strict=True):
            if order.revision is not None and order.revision != service.revision:
                if service.count:
                    found.append(Act(slot=order.slot, count=0))  # emptied before it is swapped
                elif order.count:
                    found.append(Act(slot=order.slot, count=order.count, revision=order.revision))
            elif order.count is not None and service.revision and order.count != service.count:
                found.append(Act(slot=order.slot, count=order.count))
        return tuple(found)

    def leaves(self, act: Act, slots: tuple[Service, Service]) -> int | None:
        """Return what a write leaves its slot as `plan.progressive.unanswered` says; None: all it has."""
        seen = slots[SLOTS.index(act.slot)]
        if act.revision is not None and act.revision != seen.revision:
            return 0
        return act.count if act.count < seen.count else None

    # Guards of the route's side, each a method so that a test can take it away.

    def current(self, planned: Traffic, published: Traffic) -> bool:
        """Tell whether what a worker that waited is about to write is still what is asked for (point 2)."""
        return planned.seq == published.seq

    def verified(self, planned: Traffic, read: Weights) -> bool:
        """Tell whether what was read back is what was planned (§4)."""
        return read == planned.weights

    def busy(self, route: Route, published: Traffic, read: Weights) -> bool:
        """Tell whether a pass of the route that reads `read` has anything to do."""
        ack = route.ack
        told = (ack.rollout_id, ack.seq, ack.hash) == (published.rollout_id, published.seq, published.hash)
        due = ack.verified_at < published.verify_after <= NOW
        return read != published.weights or not told or due


def _structure(ack: Ack, number: int) -> dict[str, Any]:
    entry = {
        "name": "web",
        "uid": "uid",
        "rolloutId": ack.rollout_id,
        "seq": ack.seq,
        "hash": ack.hash,
        "routeGeneration": 1,
        "verifiedAt": ack.verified_at,
    }
    return {"metadata": {"name": f"route-{number}", "generation": 1}, "status": {"backends": [entry]}}


def _person(verb: str) -> Person:
    if verb == "undo":
        return Person(undo="")
    return Person(**{verb: True}) if verb else Person()
