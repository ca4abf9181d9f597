"""A rollout whose first route can't prove anything (decision 28).

Routes are told of a target group first when it has a healthy target, so nobody can write a rule that names
a broken source. The rollout must say so and take a person's word for it, not wait for a proof that can't
come; and no first route that can't be made, whatever the cause, may hold the way back.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim.chaos import Manifest
from sim.discovery_stories import named
from sim.progressive_stories import BLUE_GREEN, BROKEN, ROLLING, THREE_STEPS, production, serves, verb, web
from sim.stories import apply
from sim.test_progressive_hooks import strategy
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route


def broken() -> Universe:
    """Return a universe in which the live revision, a rolling one that never ended, runs no task."""
    universe = Universe(seed=7)
    apply(web(strategy=ROLLING))(universe)
    universe.settle(lambda: universe.ready(WEB))
    apply(web("web:2", strategy=ROLLING, env=BROKEN))(universe)
    universe.run(0.5)
    apply(web("web:2", strategy=BLUE_GREEN, env=BROKEN))(universe)
    universe.run(60)
    return universe


def held(universe: Universe) -> bool:
    """Tell whether the rollout says that the live slot is the reason, and who can end it."""
    message = str(universe.condition("Ready")["message"])
    return "live slot a: 0 of" in message and "promote-full" in message


def test_promote_full_brings_the_cure() -> None:
    """Not promoted by itself, and never rolled back for the source's fault; promoted at a person's word."""
    universe = broken()
    apply(web("web:3", strategy=THREE_STEPS, progressDeadlineSeconds=60), route())(universe)
    universe.settle(lambda: held(universe), within=120)
    universe.run(200)
    assert held(universe), universe.told()
    assert universe.condition("Ready", ROUTE)["reason"] == "WaitingForTargets"
    assert production(universe) == {}, "a rule that nobody can answer for"
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:3")(universe), within=600)
    assert sorted(production(universe).values()) == [1]


def test_another_deployment_of_the_rule_goes_on_then() -> None:
    """Both progressive, both with a new revision, and a first route of both: one word is enough."""
    universe = broken()
    apply(deployment("ledger", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.ready(LEDGER))
    apply(
        web("web:3", strategy=BLUE_GREEN),
        deployment("ledger", image="ledger:2", strategy=BLUE_GREEN),
        route(backends={"web": 1, "ledger": 3}),
    )(universe)
    universe.settle(lambda: held(universe), within=120)
    verb(universe, "promote-full")
    universe.settle(lambda: universe.ready(WEB, LEDGER, ROUTE), within=600)
    assert sorted(production(universe).values()) == [25, 75]


def test_another_revision_takes_the_place_of_the_one_that_waits() -> None:
    """Nobody was sent to the candidate, so the way back needs no route's proof; abort ends it likewise."""
    universe = broken()
    apply(web("web:3", strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: held(universe), within=120)
    apply(web("web:4", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.status()["history"][0]["outcome"] == "Superseded", within=600)
    universe.settle(lambda: held(universe), within=120)
    verb(universe, "abort")
    universe.settle(lambda: "rollout" not in universe.status(), within=600)
    assert universe.status()["history"][0]["outcome"] == "Aborted"


def test_a_test_listener_does_not_keep_who_was_sent_away() -> None:
    """Nobody can be shown in the candidate's place, and its tasks wait for every rule: the test rule goes."""
    universe = broken()
    test = {"parentRefs": [{"loadBalancerName": "sandbox", "port": 8080}]}
    apply(web("web:3", strategy=BLUE_GREEN), route(test=test))(universe)
    universe.settle(lambda: held(universe), within=120)
    assert len(universe.rules(8080)) == 2, "the anchor, and the candidate for testers"
    verb(universe, "abort")
    universe.settle(lambda: "rollout" not in universe.status(), within=900)
    assert ended(universe) == "Aborted"
    assert len(universe.rules(8080)) == 1


@pytest.mark.parametrize("kind", ["rules", "names"])
def test_a_cure_whose_route_is_misspelt_does_not_stay_for_ever(kind: str) -> None:
    """Nobody came to the candidate, so the source has nothing to take back, well or not."""
    universe = broken()
    asks = misspelt() if kind == "rules" else nameless()
    apply(web("web:3", strategy=BLUE_GREEN, progressDeadlineSeconds=60), asks)(universe)
    if kind == "rules":
        universe.settle(lambda: held(universe), within=120)
    else:
        universe.run(30)
    verb(universe, "promote-full")
    universe.settle(lambda: "rollout" not in universe.status(), within=900)
    assert universe.status()["history"][0]["reason"].startswith("Deadline: ")
    apply(web("web:4", strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: held(universe), within=600)


def nameless() -> Manifest:
    """Return a route whose name has no place in Cloud Map, and no rules."""
    asks = named("Tasks")
    asks["spec"]["discovery"]["namespaceRef"] = {"name": "nowhere.local"}
    return asks


def test_a_hook_says_no_to_the_cure() -> None:
    """It runs once a person asked for the cure, and its word sends nobody to it."""
    universe = broken()
    apply(web("web:3", strategy=strategy("PreTraffic", "1")), route())(universe)
    universe.settle(lambda: held(universe), within=120)
    verb(universe, "promote-full")
    universe.settle(lambda: "rollout" not in universe.status(), within=900)
    newest = universe.status()["history"][0]
    assert newest["outcome"] == "RolledBack"
    assert newest["reason"].startswith("Hook: "), newest
    assert production(universe) == {}


def test_what_is_live_and_broken_is_not_called_available() -> None:
    """The tasks that run are those of the revision before: ECS kept them when the new ones did not start."""
    universe = broken()
    assert not universe.ready(WEB)
    message = str(universe.condition("Ready")["message"])
    assert "0 of 2 tasks healthy; 2 of another task definition still run" in message


def misspelt() -> Manifest:
    """Return a route that no rule can be made for: one of its backends is not there."""
    return route(backends={"web": 1, "wbe": 1})


@pytest.mark.parametrize("end", ["abort", "deadline", "superseded", "the source again"])
def test_a_first_route_that_is_misspelt_holds_no_way_back(end: str) -> None:
    """It came with the new revision; both are healthy, and only a person could mend it."""
    universe = Universe(seed=7)
    apply(web(strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.ready(WEB))
    seconds = {"progressDeadlineSeconds": 60} if end == "deadline" else {}
    apply(web("web:2", strategy=BLUE_GREEN, **seconds), misspelt())(universe)
    universe.settle(lambda: universe.status()["rollout"]["stage"] == "PreTraffic", within=120)
    if end == "abort":
        verb(universe, "abort")
    if end == "superseded":
        apply(web("web:3", strategy=BLUE_GREEN))(universe)
    if end == "the source again":
        apply(web(strategy=BLUE_GREEN))(universe)
    outcome = {"abort": "Aborted", "deadline": "RolledBack"}.get(end, "Superseded")
    universe.settle(lambda: ended(universe) == outcome, within=900)
    apply(route())(universe)
    universe.settle(lambda: universe.ready(ROUTE), within=120)
    assert list(production(universe).values()) == [1]


def ended(universe: Universe) -> str:
    """Return how the rollout of web:2 ended."""
    return str(universe.status()["history"][0]["outcome"])


@pytest.mark.parametrize("kind", ["rules", "names"])
def test_a_first_route_in_the_middle_of_task_shares_holds_no_way_back(kind: str) -> None:
    """The weights were shares of tasks until a misspelt route came: what AWS shows of its rules counts."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS, replicas=4))(universe)
    universe.settle(lambda: universe.ready(WEB))
    apply(web("web:2", strategy=THREE_STEPS, replicas=4))(universe)
    universe.settle(at_paused_step(universe), within=120)
    apply(misspelt() if kind == "rules" else nameless())(universe)
    universe.run(30)
    verb(universe, "abort")
    universe.settle(lambda: "rollout" not in universe.status(), within=900)
    assert ended(universe) == "Aborted"


def at_paused_step(universe: Universe) -> Callable[[], bool]:
    """Return whether the first pause waits for a person."""
    return lambda: (universe.status().get("rollout") or {}).get("stepIndex") == 1


def test_a_name_is_no_reason_to_pass_over_the_proof() -> None:
    """It needs no target group, so that none is told says nothing; promote-full waits for it as for rules."""
    universe = Universe(seed=7)
    apply(web(strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.ready(WEB))
    apply(web("web:2", strategy=BLUE_GREEN), nameless())(universe)
    universe.settle(lambda: universe.status()["rollout"]["stage"] == "PreTraffic", within=120)
    verb(universe, "promote-full")
    universe.run(60)
    assert universe.status()["rollout"]["stage"] == "PreTraffic"


@pytest.mark.parametrize("word", ["", "promote-full"])
def test_a_first_route_to_a_port_that_only_the_candidate_has(word: str) -> None:
    """The present can't be written, and holds nothing: back at the deadline, forward at a person's word."""
    universe = Universe(seed=7)
    apply(web(strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.ready(WEB))
    both = web("web:2", strategy=BLUE_GREEN, progressDeadlineSeconds=60)
    both["spec"]["template"]["spec"]["containers"][0]["ports"].append(
        {"name": "admin", "containerPort": 9090}
    )
    asks = route()
    asks["spec"]["rules"][0]["backendRefs"][0]["port"] = "admin"
    apply(both, asks)(universe)
    universe.settle(lambda: universe.status()["rollout"]["stage"] == "PreTraffic", within=120)
    if word:
        verb(universe, word)
        universe.settle(lambda: serves("web:2")(universe), within=900)
        assert list(production(universe).values()) == [1]
        return
    universe.settle(lambda: ended(universe) == "RolledBack", within=900)
    assert production(universe) == {}
