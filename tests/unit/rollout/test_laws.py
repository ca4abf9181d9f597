"""Laws over random histories: whatever happens, the machine keeps its promises and comes to an end.

`World` checks each decision against the truth (see there). Each promise has a test here in which the
machine's guard is taken away, so that it is known that the check would see it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sluice.model.rollout import HookRun, MetricRun, Motion, Rollout
from sluice.model.situation import (
    HookAnswer,
    Person,
    RouteFacts,
    Situation,
    SlotFacts,
    TrafficFacts,
)
from sluice.model.strategy import (
    Analyse,
    Analysis,
    Condition,
    Hook,
    Metric,
    Pause,
    Progressive,
    SetHeaderRoute,
    SetWeight,
)
from sluice.rollout import clocks, machine, orders, proof, rollback, scaling
from sluice.rollout.machine import decide
from unit.rollout.world import CANARY, START, BrokenPromiseError, Route, World, live

RICH = Progressive(
    steps=(
        SetHeaderRoute(header="x", value="1"),
        SetWeight(permille=100),
        Pause(seconds=20),
        SetWeight(permille=500),
        Analyse(seconds=20),
        Pause(),
        SetWeight(permille=200),
        SetWeight(permille=1000),
    ),
    bake=20,
    standby_percent=50,
    standby_seconds=300,
    progress_deadline=600,
    analysis=Analysis(
        metrics=(
            Metric(
                name="errors",
                kind="web",
                query={},
                failure=Condition(operator=">", threshold=0.5),
                interval=10,
            ),
        ),
        alarms=("5xx",),
    ),
    hooks=(
        Hook(name="pre", stage="PreTraffic", timeout=30, on_failure="Pause"),
        Hook(name="back", stage="OnRollback"),
    ),
    snapshot={"rich": True},
)
SPAN = 16
"""Random events in one history; some minutes of virtual time."""

Event = Callable[[World], None]


def _kill(world: World, name: str, number: int) -> None:
    for task in world.slots[name].tasks[:number]:
        task.dead = True


def _mend(world: World) -> None:
    for slot in world.slots.values():
        for task in slot.tasks:
            task.dead = False
            task.healthy_at = min(task.healthy_at, world.now + world.boot)


def _set(**members: Any) -> Event:
    def event(world: World) -> None:
        for name, value in members.items():
            setattr(world, name, value)

    return event


def _foreign(world: World) -> None:
    for route in world.routes[:1]:
        route.foreign = "" if route.foreign else "rule 7 gives 500 to b"


def _trouble(world: World) -> None:
    for route in world.routes[:1]:
        route.problem = "" if route.problem else "throttled"


def _add_route(world: World) -> None:
    if len(world.routes) < 3:
        world.routes.append(Route(name=f"new{len(world.routes)}", due=world.now + 3))


def _remove_route(world: World) -> None:
    if world.routes:
        world.routes.pop()


EVENTS: dict[str, Event] = {
    "tick": lambda _: None,
    "minutes": lambda world: world.pass_time(90),
    "r1": _set(wanted="r1"),
    "r2": _set(wanted="r2"),
    "r3": _set(wanted="r3"),
    "promote": _set(person=Person(promote=True)),
    "promote-full": _set(person=Person(promote_full=True)),
    "abort": _set(person=Person(abort=True)),
    "undo": _set(person=Person(undo="")),
    "undo r3": _set(person=Person(undo="r3")),
    "retry": _set(person=Person(retry=True)),
    "pause": _set(person=Person(pause=True)),
    "resume": _set(person=Person(resume=True)),
    "spec paused": _set(paused=True),
    "spec unpaused": _set(paused=False),
    "scale up": _set(replicas=7),
    "scale down": _set(replicas=2),
    "leader": lambda world: _set(leader_epoch=world.leader_epoch + 1)(world),
    "restart": _set(resumed=True),
    "clock": _set(clock_jumped=True),
    "blind": _set(blind=frozenset({"health", "proof"})),
    "seeing": _set(blind=frozenset()),
    "r2 crashes": _set(crashing={"r2"}),
    "nothing crashes": _set(crashing=set()),
    "bad value": _set(values={"errors": 0.9}),
    "no value": _set(values={"errors": None}),
    "good value": _set(values={"errors": 0.0}),
    "alarm": _set(alarms={"5xx": "ALARM"}),
    "quiet alarm": _set(alarms={"5xx": "OK"}),
    "hook fails": _set(answers={"pre": HookAnswer(state="Failed")}),
    "hooks answer": _set(answers=dict.fromkeys(("pre", "back"), HookAnswer(state="Succeeded"))),
    "kill one of a": lambda world: _kill(world, "a", 1),
    "kill one of b": lambda world: _kill(world, "b", 1),
    "kill all of b": lambda world: _kill(world, "b", 99),
    "mend": _mend,
    "foreign": _foreign,
    "trouble": _trouble,
    "crash before status": _set(crash="status"),
    "crash after status": _set(crash="orders"),
    "route added": _add_route,
    "route removed": _remove_route,
}


def heal(world: World) -> None:
    """Put everything right that is not the machine's to put right."""
    world.blind, world.paused, world.person = frozenset(), False, Person()
    world.crashing, world.values, world.alarms = set(), {"errors": 0.0}, {"5xx": "OK"}
    world.answers = {name: HookAnswer(state="Succeeded") for name in ("pre", "back")}
    _mend(world)
    for route in world.routes:
        route.problem = route.foreign = ""
        route.due = route.due or world.now


def begin_story(kind: str, strategy: Progressive) -> World:
    """Return a world that is about to roll r2 out: routed, without routes, autoscaled, or new."""
    world = live()
    if kind == "workers":
        world = World(routes=[])
        world.until("")
    if kind == "new":
        world = World()
    world.strategy = strategy
    if kind == "autoscaled":
        world.replicas = None
    heal(world)
    world.wanted = "r2"
    return world


ENDS = {"Available", "RolledBack", "FirstRolloutFailed", "NotPermitted"}
PERSONS = {"Paused", "AnalysisInconclusive", "RouteMissing"}


@example(
    strategy=CANARY,
    policy="Supersede",
    kind="workers",
    drift="Halt",
    story=[("abort", 1), ("promote-full", 9), ("pause", 1)],
)  # a first route came to task shares whose source is dead: it was told to send there
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    strategy=st.sampled_from([CANARY, RICH, dataclasses.replace(RICH, capacity="Full", min_ready=4)]),
    policy=st.sampled_from(["Supersede", "Queue", "Reject"]),
    kind=st.sampled_from(["routed", "routed", "autoscaled", "workers", "new"]),
    drift=st.sampled_from(["Halt", "Reassert"]),
    story=st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(1, 12)), max_size=SPAN),
)
def test_every_history_keeps_the_promises_and_ends(
    strategy: Progressive, policy: Any, kind: str, drift: Any, story: list[tuple[str, int]]
) -> None:
    """Law: no promise breaks on the way, and once all is well it ends, or a person is named."""
    world = begin_story(kind, dataclasses.replace(strategy, on_new_revision=policy, on_drift=drift))
    for name, ticks in story:
        EVENTS[name](world)
        world.run(2.0 * ticks)
    heal(world)
    decision = world.run(2500, tick=5)
    if decision.motion.rollout is None:
        assert decision.reason in ENDS, decision.message
    else:
        assert decision.reason in PERSONS, f"{decision.reason}: {decision.message}"
        world.routes = world.routes or [Route(name="main", due=world.now)]
        world.person = Person(abort=True)
        world.run(400, tick=5)
        decision = world.decide()
        named = decision.motion.rollout is None or decision.reason in PERSONS
        assert named, f"{decision.reason}: {decision.message}"


_steps = st.lists(
    st.one_of(
        st.integers(0, 1000).map(lambda permille: SetWeight(permille=permille)),
        st.sampled_from([None, 0.0, 7.0, 60.0]).map(lambda seconds: Pause(seconds=seconds)),
        st.just(Analyse(seconds=25)),
        st.sampled_from(["", "x"]).map(lambda header: SetHeaderRoute(header=header, value="1")),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(
    steps=_steps,
    capacity=st.sampled_from(["AheadOfWeight", "Full"]),
    surge=st.integers(0, 3),
    replicas=st.integers(1, 9),
    zones=st.integers(0, 3),
    min_ready=st.sampled_from([0.0, 15.0]),
    bake=st.sampled_from([0.0, 30.0]),
)
@example(steps=[], capacity="AheadOfWeight", surge=0, replicas=1, zones=2, min_ready=0.0, bake=0.0)
def test_an_undisturbed_rollout_proves_each_of_its_weights_and_succeeds(
    steps: list[Any], capacity: Any, surge: int, replicas: int, zones: int, min_ready: float, bake: float
) -> None:
    """Law: with everybody well, the proven weights are the steps' own, in their order, up to everything."""
    strategy = dataclasses.replace(
        RICH,
        steps=tuple(steps),
        capacity=capacity,
        surge=surge,
        min_ready=min_ready,
        bake=bake,
        progress_deadline=120,
    )
    world = live(strategy=strategy, replicas=replicas)
    heal(world)
    for service in world.slots.values():
        service.zones = zones
    world.run(20)
    world.wanted, proven = "r2", [0]
    for _ in range(2000):
        decision = world.decide()
        rollout = world.motion.rollout
        if rollout is None:
            break
        if rollout.proven != proven[-1]:
            proven.append(rollout.proven)
        if any(gate.name == "promote" for gate in rollout.gates):
            world.person = Person(promote=True)
        world.pass_time(2)
    for _ in range(10):  # tasks beyond the size (one for each zone was asked) stop first
        if decision.ready:
            break
        world.pass_time(2)
        decision = world.decide()
    assert (world.history, decision.ready) == ([("r2", "Succeeded")], True)
    weights = [step.permille for step in (*steps, SetWeight(permille=1000)) if isinstance(step, SetWeight)]
    wanted = [0]
    for permille in weights:
        if permille != wanted[-1]:
            wanted.append(permille)
    assert proven == wanted


_numbers = st.integers(-2, 9)
_times = st.sampled_from([0.0, START - 100, START, START + 50])
_names = st.sampled_from(["", "r1", "r2", "r3"])
_slot = st.builds(
    SlotFacts,
    name=st.sampled_from(["a", "b"]),
    exists=st.booleans(),
    revision=_names,
    desired=_numbers,
    running=_numbers,
    tasks=_numbers,
    healthy=st.none() | _numbers,
    zones=st.integers(0, 3),
    failed=st.booleans(),
    carries_weight=st.none() | st.booleans(),
)
_route = st.builds(
    RouteFacts,
    name=st.just("main"),
    proven=st.booleans(),
    verified_at=_times,
    foreign=st.sampled_from(["", "rule"]),
    problem=st.sampled_from(["", "gone"]),
    problem_reason=st.sampled_from(["", "ListenerNotFound", "Odd"]),
)
_stages = st.sampled_from(
    [
        "Starting",
        "PreScaleUp",
        "ScalingUp",
        "PostScaleUp",
        "PreTraffic",
        "Stepping",
        "PostTraffic",
        "Baking",
        "PostBake",
        "Draining",
        "RollingBack",
        "CleaningUp",
    ]
)
_rollout = st.builds(
    Rollout,
    id=st.just("x"),
    kind=st.sampled_from(["First", "Rollout", "Undo"]),
    candidate=_names,
    slot=st.sampled_from(["a", "b"]),
    source=_names,
    stage=_stages,
    step=st.integers(0, 12),
    step_since=st.none() | _times,
    stage_since=_times,
    progressed_at=_times,
    weight=st.sampled_from([0, 1, 250, 1000]),
    proven=st.sampled_from([0, 250, 1000]),
    live_floor=_numbers,
    shares=st.booleans(),
    shown=st.booleans(),
    held=st.sampled_from(["", "AnalysisInconclusive", "DriftHalted", "RouteMissing"]),
    full=st.booleans(),
    paused=st.booleans(),
    decided_at=_times,
    verified_at=_times,
    hooks=st.sampled_from([(), (HookRun(id="PreTraffic/pre", state="Failed"),), (HookRun(id="odd"),)]),
    metrics=st.sampled_from([(), (MetricRun(id="errors", since=0),), (MetricRun(id="alarm/5xx", since=0),)]),
)
_person = st.builds(
    Person,
    promote=st.booleans(),
    promote_full=st.booleans(),
    abort=st.booleans(),
    retry=st.booleans(),
    undo=st.none() | _names,
    pause=st.booleans(),
    resume=st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(
    rollout=st.none() | _rollout,
    slots=st.dictionaries(st.sampled_from(["a", "b"]), _slot),
    routes=st.lists(_route, max_size=2),
    weights=st.sampled_from([{}, {"a": 1000}, {"a": 250, "b": 750}]),
    wanted=_names,
    replicas=st.none() | _numbers,
    person=_person,
    standing=st.sampled_from(["", "r1", "r2"]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_no_facts_make_it_raise(
    rollout: Rollout | None,
    slots: dict[str, SlotFacts],
    routes: list[RouteFacts],
    weights: dict[str, int],
    wanted: str,
    replicas: int | None,
    person: Person,
    standing: str,
    flags: tuple[bool, bool, bool],
) -> None:
    """Law: it answers whatever it is told, even what cannot be; and its answer is a fixpoint."""
    world = live() if standing else World()
    motion = dataclasses.replace(world.motion, rollout=rollout)
    situation = Situation(
        wanted=wanted,
        strategy=RICH,
        snapshot=RICH,
        replicas=replicas,
        slots=slots,
        traffic=TrafficFacts(weights=weights, routes=tuple(routes)),
        person=person,
        paused=flags[0],
        resumed=flags[1],
        clock_jumped=flags[2],
        known=frozenset({"r3"}),
    )
    found = decide(situation, motion, now=START)
    assert sum(found.traffic.weights.values()) in (0, 1000)
    quiet = dataclasses.replace(situation, person=Person(), resumed=False, clock_jumped=False)
    again = decide(quiet, found.motion, now=START)
    assert again.motion == found.motion
    assert (again.slots, again.traffic, again.notes, again.finished) == (found.slots, found.traffic, (), ())


# -- each check fires when its guard is taken away ------------------------------------------------------


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def test_the_check_sees_a_weight_on_unhealthy_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `candidate_ready` a weight goes to tasks that do not answer yet."""
    monkeypatch.setattr(scaling, "candidate_ready", _always(True))
    monkeypatch.setattr(machine, "_LOOKS", ())  # a candidate without a healthy target turns back at once
    world = live()
    world.wanted = "r2"
    with pytest.raises(BrokenPromiseError, match="gets 250 with 0 of 2 healthy"):
        world.until("")


def test_the_check_sees_weights_that_do_not_sum_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rest for the source the sum is wrong."""
    world = live()
    monkeypatch.setattr(proof, "FULL", 900)
    world.wanted = "r2"
    with pytest.raises(BrokenPromiseError, match="weights"):
        world.until("")


def test_the_check_sees_a_shrink_before_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without proofs and the reading of the rules the source goes while a rule still sends to it."""
    world = live()
    world.wanted = "r2"
    world.until("Stepping")
    world.run(70)
    monkeypatch.setattr(proof, "await_proof", lambda work, **_: work.now)
    monkeypatch.setattr(rollback, "gone", _always(True))
    monkeypatch.setattr(orders, "_count", lambda _work, _name, count: count)
    world.strategy = dataclasses.replace(CANARY, standby_percent=0)
    world.routes[0].problem = "never writes"
    with pytest.raises(BrokenPromiseError, match="a shrinks under weight"):
        world.until("", limit=600)


def test_the_check_sees_a_swap_under_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule of `_revision` a slot that still has weight gets another revision."""
    monkeypatch.setattr(orders, "_revision", lambda _work, _name, revision: revision)
    world = live()
    world.wanted = "r2"
    world.routes[0].weights = {"a": 500, "b": 500}
    with pytest.raises(BrokenPromiseError, match="b is swapped under weight"):
        world.until("")


def test_the_check_sees_a_smaller_live_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the floor a scale-in in the middle takes tasks of the live slot."""
    monkeypatch.setattr(scaling, "source_size", lambda work: work.situation.replicas)
    world = live()
    world.wanted = "r2"
    world.until("Stepping")
    world.replicas = 2
    with pytest.raises(BrokenPromiseError, match="a shrinks"):
        world.run(10)


def test_the_check_sees_a_rollback_without_the_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the order in the same decision the rollback begins with something else."""
    monkeypatch.setitem(
        machine._STAGES,  # type: ignore[arg-type]
        "RollingBack",
        lambda work: work.wait("RollingOut", "thinks about it"),
    )
    world = live()
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    world.person = Person(abort=True)
    with pytest.raises(BrokenPromiseError, match="without the traffic"):
        world.decide()


def test_the_check_sees_that_deciding_again_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that counts its passes has no fixpoint."""
    renew = clocks.renew

    def counting(work: Any) -> None:
        renew(work)
        if work.motion.rollout is not None:
            work.change(live_floor=work.rollout.live_floor + 1)

    world = live()
    monkeypatch.setattr(clocks, "renew", counting)
    world.wanted = "r2"
    with pytest.raises(BrokenPromiseError, match="deciding again decides something else"):
        world.decide()


def test_the_check_sees_a_rollout_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the deadline a candidate that never gets healthy waits for ever."""
    strategy = dataclasses.replace(CANARY, progress_deadline=60)
    world = live(strategy=strategy, sick={"r2"})
    world.wanted = "r2"
    world.until("", limit=500)
    monkeypatch.setattr(clocks, "deadline", _always(False))
    world = live(strategy=strategy, sick={"r2"})
    world.wanted = "r2"
    with pytest.raises(AssertionError, match="not in"):
        world.until("", limit=500)


def test_ids_of_rollouts_differ() -> None:
    """The same revision at the same second after another rollout is another rollout."""
    world = live()
    ids = set()
    for last in ("x", "y"):
        situation = dataclasses.replace(world.situation(frozenset()), wanted="r2", last_rollout=last)
        found = decide(situation, Motion(live=world.motion.live), now=START)
        assert found.motion.rollout is not None
        ids.add(found.motion.rollout.id)
    assert len(ids) == 2
