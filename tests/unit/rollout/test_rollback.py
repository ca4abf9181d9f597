"""The way back: first the traffic, then proof, then everything else; and when it must not move."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.rollout import Standby
from sluice.model.situation import GroupFacts, HookAnswer, MemberFacts, Person
from sluice.model.strategy import Analysis, FreezeWindow, Hook, Pause, Progressive, SetHeaderRoute, SetWeight
from unit.rollout.world import CANARY, World, live

HELD = Progressive(
    steps=(SetWeight(permille=250), Pause(), SetWeight(permille=1000)), bake=600, snapshot={"x": 1}
)
STAGES = ["PreScaleUp", "ScalingUp", "PreTraffic", "Stepping", "Baking", "Draining"]


def at(stage: str, strategy: Progressive = CANARY, **members: object) -> World:
    """Return a world whose rollout to r2 is in a stage."""
    if stage == "PreScaleUp":
        hook = Hook(name="slow", stage="PreScaleUp", timeout=1e6)
        strategy = dataclasses.replace(strategy, hooks=(*strategy.hooks, hook))
    world = live(strategy=strategy, **members)
    world.wanted = "r2"
    world.until(stage)
    if stage == "Stepping":
        world.run(10)
    return world


@pytest.mark.parametrize("stage", STAGES)
def test_an_abort_goes_back_from_every_stage(stage: str) -> None:
    """The same decision orders the source alone; in the end only it has tasks and r2 is rejected."""
    world = at(stage)
    world.person = Person(abort=True)
    decision = world.decide()
    assert dict(decision.traffic.weights) == {"a": 1000}
    if stage in ("Stepping", "Baking", "Draining"):
        assert decision.traffic.rollback
        assert [order.count for order in decision.slots if order.slot == "b"] == [None]
    decision = world.until("", limit=400)
    assert world.history == [("r2", "Aborted")]
    assert (world.slots["a"].desired, world.slots["b"].desired) == (4, 0)
    assert (decision.reason, decision.ready, decision.phase) == ("RolledBack", False, "Degraded")
    assert world.motion.rejected is not None
    assert (world.motion.rejected.revision, world.motion.rejected.fallback) == ("r2", "r1")
    world.run(100)
    assert world.motion.rollout is None


@pytest.mark.parametrize("stage", ["ScalingUp", "Stepping", "Baking", "Draining"])
def test_tasks_that_crash_in_a_loop_turn_it_back(stage: str) -> None:
    """CrashLoop, with the reasons of the stopped tasks as the message and as evidence."""
    world = at(stage)
    world.crashing = {"r2"}
    world.until("", limit=400)
    assert world.history == [("r2", "RolledBack")]
    assert world.motion.rejected is not None
    assert (world.motion.rejected.cause, "exit code 1" in world.motion.rejected.message) == (
        "CrashLoop",
        True,
    )


def test_a_candidate_without_a_healthy_target_is_turned_back() -> None:
    """An ALB would go on sending to it: no healthy target at all is a reason of its own."""
    world = at("Stepping", HELD)
    for task in world.slots["b"].tasks:
        task.dead = True
    decision = world.decide()
    assert dict(decision.traffic.weights) == {"a": 1000}
    assert decision.motion.rollout is not None
    assert decision.motion.rollout.reason == "Unhealthy"


def test_one_healthy_target_of_two_holds_but_does_not_turn_back() -> None:
    """Fewer targets than the weight needs stop the next step; ECS replaces them."""
    world = at("Stepping", HELD)
    world.slots["b"].tasks[0].dead = True
    world.person = Person(promote=True)
    decision = world.run(20)
    assert dict(decision.traffic.weights) == {"a": 750, "b": 250}
    assert "1 of 4 targets healthy" in decision.message or decision.reason == "WaitingForTargets"


def test_both_unhealthy_holds_the_weights_and_needs_a_person() -> None:
    """Degraded, nothing moves, until the source is mended: then it goes back by itself."""
    world = at("Stepping", HELD)
    for slot in world.slots.values():
        for task in slot.tasks:
            task.dead = True
    world.slots["b"].tasks[0].dead = False
    world.person = Person(abort=True)
    decision = world.run(600, tick=20)
    assert (decision.phase, dict(decision.traffic.weights)) == ("Degraded", {"a": 750, "b": 250})
    assert not decision.traffic.rollback, "the slots may be mended meanwhile"
    assert "the source has 0 of 4 targets healthy, the candidate 1" in decision.message
    assert world.motion.rollout is not None
    assert "person" in [gate.name for gate in world.motion.rollout.gates]
    for task in world.slots["a"].tasks[:2]:
        task.dead = False
    assert dict(world.decide().traffic.weights) == {"a": 1000}


@pytest.mark.parametrize(
    ("source", "candidate", "back"),
    [
        pytest.param(4, 4, True, id="all healthy"),
        pytest.param(2, 4, True, id="half of what everything needs"),
        pytest.param(1, 4, False, id="too few, and fewer than the candidate"),
        pytest.param(1, 1, True, id="no fewer than the candidate: it can only help"),
        pytest.param(0, 0, False, id="none at all"),
    ],
)
def test_how_many_healthy_targets_the_source_needs(source: int, candidate: int, *, back: bool) -> None:
    """Half of its tasks, or as many as the candidate has; at least one."""
    world = at("Stepping", dataclasses.replace(HELD, capacity="Full"))
    for name, healthy in (("a", source), ("b", candidate)):
        for number, task in enumerate(world.slots[name].tasks):
            task.dead = number >= healthy
    world.person = Person(abort=True)
    decision = world.decide()
    assert (dict(decision.traffic.weights) == {"a": 1000}) is back


def test_unknown_health_of_the_source_is_looked_at_first() -> None:
    """What could not be read is no reason to move: `health` is asked for, and the weights stay."""
    world = at("Stepping", HELD)
    world.blind = frozenset({"health"})
    world.person = Person(abort=True)
    decision = world.decide()
    assert "health" in decision.needs
    assert dict(decision.traffic.weights) == {"a": 750, "b": 250}
    world.blind = frozenset()
    assert dict(world.decide().traffic.weights) == {"a": 1000}


def test_rollback_seconds_are_from_the_decision_to_the_last_proof() -> None:
    """Both times, decidedAt and verifiedAt are kept; the last route decides."""
    world = at("Stepping", HELD)
    world.person = Person(abort=True)
    world.decide()
    decided = world.now
    decision = world.until("CleaningUp")
    rollout = decision.motion.rollout
    assert rollout is not None
    assert (rollout.decided_at, rollout.verified_at) == (decided, world.routes[0].verified_at)
    assert rollout.verified_at - rollout.decided_at == 2


def test_the_candidate_goes_only_after_drain_and_proof() -> None:
    """Connections have propagation and deregistration time, then the rules are read."""
    world = at("Stepping", HELD)
    world.person = Person(abort=True)
    decision = world.until("CleaningUp")
    assert decision.motion.rollout is not None
    verified = decision.motion.rollout.verified_at
    world.blind = frozenset({"proof"})
    world.run(200)
    assert world.slots["b"].desired == 2
    world.blind = frozenset()
    world.decide()
    assert world.slots["b"].desired == 0
    assert world.now >= verified + 60


def test_evidence_is_taken_once_before_the_clean_up() -> None:
    """It goes into the rollout that the history keeps."""
    world = at("Stepping", HELD)
    world.person = Person(abort=True)
    decision = world.until("CleaningUp")
    assert decision.motion.rollout is not None
    assert decision.motion.rollout.evidence == ("last log line",)
    assert "evidence" not in world.decide().needs


def test_evidence_that_cannot_be_had_does_not_keep_the_candidate() -> None:
    """After its patience the clean-up goes on without."""
    world = at("Stepping", HELD, blind=frozenset({"evidence"}))
    world.slots["b"].drain_seconds = 0
    world.person = Person(abort=True)
    world.until("CleaningUp")
    world.run(50)
    assert world.motion.rollout is not None
    world.until("", limit=40)


@pytest.mark.parametrize("answer", [HookAnswer(state="Failed", message="no"), None])
def test_hooks_on_the_way_back_only_inform(answer: HookAnswer | None) -> None:
    """OnRollback hooks run after the proof; failing or silent, the rollback ends."""
    hook = Hook(name="tell", stage="OnRollback", timeout=30)
    answers = {"tell": answer} if answer else {}
    world = at("Stepping", dataclasses.replace(HELD, hooks=(hook,)), answers=answers)
    world.person = Person(abort=True)
    decision = world.decide()
    assert not decision.hooks
    decision = world.until("CleaningUp")
    assert [request.hook for request in decision.hooks] == ["tell"]
    assert decision.hooks[0].context["reason"] == "Person"
    world.until("", limit=200)
    assert world.history == [("r2", "Aborted")]


@pytest.mark.parametrize("stage", ["ScalingUp", "Stepping"])
def test_the_deadline_turns_it_back(stage: str) -> None:
    """Time in which something technical is missing is counted, and ends in a rollback."""
    world = live(strategy=dataclasses.replace(CANARY, progress_deadline=120), sick={"r2"})
    if stage == "Stepping":
        world.sick = set()
    world.wanted = "r2"
    world.until(stage)
    if stage == "Stepping":
        world.run(10)
        world.boot = 1e9
    began = world.now
    decision = world.until("", limit=400)
    assert world.history == [("r2", "RolledBack")]
    assert world.now - began >= 118
    assert world.motion.rejected is not None
    assert world.motion.rejected.cause == "Deadline"
    assert "targets healthy" in decision.message


def test_an_alarm_turns_it_back() -> None:
    """ALARM of one alarm is enough, at any time from the start to the end of bake."""
    strategy = dataclasses.replace(HELD, analysis=Analysis(alarms=("5xx", "slow")))
    world = at("Stepping", strategy, alarms={"5xx": "OK", "slow": "OK"})
    world.alarms = {"5xx": "OK", "slow": "ALARM"}
    decision = world.decide()
    assert dict(decision.traffic.weights) == {"a": 1000}
    assert decision.motion.rollout is not None
    assert (decision.motion.rollout.reason, "slow" in decision.motion.rollout.message) == ("Alarm", True)


@pytest.mark.parametrize("blocker", ["paused", "verb", "held", "group", "frozen", "throttled"])
def test_nothing_blocks_a_rollback(blocker: str) -> None:
    """Pause, drift, a waiting group, a freeze: the abort is ordered in the same decision."""
    world = at("Stepping", HELD)
    match blocker:
        case "paused":
            world.paused = True
        case "verb":
            world.person = Person(pause=True)
            world.decide()
        case "held":
            world.routes[0].foreign = "500"
        case "group":
            world.group = GroupFacts(name="core", members=(MemberFacts(name="other", changing=True),))
            world.strategy = dataclasses.replace(HELD, release_group="core")
        case "frozen":
            always = FreezeWindow(name="always", schedule="* * * * *", duration=3600)
            world.strategy = dataclasses.replace(HELD, freeze=(always,))
        case _:
            world.blocked = "throttled"
    world.decide()
    world.person = Person(abort=True)
    assert dict(world.decide().traffic.weights) == {"a": 1000}


def completed(**members: object) -> World:
    """Return a world in which r2 went live and r1 is the warm standby."""
    world = live(**members)
    world.wanted = "r2"
    world.until("")
    return world


@pytest.mark.parametrize("person", [Person(abort=True), Person(undo=""), Person(undo="r1")])
def test_after_promotion_the_warm_standby_takes_over_at_once(person: Person) -> None:
    """Undo, or abort: the same decision orders the old slot alone, as a rollback; r2 stays rejected."""
    world = completed()
    world.person = person
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.rollback) == ({"a": 1000}, True)
    decision = world.until("", limit=400)
    assert world.history[-1] == ("r1", "Succeeded")
    assert (decision.reason, world.motion.standby) == ("RolledBack", None)
    assert (world.slots["a"].desired, world.slots["b"].desired) == (4, 0)


def test_the_spec_back_on_the_standbys_revision_is_an_undo() -> None:
    """A reverted commit goes back without steps while the standby is warm, even while frozen."""
    world = completed()
    world.wanted = "r1"
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.rollback) == ({"a": 1000}, True)
    assert world.until("", limit=400).ready
    assert world.motion.rejected is None


def test_a_shrunk_standby_is_scaled_up_before_the_weights() -> None:
    """It must carry the present load first."""
    world = completed(strategy=dataclasses.replace(CANARY, standby_percent=25))
    assert world.slots["a"].desired == 1
    world.person = Person(undo="")
    decision = world.decide()
    assert (dict(decision.traffic.weights), world.slots["a"].desired) == ({"b": 1000}, 4)
    world.run(14)
    assert world.weights == {"a": 1000}


def test_an_undo_to_an_older_revision_deploys_it_without_steps() -> None:
    """Nothing is warm: its tasks are started, healthy, then everything at once."""
    world = completed()
    world.motion = dataclasses.replace(world.motion, standby=None)
    world.person = Person(undo="r3")
    decision = world.decide()
    assert dict(decision.traffic.weights) == {"b": 1000}
    world.until("", limit=400)
    assert world.motion.live is not None
    assert (world.motion.live.revision, world.weights) == ("r3", {"a": 1000})


def test_an_undo_that_fails_leaves_what_is_live() -> None:
    """Its tasks never get healthy: the deadline ends it, and neither revision begins by itself."""
    world = completed(strategy=dataclasses.replace(CANARY, progress_deadline=60))
    world.motion = dataclasses.replace(world.motion, standby=None)
    world.sick = {"r3"}
    world.person = Person(undo="r3")
    world.decide()
    world.until("", limit=400)
    decision = world.run(100)
    assert (world.history[-1], decision.ready, world.weights) == (("r3", "RolledBack"), True, {"b": 1000})


def test_a_declared_undo_needs_no_steps() -> None:
    """The field spec.rollback.toRevision is like the verb."""
    world = completed()
    world.motion = dataclasses.replace(world.motion, standby=None)
    world.wanted, world.declared_undo = "r3", True
    world.until("", limit=400)
    assert world.motion.live is not None
    assert world.motion.live.revision == "r3"
    assert world.until("").ready


def test_a_standby_whose_time_is_over_is_no_way_back() -> None:
    """Abort then says so."""
    world = completed()
    world.run(3700, tick=100)
    world.person = Person(abort=True)
    world.decide()
    assert world.notes[-1] == "VerbIgnored"
    assert world.motion.rollout is None


def test_the_standby_in_motion_is_what_the_slot_keeps() -> None:
    """Until a new rollout needs the slot, the standby stays as it is."""
    hook = Hook(name="migrate", stage="PreScaleUp", timeout=1e6)
    world = completed(
        strategy=dataclasses.replace(CANARY, hooks=(hook,)),
        answers={"migrate": HookAnswer(state="Succeeded")},
    )
    world.answers = {}
    world.wanted = "r3"
    world.run(20)
    assert isinstance(world.motion.standby, Standby)
    assert world.slots["a"].revision == "r1"
    assert world.slots["a"].desired == 4


def test_the_header_goes_with_the_production_write() -> None:
    """The routes write production rules first, so the header may go in the same order."""
    steps = (SetHeaderRoute(header="x", value="1"), SetWeight(permille=250), Pause())
    world = at("Stepping", dataclasses.replace(HELD, steps=steps))
    world.until("Stepping")
    world.run(20)
    assert world.traffic.header == ("x", "1")
    world.person = Person(abort=True)
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.header) == ({"a": 1000}, None)


def test_the_candidate_has_its_drain_time() -> None:
    """30 s of propagation and 30 s of deregistration delay from the last proof on."""
    world = at("Stepping", HELD)
    world.person = Person(abort=True)
    world.until("CleaningUp")
    assert world.motion.rollout is not None
    ends = world.motion.rollout.verified_at + 60
    while world.now < ends:
        world.decide()
        assert world.slots["b"].desired == 2
        world.pass_time(1)
    world.decide()
    assert world.slots["b"].desired == 0


def test_scale_in_of_the_live_slot_is_held_from_the_first_hook_on() -> None:
    """An autoscaler must not shrink it while the candidate is on its way."""
    world = at("PreScaleUp", replicas=None)
    orders = {order.slot: order for order in world.decide().slots}
    assert (orders["a"].hold_scale_in, orders["a"].count) == (True, None)
