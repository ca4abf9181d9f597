"""Progressive rollouts from the first pass to the last, in virtual time, against the stand-in."""

from __future__ import annotations

from typing import Any

from sim.progressive_stories import BLUE_GREEN, CANARY, at_step, ready, verb, web
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, route
from sim.visitors import Visitors


def first(strategy: dict[str, Any] = CANARY) -> Universe:
    """Return a universe in which the first revision is live."""
    universe = Universe(seed=7)
    apply(web(strategy=strategy), route())(universe)
    universe.settle(lambda: ready(universe))
    return universe


def weights(universe: Universe) -> list[int]:
    """Return the weights of the production rule, sorted."""
    (rule,) = [r for r in universe.rules() if r["Conditions"][0]["Field"] == "path-pattern"]
    return sorted(group["Weight"] for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"])


def test_the_first_rollout_has_no_steps() -> None:
    """Slot a, full size, healthy, then all production traffic."""
    universe = first()
    status = universe.status()
    assert (status["live"]["slot"], status["replicas"], status["phase"]) == ("a", 2, "Healthy")
    assert status["history"][0]["outcome"] == "Succeeded"
    assert [service["desiredCount"] for service in universe.services()] == [2]
    assert Visitors(universe).start().stop().bad == []


def test_a_canary_goes_step_by_step() -> None:
    """5 %, a timed pause, 50 %, a person's word, 100 %, bake, drain; the old slot stays as standby."""
    universe = first()
    visitors = Visitors(universe).start()
    apply(web("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    assert weights(universe) == [5, 95]
    universe.settle(lambda: at_step(3)(universe))
    assert weights(universe) == [50, 50]
    universe.run(300)
    assert universe.status()["phase"] == "Paused"
    verb(universe, "promote")
    universe.settle(lambda: ready(universe))
    status = universe.status()
    assert (status["live"]["slot"], status["standby"]["slot"]) == ("b", "a")
    assert weights(universe) == [1]
    assert visitors.stop().bad == []


def test_a_broken_candidate_never_gets_weight() -> None:
    """It never becomes healthy: rolled back, the live slot served all the time."""
    universe = first()
    visitors = Visitors(universe).start()
    apply(web("web:2", env={"SANDBOX_EXIT": "1"}))(universe)
    universe.settle(lambda: universe.reason() == "RolledBack")
    status = universe.status()
    assert (status["live"]["slot"], status["history"][0]["outcome"]) == ("a", "RolledBack")
    assert status["history"][0]["evidence"]
    assert visitors.stop().bad == []


def test_an_abort_writes_the_rules_first() -> None:
    """The first AWS write after the word is the rule's; the candidate shrinks later."""
    universe = first()
    apply(web("web:2"))(universe)
    universe.settle(lambda: at_step(3)(universe))
    before = len(universe.writes())
    visitors = Visitors(universe).start()
    verb(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack")
    writes = universe.writes()[before:]
    assert writes[0] == "ModifyRule"
    assert "UpdateService" in writes[1:]
    assert universe.status()["history"][0]["rollbackSeconds"] < 2
    assert weights(universe) == [1]
    assert visitors.stop().bad == []


def test_undo_from_standby_needs_no_new_tasks() -> None:
    """The old slot is warm: one write moves all traffic back."""
    universe = first(BLUE_GREEN)
    apply(web("web:2", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: ready(universe))
    assert universe.status()["live"]["slot"] == "b"
    before = len(universe.writes())
    verb(universe, "undo")
    universe.settle(lambda: universe.status().get("live", {}).get("slot") == "a")
    assert universe.writes()[before] == "ModifyRule"
    universe.settle(lambda: universe.reason() == "RolledBack")
    assert weights(universe) == [1]


def test_an_edit_in_the_middle_supersedes() -> None:
    """Back to the source first, then the newest candidate; nothing is skipped."""
    universe = first(
        BLUE_GREEN | {"progressive": {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 100}]}}
    )
    slow = {
        "type": "Progressive",
        "progressive": {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 100}]},
    }
    apply(web("web:2", strategy=slow))(universe)
    universe.settle(lambda: at_step(1)(universe))
    visitors = Visitors(universe).start()
    apply(web("web:3", strategy=slow))(universe)
    universe.settle(
        lambda: at_step(1)(universe) and "Superseded" in {h["outcome"] for h in universe.status()["history"]}
    )
    verb(universe, "promote-full")
    universe.settle(lambda: ready(universe))
    assert visitors.stop().bad == []
    assert Visitors(universe).start().stop().bad == []


def test_delete_in_the_middle_leaves_nothing() -> None:
    """Route and Deployment deleted at once at 5 %: both slots, groups, rules and definitions go."""
    universe = first()
    apply(web("web:2"))(universe)
    universe.settle(lambda: at_step(1)(universe))
    universe.cluster.delete(WEB)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(WEB, ROUTE))
    assert (universe.services(), universe.target_groups(), universe.rules(), universe.definitions()) == (
        [],
        [],
        [],
        [],
    )


ANALYSED = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 20}, {"pause": {"duration": "5m"}}, {"setWeight": 100}],
        "analysis": {
            "interval": "60s",
            "metrics": [
                {
                    "name": "errors",
                    "loadBalancer": {"metric": "TargetErrorRate"},
                    "failureCondition": "> 0.05",
                    "minRequests": 5,
                }
            ],
        },
        "drain": {"propagationDelaySeconds": 1},
    },
}


def test_a_candidate_that_answers_errors_is_rolled_back_by_the_load_balancers_count() -> None:
    """Healthy targets, bad answers: only the metric sees it; the live slot answered none of them."""
    universe = first(ANALYSED)
    visitors = Visitors(universe).start()
    apply(web("web:2", strategy=ANALYSED, env={"SANDBOX_FAIL_PERCENT": "50"}))(universe)
    universe.settle(lambda: universe.reason() == "RolledBack")
    entry = universe.status()["history"][0]
    assert (entry["outcome"], entry["reason"].split(":")[0]) == ("RolledBack", "Analysis")
    assert universe.status()["live"]["slot"] == "a"
    assert {answer.rsplit(" ", 1)[-1] for answer in visitors.stop().bad} == {"web:2"}


def test_a_candidate_that_answers_well_passes_its_analysis() -> None:
    """The same strategy with the same load, and nothing wrong."""
    universe = first(ANALYSED)
    visitors = Visitors(universe).start()
    apply(web("web:2", strategy=ANALYSED))(universe)
    universe.settle(lambda: ready(universe), within=1800)
    assert universe.status()["live"]["slot"] == "b"
    assert visitors.stop().bad == []


def test_a_route_that_comes_with_a_new_revision_meets_no_empty_group() -> None:
    """Ready without a route; then route and revision at once: 404 until the live slot serves, never a 503."""
    universe = Universe(seed=7)
    apply(web())(universe)
    universe.settle(lambda: universe.ready(WEB))
    visitors = Visitors(universe).start()
    apply(web("web:2"), route())(universe)
    universe.settle(lambda: at_step(3)(universe))
    verb(universe, "promote")
    universe.settle(lambda: ready(universe))
    assert {answer.split()[0] for answer in visitors.stop().bad} <= {"404"}
    assert Visitors(universe).start().stop().bad == []


def test_rolling_to_progressive_and_back() -> None:
    """The rolling service becomes slot a; back again, the live slot goes on rolling, the other one goes."""
    universe = Universe(seed=7)
    rolling = {"type": "RollingUpdate"}
    apply(web(strategy=rolling), route())(universe)
    universe.settle(lambda: ready(universe))
    (service,) = universe.services()
    visitors = Visitors(universe).start()
    apply(web("web:2", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: ready(universe))
    assert service["serviceArn"] in {entry["serviceArn"] for entry in universe.services()}
    assert universe.status()["live"]["slot"] == "b"
    apply(web("web:3", strategy=rolling))(universe)
    universe.settle(lambda: ready(universe))
    (left,) = [entry for entry in universe.services() if entry["status"] == "ACTIVE"]
    assert left["serviceArn"] != service["serviceArn"]
    assert visitors.stop().bad == []
    assert Visitors(universe).start().stop().bad == []
