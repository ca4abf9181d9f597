"""Every move that can be made in a state, and the promises that each of them must keep.

| move | what it is |
|---|---|
| D looks | the Deployment controller reads and decides; fresh, or with one stale read |
| D writes status | its intent; conflicts when a person changed the object meanwhile |
| D acts | one ECS write: done; done and the answer lost; late: lands in ten seconds |
| R looks, writes, proves, tells | the same of a route; what it proves it reads back |
| lands | a late write takes place |
| healthy | targets of a slot pass their health check |
| crash | the process dies between any two calls; the next one finds status and AWS |
| person, edit | one verb; another revision asked for |
| time | ten seconds pass: when nothing is to do, or once in the middle of anything |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from explore.controllers import REPLICAS, SLOTS, Controllers
from explore.state import (
    NOW,
    Ack,
    Act,
    Frozen,
    Left,
    Route,
    RoutePass,
    Service,
    Slot,
    State,
    Weights,
    closed,
    given_up,
    keep,
    later,
    opened,
)
from sluice.model.rollout import LiveRevision, Motion
from sluice.model.traffic import SlotTarget, Traffic
from sluice.rollout.scaling import share

TICK = 10.0
FULL = 1000
Move = tuple[str, State]


class BrokenPromiseError(AssertionError):
    """A move that must never be made."""


def start(left: Left) -> State:
    """Return the world in which r1 is live in slot a, both routes know it, and r2 is asked for."""
    targets = (
        SlotTarget(slot="a", port="http", container_port=80, load_balancer_arn="lb", target_group_arn="a"),
    )
    traffic = Traffic(
        uid="uid", rollout_id="h", seq=1, weights=Frozen(a=FULL), targets=targets, verify_after=0.0
    )
    ack = Ack(rollout_id="h", seq=1, hash=traffic.hash, verified_at=NOW - 40)
    return State(
        wanted="r2",
        motion=keep(Motion(live=LiveRevision(slot="a", revision="r1", since=NOW))),
        traffic=keep(traffic),
        routes=(Route(rule=Frozen(a=FULL), ack=ack),) * 2,
        slots=(Slot(service=Service(revision="r1", count=REPLICAS, healthy=REPLICAS)), Slot()),
        left=left,
    )


@dataclass(slots=True)
class World:
    """The moves of a world whose controllers are `controllers`."""

    controllers: Controllers = field(default_factory=Controllers)

    def moves(self, state: State) -> Iterator[Move]:
        """Return every move and the state it leads to; raises BrokenPromiseError for a forbidden one."""
        looks = list(self._deployment(state))
        routes = [move for number in range(len(state.routes)) for move in self._route(state, number)]
        yield from looks
        yield from routes
        yield from self._landings(state)
        yield from self._healths(state)
        yield from self._persons(state)
        yield from self._crash(state)
        if not any(holder.flying for holder in (*state.routes, *state.slots)):
            fresh = [after for _, after in (*looks, *routes) if after.left.stale == state.left.stale]
            if not fresh:
                yield "ten seconds pass", later(state, TICK)
            elif state.left.slow:
                slower = _spend(state, slow=state.left.slow - 1)
                yield "ten seconds pass meanwhile", later(slower, TICK)

    # The Deployment's controller.

    def _deployment(self, state: State) -> Iterator[Move]:
        doing = state.doing
        if doing is None:
            yield from self._look(state)
        elif not doing.written:
            yield self._status(state)
        else:
            yield from self._act(state, doing.acts[0], doing.acts[1:])

    def _look(self, state: State) -> Iterator[Move]:
        true_slots = (state.slots[0].service, state.slots[1].service)
        true_rules = tuple(route.rule for route in state.routes)
        views = [("D looks", state, true_slots, true_rules)]
        if state.left.stale:
            spent = _spend(state, stale=0)
            for number, slot in enumerate(state.slots):
                if slot.before is not None and slot.before != slot.service:
                    seen = list(true_slots)
                    # DescribeServices is late, DescribeTargetHealth is another service and is not.
                    seen[number] = slot.before._replace(healthy=slot.service.healthy)
                    what = f"D looks, slot {SLOTS[number]} stale"
                    views.append((what, spent, (seen[0], seen[1]), true_rules))
            for number, route in enumerate(state.routes):
                if route.before is not None and route.before != route.rule:
                    rules = (*true_rules[:number], route.before, *true_rules[number + 1 :])
                    views.append(("D looks, a rule stale", spent, true_slots, rules))
        for label, after, slots, rules in views:
            doing = self.controllers.looks(state, slots=slots, rules=rules)
            if doing is not None:
                yield label, after._replace(doing=doing, changed=False, resumed=False)

    def _status(self, state: State) -> Move:
        doing = state.doing
        assert doing is not None
        if state.changed:
            return "D's status write conflicts", state._replace(doing=None)
        self._check_published(state, doing.motion.value, doing.traffic.value)
        news = doing.traffic != state.traffic
        routes = tuple(
            route._replace(shown=route.rule == doing.traffic.value.weights) if news else route
            for route in state.routes
        )
        for act, left in zip(doing.acts, doing.leaves, strict=True):
            number = SLOTS.index(act.slot)
            state = _slot(state, number, opened(state.slots[number], left))
        return "D writes status", state._replace(
            motion=doing.motion,
            traffic=doing.traffic,
            routes=routes,
            last=doing.last,
            previous=doing.previous,
            person="" if doing.heard else state.person,
            doing=doing._replace(written=True) if doing.acts else None,
        )

    def _act(self, state: State, act: Act, rest: tuple[Act, ...]) -> Iterator[Move]:
        label = f"D: slot {act.slot} → {act.revision or ''} x{act.count}"
        self._check_way_back(state, label)
        number = SLOTS.index(act.slot)
        doing = state.doing._replace(acts=rest) if state.doing and rest else None
        done = self._done(state, act, label)
        answered = _slot(done, number, closed(done.slots[number]))
        yield label, answered._replace(doing=doing)
        if state.left.answer:
            lost = _slot(done, number, given_up(done.slots[number]))
            yield f"{label}, answer lost", _spend(lost, answer=0)._replace(doing=None)
            late = _slot(state, number, given_up(state.slots[number]._replace(flying=act)))
            yield f"{label}, late", _spend(late, answer=0)._replace(doing=None)

    def _done(self, state: State, act: Act, label: str) -> State:
        """Let ECS carry out a write, if the promises allow it."""
        number = SLOTS.index(act.slot)
        slot = state.slots[number]
        old = slot.service
        swapped = act.revision is not None and act.revision != old.revision
        if swapped or act.count < old.count:
            self._check_loss(state, act, label)
        kept = 0 if swapped else min(old.count, act.count)
        new = Service(
            revision=act.revision or old.revision,
            count=act.count,
            healthy=min(old.healthy, kept),
            young=old.young or act.count > kept,
        )
        return _slot(state, number, slot._replace(service=new, before=old))

    # The routes' controller.

    def _route(self, state: State, number: int) -> Iterator[Move]:
        route, published = state.routes[number], state.traffic.value
        doing = route.doing
        if doing is None:
            for what, after, read in self._reads(state, number):
                if self.controllers.busy(route, published, read):
                    then = "prove" if read == published.weights else "write"
                    begun = RoutePass(at=then, traffic=state.traffic)
                    yield f"R looks{what}", _route(after, number, route._replace(doing=begun))
        elif doing.at == "write":
            yield from self._write(state, number, doing)
        elif doing.at == "prove":
            for what, after, read in self._reads(state, number):
                good = self.controllers.verified(doing.traffic.value, read)
                proven = doing._replace(at="tell", read_at=NOW) if good else None
                yield f"R reads back{what}", _route(after, number, route._replace(doing=proven))
        else:
            told = doing.traffic.value
            published = state.traffic.value
            _promise(told.seq != published.seq or route.shown, "R acknowledges what its rule never showed")
            ack = Ack(rollout_id=told.rollout_id, seq=told.seq, hash=told.hash, verified_at=doing.read_at)
            yield "R acknowledges", _route(state, number, route._replace(ack=ack, doing=None))

    def _reads(self, state: State, number: int) -> Iterator[tuple[str, State, Weights]]:
        route = state.routes[number]
        yield "", state, route.rule
        if state.left.stale and route.before is not None and route.before != route.rule:
            yield ", stale", _spend(state, stale=0), route.before

    def _write(self, state: State, number: int, doing: RoutePass) -> Iterator[Move]:
        route = state.routes[number]
        if not self.controllers.current(doing.traffic.value, state.traffic.value):
            yield "R is outdated", _route(state, number, route._replace(doing=None))
            return
        new = Frozen(doing.traffic.value.weights)
        label = f"R writes {dict(new)}"
        old = f"{label}: older than what is published: {dict(state.traffic.value.weights)}"
        _promise(new == state.traffic.value.weights, old)
        done = self._ruled(state, number, new, label)
        proving = done.routes[number]._replace(doing=doing._replace(at="prove"))
        yield label, _route(done, number, proving)
        if state.left.answer:
            lost = done.routes[number]._replace(doing=None)
            yield f"{label}, answer lost", _spend(_route(done, number, lost), answer=0)
            late = route._replace(flying=new, doing=None)
            yield f"{label}, late", _spend(_route(state, number, late), answer=0)

    def _ruled(self, state: State, number: int, new: Weights, label: str) -> State:
        """Let the load balancer carry out a write, if the promises allow it."""
        route = state.routes[number]
        self._check_rule(state, route.rule, new, label)
        shown = route.shown or new == state.traffic.value.weights
        return _route(state, number, route._replace(rule=new, before=route.rule, shown=shown))

    # What else happens.

    def _landings(self, state: State) -> Iterator[Move]:
        for number, route in enumerate(state.routes):
            if route.flying is not None:
                label = f"the late write lands: {dict(route.flying)}"
                done = self._ruled(state, number, route.flying, label)
                yield label, _route(done, number, done.routes[number]._replace(flying=None))
        for number, slot in enumerate(state.slots):
            if slot.flying is not None:
                label = f"the late write lands: slot {slot.flying.slot} x{slot.flying.count}"
                done = self._done(state, slot.flying, label)
                yield label, _slot(done, number, done.slots[number]._replace(flying=None))

    def _healths(self, state: State) -> Iterator[Move]:
        for number, slot in enumerate(state.slots):
            service = slot.service
            if service.healthy < service.count and not service.young:
                well = service._replace(healthy=service.count)
                yield f"slot {SLOTS[number]} is healthy", _slot(state, number, slot._replace(service=well))

    def _persons(self, state: State) -> Iterator[Move]:
        for verb in state.left.verbs:
            spent = _spend(state, verbs=())
            yield f"a person says {verb}", spent._replace(person=verb, changed=True)
        for revision in state.left.edits:
            if revision != state.wanted:
                spent = _spend(state, edits=())
                yield f"a person asks for {revision}", spent._replace(wanted=revision, changed=True)

    def _crash(self, state: State) -> Iterator[Move]:
        if state.left.crash:
            routes = tuple(route._replace(doing=None) for route in state.routes)
            dead = state._replace(
                doing=None,
                routes=routes,
                slots=(given_up(state.slots[0]), given_up(state.slots[1])),
                resumed=True,
                epoch=state.epoch + 1,
                changed=False,
            )
            yield "the process dies", _spend(dead, crash=state.left.crash - 1)

    # Promises (architecture.md, "Invariants").

    def _check_rule(self, state: State, old: Weights, new: Weights, label: str) -> None:
        _promise(sum(new.values()) == FULL, f"{label}: the weights do not sum up")
        for name, slot in zip(SLOTS, state.slots, strict=True):
            need = max(1, share(REPLICAS, new.get(name, 0)))
            if new.get(name, 0) > old.get(name, 0):
                text = f"{label}: slot {name} gets more with {slot.service.healthy} of {need} healthy"
                _promise(slot.service.healthy >= need, text)

    def _check_loss(self, state: State, act: Act, label: str) -> None:
        live = state.motion.value.live
        served = live is not None and live.slot == act.slot
        _promise(not (served and act.count < REPLICAS), f"{label}: the live slot goes below its floor")
        carries = [dict(route.rule) for route in state.routes if route.rule.get(act.slot)]
        _promise(not carries, f"{label}: slot {act.slot} loses tasks while a rule sends to it: {carries}")

    def _check_way_back(self, state: State, label: str) -> None:
        rollout = state.motion.value.rollout
        if rollout is None or rollout.stage not in ("RollingBack", "CleaningUp") or rollout.weight:
            return
        verified = all(route.shown for route in state.routes)
        _promise(verified, f"{label}: written before the rules of the rollback are")

    def _check_published(self, state: State, motion: Motion, traffic: Traffic) -> None:
        rollout = motion.rollout
        if rollout is None or rollout.stage in ("RollingBack", "CleaningUp"):
            return
        before = state.traffic.value.weights.get(rollout.slot, 0)
        if before and traffic.weights.get(rollout.slot, 0) > before:
            truly = all(route.shown for route in state.routes)
            _promise(truly, f"weight {before} → {traffic.weights[rollout.slot]} before {before} was shown")


def _promise(holds: bool, text: str) -> None:  # noqa: FBT001 - the condition that is promised
    if not holds:
        raise BrokenPromiseError(text)


def _spend(state: State, **left: object) -> State:
    return state._replace(left=state.left._replace(**left))  # type: ignore[arg-type]


def _route(state: State, number: int, route: Route) -> State:
    routes = (*state.routes[:number], route, *state.routes[number + 1 :])
    return state._replace(routes=routes)


def _slot(state: State, number: int, slot: Slot) -> State:
    slots = (slot, state.slots[1]) if number == 0 else (state.slots[0], slot)
    return state._replace(slots=slots)
