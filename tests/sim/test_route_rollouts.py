"""ServiceRoutes in progressive rollouts: header and test rules, hand edits, sessions (rollout.md §4, §6)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sim import console
from sim.stories import apply
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route
from sim.visitors import Visitors
from sluice.model import ownership
from sluice_sandbox.aws.estate import SUBNET_IDS
from sluice_sandbox.aws.ports import HttpRequest

HEADER = {"setHeaderRoute": {"header": "x-canary", "value": "1"}}
TEST = {"parentRefs": [{"loadBalancerName": "sandbox", "port": 8080}]}
FORCED = {"a": 1, "b": 1}


def strategy(*steps: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return a progressive strategy of these steps and a last one, quick to bake and drain."""
    body = {"steps": [*steps, {"setWeight": 100}], "drain": {"propagationDelaySeconds": 1}} | members
    return {"type": "Progressive", "progressive": body}


def begun(plan: dict[str, Any], *, at: int, **spec: Any) -> Universe:
    """Return a universe in which web:2 stands at step `at` and waits."""
    universe = Universe(seed=7)
    apply(deployment(strategy=plan), route(**spec))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(deployment(image="web:2", strategy=plan))(universe)
    universe.settle(lambda: stands(universe, at))
    return universe


def stands(universe: Universe, at: int) -> bool:
    """Tell whether the rollout waits at a step."""
    rollout = universe.status().get("rollout") or {}
    return rollout.get("stepIndex") == at and "stepStartedAt" in rollout


def say(universe: Universe, verb: str) -> None:
    """Write a person's word for the present rollout."""
    current = universe.status()["rollout"]["id"]
    universe.cluster.annotate(WEB, **{verb.replace("-", "_"): current})


def ask(universe: Universe, *, port: int = 80, times: int = 60, **headers: str) -> Counter[str]:
    """Return who answered: images, or the status of the load balancer's own answer."""
    elb = universe.world.services["elbv2"]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest(host="shop.example.com", path="/web", headers=named)
    found: Counter[str] = Counter()
    for _ in range(times):
        result = elb.route(universe.world.caller, universe.listeners[port], request)
        found[str(result.body["image"]) if result.body else str(result.status)] += 1
    return found


def rules_of(universe: Universe, role: str, *, port: int = 80) -> list[dict[str, Any]]:
    """Return our rules of a role."""
    return [
        rule
        for rule in universe.rules(port)
        if console.elb_tags(universe, rule["RuleArn"]).get(ownership.ROLE) == role
    ]


def weights(universe: Universe) -> dict[str, int]:
    """Return slot → weight of the production rule."""
    (rule,) = rules_of(universe, "rule")
    arns = {group["arn"]: group["slot"] for group in universe.status()["targetGroups"]}
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {arns[group["TargetGroupArn"]]: group["Weight"] for group in groups if group["Weight"]}


def by_hand(universe: Universe, wanted: dict[str, int]) -> None:
    """Write other weights as a person at the console would."""
    arns = {t["slot"]: t["arn"] for t in universe.status()["targetGroups"]}
    groups = [{"TargetGroupArn": arns[slot], "Weight": weight} for slot, weight in wanted.items()]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    (rule,) = rules_of(universe, "rule")
    universe.aws("elbv2", "ModifyRule", RuleArn=rule["RuleArn"], Actions=actions)


def events(universe: Universe) -> list[str]:
    """Return the reasons of the events so far."""
    return [reason for _, _, reason, _ in universe.operator.recorder.events]


# Header and test rules.


def test_header_rule() -> None:
    """The header reaches the candidate before any weight; on rollback the rule goes after production's."""
    universe = begun(strategy(HEADER, {"pause": {}}), at=1)
    (header,), (production,) = rules_of(universe, "header-rule"), rules_of(universe, "rule")
    assert int(header["Priority"]) == int(production["Priority"]) - 1
    assert set(ask(universe, x_canary="1")) == {"web:2"}
    assert set(ask(universe)) == set(ask(universe, x_canary="2")) == {"web:1"}
    visitors = Visitors(universe).start()
    before = len(universe.writes())
    say(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack")
    assert rules_of(universe, "header-rule") == []
    assert set(ask(universe, x_canary="1")) == {"web:1"}
    writes = universe.writes()[before:]
    assert writes.index("DeleteRule") < writes.index("UpdateService")
    assert visitors.stop().bad == []


def test_header_rule_is_taken_away_by_a_step() -> None:
    """An empty setHeaderRoute deletes the rule; weights go on."""
    universe = begun(strategy(HEADER, {"setWeight": 20}, {"setHeaderRoute": {}}, {"pause": {}}), at=3)
    assert rules_of(universe, "header-rule") == []
    assert weights(universe) == {"a": 80, "b": 20}


def test_test_listener() -> None:
    """It answers always: what is live, the candidate before any weight, what is live after a rollback."""
    universe = Universe(seed=7)
    plan = strategy({"pause": {}})
    apply(deployment(strategy=plan), route(test=TEST))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert set(ask(universe, port=8080)) == {"web:1"}
    tester = Visitors(universe, port=8080).start()
    apply(deployment(image="web:2", strategy=plan))(universe)
    universe.settle(lambda: stands(universe, 0))
    assert (set(ask(universe, port=8080)), set(ask(universe))) == ({"web:2"}, {"web:1"})
    say(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack")
    assert set(ask(universe, port=8080)) == set(ask(universe)) == {"web:1"}
    assert tester.stop().bad == []
    assert [len(rules_of(universe, role, port=8080)) for role in ("test-rule", "rule")] == [1, 0]
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE))
    assert rules_of(universe, "test-rule", port=8080) == []
    universe.cluster.delete(WEB)
    universe.settle(lambda: universe.gone(WEB))
    assert (universe.rules(), universe.rules(8080), universe.target_groups()) == ([], [], [])


def test_test_listener_of_another_load_balancer() -> None:
    """A Deployment learns of it as of any other: target groups there, and the candidate answers."""
    universe = Universe(seed=7)
    made = universe.aws("elbv2", "CreateLoadBalancer", Name="inside", Subnets=list(SUBNET_IDS))
    listener = universe.aws(
        "elbv2",
        "CreateListener",
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
        Port=9443,
        Protocol="HTTP",
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    universe.listeners[9443] = str(listener["Listeners"][0]["ListenerArn"])
    plan = strategy({"pause": {}})
    inside = {"parentRefs": [{"loadBalancerName": "inside", "port": 9443}]}
    apply(deployment(strategy=plan), route(test=inside))(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(deployment(image="web:2", strategy=plan))(universe)
    universe.settle(lambda: stands(universe, 0))
    assert (set(ask(universe, port=9443)), set(ask(universe))) == ({"web:2"}, {"web:1"})


def test_test_listener_deleted_does_not_stop_a_rollback() -> None:
    """Production comes back although the test listener is gone; the route says that it is."""
    universe = begun(strategy({"setWeight": 30}, {"pause": {}}), at=1, test=TEST)
    universe.aws("elbv2", "DeleteListener", ListenerArn=universe.listeners.pop(8080))
    say(universe, "abort")
    universe.settle(lambda: weights(universe) == {"a": 1}, within=60)
    universe.settle(lambda: universe.reason(ROUTE) == "ListenerNotFound", within=300)


# Rule edited by hand.


def test_rule_edited_by_hand_mid_rollout_halts() -> None:
    """Nothing overwrites it: both sides tell the weights; resume does."""
    universe = begun(strategy({"setWeight": 10}, {"pause": {"duration": "3m"}}), at=1)
    by_hand(universe, FORCED)
    universe.settle(lambda: universe.reason(ROUTE) == "DriftHalted", within=60)
    assert universe.condition("Stalled", ROUTE)["status"] == "True"
    universe.run(600)
    assert weights(universe) == FORCED
    rollout = universe.status()["rollout"]
    assert (universe.reason(), rollout["held"], rollout["weight"]) == ("DriftHalted", "DriftHalted", 100)
    (entry,) = universe.status(ROUTE)["backends"]
    assert entry["foreign"].startswith("rule main/")
    say(universe, "resume")
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert weights(universe) == {"b": 1}
    assert "DriftRepaired" in events(universe)


def test_rule_edited_by_hand_and_back() -> None:
    """Who edited it writes the weights back: the rollout goes on by itself."""
    universe = begun(strategy({"setWeight": 10}, {"pause": {"duration": "3m"}}), at=1)
    by_hand(universe, FORCED)
    universe.settle(lambda: universe.reason(ROUTE) == "DriftHalted", within=60)
    by_hand(universe, {"a": 90, "b": 10})
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert universe.status()["live"]["slot"] == "b"


def test_rule_edited_by_hand_with_reassert() -> None:
    """OnDrift Reassert: written again, with an event, and the rollout goes on."""
    plan = strategy({"setWeight": 10}, {"pause": {"duration": "3m"}}, onDrift="Reassert")
    universe = begun(plan, at=1)
    by_hand(universe, FORCED)
    universe.settle(lambda: weights(universe) == {"a": 90, "b": 10}, within=90)
    assert "DriftRepaired" in events(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_rule_edited_by_hand_and_a_rollback() -> None:
    """A rollback always reasserts."""
    universe = begun(strategy({"setWeight": 10}, {"pause": {}}), at=1)
    by_hand(universe, FORCED)
    universe.settle(lambda: universe.status()["rollout"].get("held") == "DriftHalted", within=120)
    say(universe, "abort")
    universe.settle(lambda: universe.reason() == "RolledBack")
    assert weights(universe) == {"a": 1}


def test_rule_deleted_by_hand_mid_rollout() -> None:
    """Made again with the present weights."""
    universe = begun(strategy({"setWeight": 10}, {"pause": {}}), at=1)
    console.delete_rule("rule")(universe)
    universe.settle(lambda: len(rules_of(universe, "rule")) == 1, within=120)
    assert weights(universe) == {"a": 90, "b": 10}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_each_weight_makes_nothing_foreign(when: str) -> None:
    """Killed around every call of a rollout, the operator never takes its own weights for somebody's."""
    plan = strategy(*({"setWeight": weight} for weight in (5, 10, 50)))
    universe = Universe(seed=7)
    apply(deployment(strategy=plan), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    crashes: Any = universe.hook
    apply(deployment(image="web:2", strategy=plan))(universe)
    visitors = Visitors(universe).start()
    for _ in range(400):
        crashes.at, crashes.when, crashes.armed = len(crashes.calls) + 2, when, True
        universe.run(2)
        assert universe.reason(ROUTE) != "DriftHalted"
        if universe.ready(WEB, ROUTE) and universe.status()["live"]["slot"] == "b":
            break
    crashes.armed = False
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert universe.crashes >= 10
    assert weights(universe) == {"b": 1}
    assert visitors.stop().bad == []


# Two Deployments in one rule; sessions.


def test_two_progressive_deployments_in_one_rule() -> None:
    """Independent rollouts, one composed write, an acknowledgement each."""
    plan = strategy({"setWeight": 10}, {"pause": {}})
    universe = Universe(seed=7)
    apply(
        deployment(strategy=plan),
        deployment("ledger", image="ledger:1", strategy=plan),
        route(backends={"web": 3, "ledger": 1}),
    )(universe)
    universe.settle(lambda: universe.ready(WEB, LEDGER, ROUTE))
    apply(deployment(image="web:2", strategy=plan))(universe)
    universe.settle(lambda: stands(universe, 1))
    apply(deployment("ledger", image="ledger:2", strategy=plan))(universe)
    universe.settle(lambda: (universe.status(LEDGER).get("rollout") or {}).get("stepIndex") == 1)
    (rule,) = rules_of(universe, "rule")
    written = sorted(g["Weight"] for g in rule["Actions"][0]["ForwardConfig"]["TargetGroups"])
    assert written == [25, 75, 225, 675]
    say(universe, "promote")
    universe.settle(lambda: universe.ready(WEB))
    assert universe.status(LEDGER)["rollout"]["stepIndex"] == 1
    (rule,) = rules_of(universe, "rule")
    written = sorted(g["Weight"] for g in rule["Actions"][0]["ForwardConfig"]["TargetGroups"])
    assert written == [25, 225, 750]


def test_sessions_end_with_the_survivor() -> None:
    """Sticky while two slots share the rule, and not a moment longer."""
    rule = route()["spec"]["rules"][0] | {"sessionPersistence": {"durationSeconds": 30}}
    plan = strategy({"setWeight": 50}, {"pause": {}}, bake={"duration": "30s"})
    universe = begun(plan, at=1, rules=[rule])
    (production,) = rules_of(universe, "rule")
    sticky = production["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert (sticky["Enabled"], sticky["DurationSeconds"]) == (True, 30)
    say(universe, "promote")
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    (production,) = rules_of(universe, "rule")
    assert not production["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"]
