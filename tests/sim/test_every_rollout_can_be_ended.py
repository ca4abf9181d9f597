"""Every rollout can be ended, wherever it stands and whatever went wrong before.

Either it is over a bounded time after a person's word, a newer revision, the deadline or a deletion; or
Ready names what holds it, and that, when it is done, ends it. Meanwhile nobody is sent to a slot without a
healthy target (`sim.endings.Watcher` raises), and at the end no rule sends to what was given up.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sim import console, endings
from sim.endings import Do, abort, delete_both, go, mend, over, source_again, stand, supersede
from sim.progressive_stories import BLUE_GREEN, production, serves, verb, web
from sim.stories import apply
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment

BOUND = 700.0
"""Seconds: twice the deregistration delay (who gives up a rollout that drains already), and some."""


def ends(universe: Universe, rollout: str) -> None:
    """Wait until the rollout is over; nothing then sends to what it gave up."""
    universe.settle(lambda: over(universe, rollout), within=BOUND)
    if not universe.gone(WEB):
        assert endings.astray(universe) == []


def present(universe: Universe) -> str:
    """Return the id of the rollout in motion."""
    return str(universe.status()["rollout"]["id"])


def nothing(_: Universe) -> None:
    """Nothing is wrong."""


ENDED: list[tuple[str, Do, Do]] = [
    ("paused before it starts", endings.match_to_nobody, abort),
    ("paused before it starts", endings.tenancy_taken, source_again),
    ("PreScaleUp", endings.definitions_deregistered, supersede),
    ("PreScaleUp", endings.backend_in_deletion, delete_both),
    ("tasks that do not start", endings.route_made_again_misspelt, source_again),
    ("tasks that do not start", endings.candidate_deleted, supersede),
    ("PostScaleUp", endings.other_listener, abort),
    ("PostScaleUp", endings.route_deleted, supersede),
    ("PreTraffic", endings.route_made_again_misspelt, supersede),
    ("PreTraffic", endings.tenancy_taken, delete_both),
    ("0 %", endings.backend_in_deletion, source_again),
    ("a header", endings.misspell, supersede),
    ("a header", endings.route_status_lost, abort),
    ("50 %", endings.rule_deleted, supersede),
    ("50 %", endings.route_deleted, abort),
    ("50 %", endings.route_made_again_misspelt, abort),
    ("50 %", endings.backend_in_deletion, supersede),
    ("50 %", endings.candidate_deleted, abort),
    ("Baking", endings.route_status_lost, source_again),
    ("Baking", endings.candidate_deleted, supersede),
    ("PostBake", endings.rule_deleted, abort),
    ("Draining", endings.backend_in_deletion, abort),
    ("Draining", endings.route_made_again, supersede),
]


def named(cell: tuple[str, Do, Do]) -> str:
    """Return a cell's name."""
    place, trouble, end = cell
    return f"{place}, {trouble.__name__}, {end.__name__}".replace("_", " ")


@pytest.mark.parametrize(("place", "trouble", "end"), ENDED, ids=map(named, ENDED))
def test_a_word_ends_it_while_the_trouble_lasts(place: str, trouble: Do, end: Do) -> None:
    """Nobody mends anything: who gives the rollout up is not made to wait for who broke something."""
    universe = stand(place)
    rollout = present(universe)
    trouble(universe)
    universe.run(20)
    end(universe)
    ends(universe, rollout)


HELD: list[tuple[str, Do, Do, str]] = [
    (
        "PreTraffic",
        endings.match_to_nobody,
        abort,
        "Deployment shop/wbe does not exist; create it or correct",
    ),
    ("0 %", endings.other_listener, supersede, "create the listener or correct spec.parentRefs"),
    ("a header", endings.unknown_port, source_again, "no container of Deployment shop/web has port admin"),
    ("0 %", endings.taken_priority, abort, "priority 40000 is taken by another rule"),
    ("PreTraffic", endings.tenancy_taken, supersede, "Ask the platform team to extend the tenancy rule"),
    ("50 %", endings.foreign_rule, abort, "a rule still gives weight to slot b"),
    ("50 %", endings.health_denied, abort, "allow the action for the operator's role"),
]


@pytest.mark.parametrize(
    ("place", "trouble", "end", "told"), HELD, ids=[named((place, bad, end)) for place, bad, end, _ in HELD]
)
def test_what_holds_the_way_back_is_named_and_its_mend_ends_it(
    place: str, trouble: Do, end: Do, told: str
) -> None:
    """Who proved something once proves the way back, too: requests are back, tasks wait (decision 28)."""
    universe = stand(place)
    rollout = present(universe)
    trouble(universe)
    universe.run(20)
    end(universe)
    universe.run(BOUND)
    assert not over(universe, rollout)
    assert told in universe.condition("Ready")["message"]
    live = {group["name"] for group in universe.status()["targetGroups"] if group["slot"] == "a"}
    assert set(production(universe)) <= live
    mend(universe)
    ends(universe, rollout)


@pytest.mark.parametrize(
    "place", ["tasks that do not start", "50 %"], ids=["before it has requests", "while it has requests"]
)
def test_the_deadline_ends_what_nobody_ends(place: str) -> None:
    """Tasks that never start, and a weight that a broken route can't prove."""
    universe = stand(place, progressDeadlineSeconds=60)
    rollout = present(universe)
    if place == "50 %":
        endings.backend_in_deletion(universe)
        verb(universe, "promote")
    ends(universe, rollout)
    assert universe.status()["history"][0]["reason"].startswith("Deadline: ")


@pytest.mark.parametrize(
    ("trouble", "end"),
    [
        (endings.misspell, supersede),
        (endings.other_listener, abort),
        (endings.taken_priority, source_again),
        (endings.unknown_port, delete_both),
    ],
)
def test_a_first_route_in_the_middle_of_task_shares_holds_nothing(trouble: Do, end: Do) -> None:
    """Weights are shares of tasks until a route comes that can't be made."""
    universe = stand("50 %", routed=False)
    rollout = present(universe)
    trouble(universe)
    universe.run(20)
    end(universe)
    ends(universe, rollout)


@pytest.mark.parametrize(
    ("trouble", "end"),
    [(endings.misspell, abort), (endings.unknown_port, delete_both), (endings.other_listener, abort)],
)
def test_a_first_rollout_whose_route_can_not_be_made_can_be_given_up(trouble: Do, end: Do) -> None:
    """It waits at 100 % for a proof, says for which route, and has nothing to go back to."""
    universe = Universe(seed=7)
    apply(web(strategy=BLUE_GREEN))(universe)
    trouble(universe)
    universe.settle(lambda: "route web: " in str(universe.condition("Ready").get("message")), within=120)
    rollout = present(universe)
    end(universe)
    ends(universe, rollout)


@pytest.mark.parametrize(
    ("trouble", "end"),
    [(endings.misspell, abort), (endings.match_to_nobody, delete_both), (endings.rule_deleted, abort)],
)
def test_an_undo_can_be_given_up(trouble: Do, end: Do) -> None:
    """It has no steps, and its route can't prove it or is written anew: it can be ended all the same."""
    universe = endings.begin()
    go(universe, "Baking")
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:2")(universe), within=BOUND)
    trouble(universe)
    verb(universe, "undo")
    universe.run(0.5)
    rollout = present(universe)
    end(universe)
    ends(universe, rollout)


def test_a_deletion_waits_for_the_route_and_says_so() -> None:
    """Deleted alone, a Deployment that has requests stays until the route that sends them has gone."""
    universe = stand("50 %")
    universe.cluster.delete(WEB)
    universe.run(BOUND)
    assert universe.reason() == "InUse"
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(WEB, ROUTE), within=BOUND)


HELD_BY = {"DriftHalted": "resume", "RouteMissing": "apply one, or abort", "Paused": "spec.paused"}


def drifts(universe: Universe) -> None:
    """Turn the weights by hand."""
    rule = console.own_rule(universe, "rule")
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    weights = [{"TargetGroupArn": group["TargetGroupArn"], "Weight": 7} for group in groups[:1]]
    forward: list[Any] = [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]
    universe.aws("elbv2", "ModifyRule", RuleArn=rule["RuleArn"], Actions=forward)


def pauses(universe: Universe) -> None:
    """Set spec.paused."""
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(paused=True))


@pytest.mark.parametrize(
    ("trouble", "reason", "end"),
    [
        (drifts, "DriftHalted", abort),
        (drifts, "DriftHalted", source_again),
        (endings.route_deleted, "RouteMissing", source_again),
        (pauses, "Paused", abort),
    ],
)
def test_what_holds_the_way_forward_names_the_way_out(trouble: Do, reason: str, end: Do) -> None:
    """For ever, because a person has to look; and whoever gives up is not held."""
    universe = stand("50 %")
    rollout = present(universe)
    trouble(universe)
    universe.run(400)
    verb(universe, "promote", "/1")
    universe.run(400)
    assert universe.reason() == reason
    assert HELD_BY[reason] in universe.condition("Ready")["message"]
    end(universe)
    ends(universe, rollout)


@pytest.mark.parametrize("end", [nothing, abort, supersede])
def test_target_groups_that_were_deleted_are_made_again_on_the_way_back(end: Do) -> None:
    """No rule can be written without them, and the way back waits for the rules."""
    universe = stand("50 %")
    rollout = present(universe)
    endings.groups_deleted(universe)
    end(universe)
    ends(universe, rollout)
    universe.settle(lambda: universe.ready(ROUTE), within=BOUND)


@pytest.mark.parametrize("end", [abort, supersede])
@pytest.mark.parametrize("place", ["PreTraffic", "50 %"])
def test_a_route_gets_another_load_balancer_in_the_moment_of_the_way_back(place: str, end: Do) -> None:
    """One apply of both: its new target groups are made before the way back is proved, not after."""
    universe = stand(place)
    rollout = present(universe)
    endings.another_balancer(universe)
    end(universe)
    ends(universe, rollout)


def grouped(image: str, name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a member of a release group that waits a minute for the others."""
    strategy = copy.deepcopy(BLUE_GREEN)
    strategy["progressive"] |= {"releaseGroup": {"name": "core", "timeout": "1m"}}
    return deployment(name, image=image, strategy=strategy, **spec)


@pytest.mark.parametrize("end", ["abort", "a revision without the group", "the other is aborted"])
def test_a_member_that_does_not_come_is_named_and_holds_nobody_who_gives_up(end: str) -> None:
    """Its tasks never start: the other waits at its step, says for whom, and is held by nothing else."""
    universe = endings.begin()
    apply(grouped("web:1"), grouped("ledger:1", "ledger"))(universe)
    universe.settle(lambda: universe.ready(WEB, LEDGER), within=BOUND)
    slow = {"env": {"SANDBOX_START_DELAY_S": "9000"}}
    apply(grouped("web:2"), grouped("ledger:2", "ledger", **slow))(universe)
    universe.settle(lambda: universe.reason() == "ProgressDeadlineExceeded", within=120)
    assert "mend ledger or abort" in universe.condition("Ready")["message"]
    rollout = present(universe)
    if end == "abort":
        abort(universe)
    elif end == "the other is aborted":
        universe.cluster.annotate(LEDGER, abort=universe.status(LEDGER)["rollout"]["id"])
    else:
        supersede(universe)
    ends(universe, rollout)
    if end == "a revision without the group":
        universe.settle(lambda: serves("web:3")(universe), within=BOUND)
