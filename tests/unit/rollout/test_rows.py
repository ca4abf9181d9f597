"""rollout.md §6, "What happens when": a test for each row that the machine decides, named after it."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.situation import Person
from sluice.model.strategy import Analysis, FreezeWindow, Metric, OnNewRevision, Pause, Progressive, SetWeight
from sluice.model.strategy import Condition as Limit
from unit.rollout.world import CANARY, START, Route, World, live

HELD = Progressive(
    steps=(SetWeight(permille=250), Pause(), SetWeight(permille=1000)), bake=60, snapshot={"x": 1}
)


def at_quarter(strategy: Progressive = HELD, **members: object) -> World:
    """Return a world in which r2 has a proven quarter of the requests."""
    world = live(strategy=strategy, **members)
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    assert world.weights == {"a": 750, "b": 250}
    return world


def test_spec_edited_mid_rollout_supersede() -> None:
    """Supersede: a verified return to the source first, then the newer candidate."""
    world = at_quarter()
    world.wanted = "r3"
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.rollback) == ({"a": 1000}, True)
    assert world.slots["b"].revision == "r2"
    world.until("Stepping", limit=400)
    assert world.history == [("r2", "Superseded")]
    assert world.slots["b"].revision == "r3"
    assert world.motion.rejected is None


def test_spec_edited_mid_rollout_queue() -> None:
    """Queue: the latest one waits until the rollout is over."""
    world = at_quarter(dataclasses.replace(CANARY, on_new_revision="Queue"))
    world.wanted = "r4"
    world.run(4)
    world.wanted = "r3"
    decision = world.run(4)
    assert dict(decision.traffic.weights) == {"a": 750, "b": 250}
    assert decision.motion.rollout is not None
    assert "next revision" in [gate.name for gate in decision.motion.rollout.gates]
    while not world.history:
        world.pass_time(2)
        world.decide()
    assert world.history == [("r2", "Succeeded")]
    assert world.motion.rollout is not None
    assert world.motion.rollout.candidate == "r3"


def test_spec_edited_mid_rollout_reject() -> None:
    """Reject: the newer one is refused, also afterwards, until retry or another edit."""
    world = at_quarter(dataclasses.replace(CANARY, on_new_revision="Reject"))
    world.wanted = "r3"
    world.until("", limit=1000)
    decision = world.run(20)
    assert (decision.ready, decision.reason) == (False, "NotPermitted")
    assert world.notes.count("RevisionRefused") == 1
    world.person = Person(retry=True)
    world.until("Stepping", limit=1000)
    assert world.motion.rollout is not None
    assert world.motion.rollout.candidate == "r3"


@pytest.mark.parametrize("policy", ["Supersede", "Queue", "Reject"])
def test_spec_edited_mid_rollout_back_to_the_source(policy: OnNewRevision) -> None:
    """Edit back to the source's revision: a rollback, whatever the policy; nothing is rejected."""
    world = at_quarter(dataclasses.replace(HELD, on_new_revision=policy))
    world.wanted = "r1"
    assert dict(world.decide().traffic.weights) == {"a": 1000}
    decision = world.until("", limit=400)
    assert (world.history, world.motion.rejected) == ([("r2", "Superseded")], None)
    assert decision.ready


def test_paused() -> None:
    """Forward moves stop and the deadline's clock with them; a rollback goes on."""
    world = at_quarter(dataclasses.replace(CANARY, progress_deadline=100))
    world.paused = True
    decision = world.run(600, tick=20)
    assert (decision.reason, dict(decision.traffic.weights)) == ("Paused", {"a": 750, "b": 250})
    world.crashing = {"r2"}
    assert dict(world.decide().traffic.weights) == {"a": 1000}
    world.until("", limit=400)
    assert world.history == [("r2", "RolledBack")]


def test_scale_during_a_rollout() -> None:
    """The live slot scales up at once, the candidate with it; scale-in waits for the end."""
    world = at_quarter()
    world.replicas = 8
    world.run(4)
    assert (world.slots["a"].desired, world.slots["b"].desired) == (8, 3)
    world.replicas = 2
    world.run(4)
    assert world.slots["a"].desired == 8
    world.person = Person(promote=True)
    world.until("Draining", limit=1000)
    assert (world.slots["a"].desired, world.slots["b"].desired) == (8, 8)
    world.until("", limit=1000)
    world.run(4)
    assert world.slots["b"].desired == 2


def test_autoscaling_during_a_rollout() -> None:
    """Somebody else owns the count: it is left, scale-in is held, the candidate follows the live slot."""
    world = at_quarter(replicas=None)
    orders = {order.slot: order for order in world.decide().slots}
    assert (orders["a"].count, orders["a"].hold_scale_in, orders["b"].hold_scale_in) == (None, True, True)
    world.slots["a"].desired = 12
    world.run(4)
    assert world.slots["b"].desired == 4
    assert world.motion.rollout is not None
    assert world.motion.rollout.live_floor == 12
    world.person = Person(promote=True)
    world.until("", limit=1000)
    assert {order.slot: order.count for order in world.decide().slots}["b"] is None


def test_live_tasks_dying_mid_rollout() -> None:
    """Forward moves stop; the candidate is never promoted because the live slot is broken."""
    world = at_quarter()
    for task in world.slots["a"].tasks:
        task.dead = True
    world.person = Person(promote=True)
    decision = world.run(8000, tick=100)
    assert (decision.reason, dict(decision.traffic.weights)) == ("WaitingForTargets", {"a": 750, "b": 250})
    assert "0 of 3 targets healthy" in decision.message
    world.person = Person(promote_full=True)
    world.run(60)
    assert world.weights == {"b": 1000}


def test_route_added() -> None:
    """It gets the present weights, holds nothing up while it cannot be made, and joins once verified."""
    world = at_quarter()
    late = Route(name="new", delay=2, problem="its rules are being made")
    world.routes.append(late)
    world.run(10)
    assert world.last is not None
    assert world.last.reason == "Paused"
    late.problem, late.due = "", world.now
    world.run(10)
    assert late.weights == {"a": 750, "b": 250}
    late.problem = "throttled"
    world.person = Person(promote=True)
    decision = world.run(60)
    assert (decision.reason, decision.message.endswith("route new: throttled")) == ("WaitingForTargets", True)
    late.problem = ""
    world.run(10)
    assert late.weights == {"b": 1000}


def test_route_removed() -> None:
    """It leaves the set; when the set is empty the rollout is held with RouteMissing until one is back."""
    world = at_quarter()
    route = world.routes.pop()
    world.person = Person(promote=True)
    decision = world.run(100)
    assert (decision.reason, decision.ready) == ("RouteMissing", False)
    assert dict(decision.traffic.weights) == {"a": 750, "b": 250}
    assert world.notes.count("RouteMissing") == 1
    world.routes.append(route)
    world.run(60)
    assert world.weights == {"b": 1000}


def test_operator_down_for_an_hour() -> None:
    """Weights are verified again, one fresh interval is required; elapsed pauses count."""
    analysis = Analysis(
        metrics=(
            Metric(
                name="errors",
                kind="prometheus",
                query={},
                failure=Limit(operator=">", threshold=0.01),
                interval=30,
            ),
        )
    )
    steps = (SetWeight(permille=250), Pause(seconds=1800), SetWeight(permille=1000))
    world = live(strategy=Progressive(steps=steps, analysis=analysis, snapshot={"x": 1}))
    world.values = {"errors": 0.0}
    world.wanted = "r2"
    world.until("Stepping")
    world.run(100)
    world.pass_time(3600)
    world.resumed, world.leader_epoch = True, 7
    decision = world.decide()
    verified = world.routes[0].verified_at
    assert (decision.reason, dict(decision.traffic.weights)) == ("WaitingForGate", {"a": 750, "b": 250})
    assert decision.traffic.verify_after > world.now
    back = world.now
    while world.weights != {"b": 1000}:
        world.pass_time(2)
        world.decide()
    assert 30 <= world.now - back < 60
    assert world.routes[0].verified_at > verified


@pytest.mark.parametrize("how", ["flag", "backwards"])
def test_clock_jumps(how: str) -> None:
    """The step's timer starts again, whether wall time left monotonic time or now is before its start."""
    world = at_quarter(CANARY)
    if how == "flag":
        world.now += 10_000
        world.clock_jumped = True
    else:
        world.now -= 10_000
        for task in (*world.slots["a"].tasks, *world.slots["b"].tasks):
            task.healthy_at = 0.0  # what is healthy stays so
    jumped = world.now
    world.decide()
    for _ in range(100):
        world.pass_time(2)
        world.decide()
        if world.last and dict(world.last.traffic.weights) == {"b": 1000}:
            break
    assert 60 <= world.now - jumped < 90


def test_rule_edited_by_hand_halt() -> None:
    """Mid-rollout: halt and show the foreign weights; resume overwrites them once."""
    world = at_quarter()
    world.routes[0].foreign = "rule 7 gives 500 to b"
    world.person = Person(promote=True)
    decision = world.run(100)
    assert (decision.reason, decision.traffic.reassert) == ("DriftHalted", False)
    assert "rule 7 gives 500 to b" in decision.message
    assert world.notes.count("DriftHalted") == 1
    world.person = Person(resume=True)
    assert world.decide().traffic.reassert
    world.routes[0].foreign = ""
    world.run(10)
    world.routes[0].foreign = "rule 7 gives 600 to b"
    decision = world.run(4)
    assert decision.reason == "DriftHalted"


def test_rule_edited_by_hand_reassert() -> None:
    """Policy Reassert, rest and every rollback overwrite what nobody of us wrote."""
    world = at_quarter(dataclasses.replace(HELD, on_drift="Reassert"))
    assert world.decide().traffic.reassert
    world = at_quarter()
    world.routes[0].foreign = "rule 7 gives 500 to b"
    world.decide()
    world.person = Person(abort=True)
    assert world.decide().traffic.reassert
    world.routes[0].foreign = ""
    assert world.until("", limit=400).traffic.reassert


def test_listener_deleted() -> None:
    """Stalled/ListenerNotFound, nothing shrinks; it goes on when the rules are there again."""
    world = at_quarter()
    world.person = Person(promote=True)
    world.decide()
    world.routes[0].problem, world.routes[0].problem_reason = "listener 443 is gone", "ListenerNotFound"
    world.until("Stepping")
    decision = world.run(20)
    assert (decision.reason, decision.ready) == ("ListenerNotFound", False)
    assert world.slots["a"].desired == 4
    world.routes[0].problem = ""
    world.until("", limit=1000)
    assert world.history == [("r2", "Succeeded")]


def test_a_candidate_that_dies_before_every_route_proved_its_first_weight_turns_back() -> None:
    """One route wrote the weight, another one cannot: requests reach it all the same."""
    world = live(routes=[Route(name="main"), Route(name="other")])
    world.run(10)
    world.wanted = "r2"
    world.until("PreTraffic")
    world.routes[1].delay = 1000
    world.until("Stepping")
    world.run(20)
    assert world.motion.rollout is not None
    assert (world.motion.rollout.weight, world.motion.rollout.proven) == (250, 0)
    for task in world.slots["b"].tasks:
        task.dead = True
    world.until("RollingBack", limit=6)
    assert world.motion.rollout.reason == "Unhealthy"


def test_throttled_for_minutes() -> None:
    """A missing read is no transition and not time against the deadline."""
    world = live(strategy=dataclasses.replace(CANARY, progress_deadline=100))
    world.wanted = "r2"
    world.until("ScalingUp")
    world.blind, world.blocked = frozenset({"health", "proof"}), "throttled"
    decision = world.run(1000, tick=20)
    assert decision.reason == "WaitingForAWSBudget"
    assert (world.history, dict(decision.traffic.weights)) == ([], {"a": 1000})
    world.blind, world.blocked = frozenset(), ""
    world.until("", limit=2000)
    assert world.history == [("r2", "Succeeded")]


@pytest.mark.parametrize("state", ["ALARM", None, "INSUFFICIENT_DATA"])
def test_alarm_in_alarm_at_start(state: str | None) -> None:
    """In ALARM, missing or silent at the start: don't start."""
    strategy = dataclasses.replace(CANARY, analysis=Analysis(alarms=("5xx",)))
    world = live(strategy=strategy, alarms={"5xx": state})
    world.wanted = "r2"
    decision = world.run(100)
    assert (decision.reason, world.slots["b"].exists) == ("WaitingForGate", False)
    world.alarms = {"5xx": "OK"}
    world.until("Stepping")


def test_provider_unreachable() -> None:
    """More errors in a row than tolerated: inconclusive, a person decides; never a pass or fail."""
    metric = Metric(name="errors", kind="web", query={}, interval=10, consecutive_error_limit=2)
    steps = (SetWeight(permille=250), Pause(seconds=20), SetWeight(permille=1000))
    world = live(
        strategy=Progressive(steps=steps, analysis=Analysis(metrics=(metric,)), snapshot={"x": 1}),
        errors={"errors"},
    )
    world.wanted = "r2"
    world.until("Stepping")
    decision = world.run(200)
    assert (decision.reason, dict(decision.traffic.weights)) == (
        "AnalysisInconclusive",
        {"a": 750, "b": 250},
    )
    assert world.notes.count("AnalysisInconclusive") == 1
    world.errors, world.values = set(), {"errors": 1.0}
    assert world.run(100).reason == "AnalysisInconclusive"
    world.person = Person(promote=True)
    world.until("", limit=1000)
    assert world.history == [("r2", "Succeeded")]


def test_header_test_rule_removed_after_the_production_write() -> None:
    """On the way back the header goes with the production write, the test rule only after its proof."""
    world = at_quarter()
    world.person = Person(abort=True)
    decision = world.decide()
    assert (dict(decision.traffic.weights), decision.traffic.test) == ({"a": 1000}, "b")
    decision = world.until("CleaningUp")
    assert decision.traffic.test == ""


def test_freeze_window() -> None:
    """It blocks the start and forward steps, never a rollback."""
    hour = FreezeWindow(name="night", schedule="0 * * * *", duration=1800)
    begin = START - START % 3600 + 3600
    frozen = dataclasses.replace(CANARY, freeze=(hour,))
    world = live(strategy=frozen)
    world.now = begin + 10
    world.wanted = "r2"
    decision = world.run(600, tick=20)
    assert (decision.reason, decision.phase, decision.wake_at) == ("Frozen", "Frozen", begin + 1800)
    assert not world.slots["b"].exists
    world.pass_time(begin + 1800 - world.now)
    world.until("Stepping")
    world.run(10)
    world.pass_time(begin + 3600 - world.now)
    decision = world.run(100)
    assert (decision.reason, dict(decision.traffic.weights)) == ("Frozen", {"a": 750, "b": 250})
    world.crashing = {"r2"}
    assert dict(world.decide().traffic.weights) == {"a": 1000}


def test_slots_are_sized_for_the_larger_of_the_ordered_and_the_proven_weight() -> None:
    """§7 point 5: while one route still has half of its requests on b, 10 % must not be its size."""
    steps = (SetWeight(permille=500), Pause(), SetWeight(permille=100), Pause(), SetWeight(permille=1000))
    world = live(strategy=dataclasses.replace(HELD, steps=steps))
    world.wanted = "r2"
    world.until("Stepping")
    world.run(10)
    world.routes[0].problem = "cannot be written"
    world.person = Person(promote=True)
    world.decide()
    rollout = world.motion.rollout
    assert rollout is not None
    assert (rollout.weight, rollout.proven) == (100, 500)
    for service in world.slots.values():
        service.desired = 0  # by hand, all of it
    world.run(4)
    assert {name: service.desired for name, service in world.slots.items()} == {"a": 4, "b": 3}


def test_proof_of_aws_before_the_shrink() -> None:
    """§7 point 3: without a reading of the rules nothing loses tasks, however long it takes."""
    world = at_quarter()
    world.person = Person(promote=True)
    world.until("Draining", limit=1000)
    world.blind = frozenset({"proof"})
    decision = world.run(3000, tick=20)
    assert decision.reason == "Draining"
    assert world.slots["a"].desired == 4
    world.blind = frozenset()
    world.decide()
    assert world.motion.rollout is None


def test_an_old_proof_is_no_proof_before_the_shrink() -> None:
    """§7 point 4: verifyAfter is renewed when the drain ends, and every route must prove again."""
    world = at_quarter()
    world.person = Person(promote=True)
    decision = world.until("Draining", limit=1000)
    before = decision.traffic.verify_after
    world.routes[0].problem = "cannot read the rules"
    decision = world.run(600, tick=10)
    assert decision.traffic.verify_after > before
    assert (decision.motion.rollout is not None, world.slots["a"].desired) == (True, 4)


def test_a_new_leader_verifies_again_after_the_dead_ones_last_call() -> None:
    """§7 point 6: proofs count only from one call budget after the take-over on."""
    world = at_quarter()
    world.leader_epoch = 3
    decision = world.decide()
    assert decision.traffic.verify_after == world.now + 10
    assert world.motion.rollout is not None
    assert world.motion.rollout.leader_epoch == 3
    world.person = Person(promote=True)
    decision = world.run(6)
    assert dict(decision.traffic.weights) == {"a": 750, "b": 250}
    world.run(60)
    assert world.weights == {"b": 1000}


def test_nothing_more_is_sent_before_what_there_is_was_proved_again() -> None:
    """A new leader with a whole candidate and an open way still waits for its own proof first."""
    world = at_quarter(dataclasses.replace(HELD, capacity="Full"))
    world.leader_epoch = 3
    world.person = Person(promote=True)
    took_over = world.now
    while dict(world.decide().traffic.weights) != {"b": 1000}:
        world.pass_time(1)
    assert world.now - took_over >= 10


def test_the_source_stays_while_the_candidate_lacks_a_target() -> None:
    """Before the live slot drains the candidate has all its healthy targets."""
    world = at_quarter()
    world.person = Person(promote=True)
    world.until("Baking", limit=1000)
    world.slots["b"].tasks[0].dead = True
    decision = world.run(120)
    assert world.motion.rollout is not None
    assert world.motion.rollout.stage == "PostBake"
    assert "3 of 4 targets healthy" in decision.message
