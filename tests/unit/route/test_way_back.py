"""A rule that can't be as the spec wants it yet: what is in it goes back all the same, and begins nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model.binding import Priority
from sluice.model.traffic import HeaderRoute, SlotTarget
from sluice.plan.route.desired import BackendFacts, desired_rules
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent
from sluice.plan.route.planner import Memory, RulePlan, plan_rules, plan_way_back
from sluice.plan.route.proof import Proof, acknowledgements, verify
from sluice.plan.route.status import parents_status
from unit.route.standing import (
    BALANCER,
    KEY,
    LISTENER,
    NOTHING,
    A,
    B,
    forward,
    listener,
    planned,
    stands,
    traffic,
    wanted,
)

OTHER = "arn:tg/ledger-a/1"
HELD = wanted(weights=None, backends=("web", "wbe"))


def group(slot: str, arn: str, **members: Any) -> SlotTarget:
    """Return a target group as a Deployment has it."""
    plain: dict[str, Any] = {"slot": slot, "port": "http", "container_port": 8080}
    return SlotTarget(**plain | {"load_balancer_arn": BALANCER, "target_group_arn": arn} | members)


def publishing(**members: Any) -> BackendFacts:
    """Return the Deployment web with two slots, on its way back to slot a."""
    told = traffic(**{"rollback": True, "targets": (group("a", A),)} | members)
    return BackendFacts(exists=True, traffic=told, groups=(group("a", A), group("b", B)))


def plan(web: BackendFacts, seen: dict[str, Any], *others: Any, **members: Any) -> RulePlan:
    """Plan the held rule, which is seen so."""
    return planned(HELD, *others, on=listener(seen), backends={"web": web}, **members)


def sent(done: RulePlan) -> list[dict[str, int]]:
    """Return the weights that a plan writes, in order."""
    configs = [a.params["Actions"][0]["ForwardConfig"] for a in done.actions if "Actions" in a.params]
    return [{g["TargetGroupArn"]: g["Weight"] for g in config["TargetGroups"]} for config in configs]


def with_ledger(**weights: int) -> list[dict[str, Any]]:
    """Return actions that send to the slots of web and to ledger, in this order of arguments."""
    names = {"a": A, "b": B, "ledger": OTHER}
    groups = [{"TargetGroupArn": names[name], "Weight": weight} for name, weight in weights.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        pytest.param(forward(a=95, b=5), [{A: 1}], id="to the source alone"),
        pytest.param(forward(b=1), [{A: 1}], id="all of it"),
        pytest.param(forward(a=1), [], id="is back already"),
        pytest.param(with_ledger(a=475, b=25, ledger=500), [{A: 50, OTHER: 50}], id="its share, not others'"),
        pytest.param(with_ledger(a=20, b=10, ledger=70), [{A: 30, OTHER: 70}], id="whatever the share is"),
        pytest.param(with_ledger(ledger=1), [], id="it has none"),
        pytest.param([{"Type": "redirect"}], [], id="no forward"),
    ],
)
def test_what_goes_back_goes_back(actions: list[dict[str, Any]], expected: list[dict[str, int]]) -> None:
    """A rule that waits for another backend sends to the survivor alone; all else keeps its share."""
    done = plan(publishing(), stands(HELD, 30, Actions=actions))
    assert sent(done) == expected
    assert {(a.operation, a.priority, a.independent) for a in done.actions} <= {
        ("ModifyRule", Priority.ROLLBACK, True)
    }


@pytest.mark.parametrize(
    ("members", "written"),
    [
        pytest.param({"rollback": False}, [], id="forward waits"),
        pytest.param({"targets": ()}, [], id="no target group yet"),
        pytest.param({"targets": (group("a", A, load_balancer_arn="arn:else"),)}, [], id="not on this one"),
        pytest.param({"targets": (group("a", A, port="admin", container_port=9090),)}, [], id="other port"),
        pytest.param({"targets": (group("a", A, port="admin"),)}, [{A: 1}], id="the number is the same"),
        pytest.param({"targets": (group("a", A, container_port=9090),)}, [{A: 1}], id="the name is the same"),
        pytest.param(
            {"targets": (group("a", OTHER, port="admin"), group("a", A, container_port=9090))},
            [{A: 1}],
            id="the name before the number",
        ),
        pytest.param(
            {"weights": {"a": 900, "c": 100}}, [], id="a slot without a target group is to get some"
        ),
        pytest.param({"weights": {"a": 1000, "c": 0}}, [{A: 1}], id="a slot that gets nothing needs none"),
    ],
)
def test_who_goes_back_where(members: dict[str, Any], written: list[dict[str, int]]) -> None:
    """Only a rollback, and only onto the same port, by its name or else its number."""
    assert sent(plan(publishing(**members), stands(HELD, 30, Actions=forward(a=95, b=5)))) == written


def test_a_rollback_overwrites_what_somebody_else_wrote() -> None:
    """Halt is for forward moves: weights by hand don't keep the way back from the rule."""
    rule = wanted(weights=None, reassert=False)
    place = (LISTENER, rule.name)
    memory = Memory(
        priorities={}, known=frozenset(), settled=False, written={place: frozenset({"web-a=95, web-b=5"})}
    )
    seen = listener(stands(rule, 30, Actions=forward(a=50, b=50)))
    done = planned(rule, on=seen, memory=memory, backends={"web": publishing()})
    assert (sent(done), done.problems) == ([{A: 1}], ())


def test_a_backend_goes_back_with_all_its_ports_or_not_at_all() -> None:
    """A port that the survivor has not got keeps its share, and so does the other: nothing is proved."""
    admin = group("b", "arn:tg/web-admin-b/1", port="admin", container_port=9090)
    web = publishing()
    web = replace(web, groups=(*web.groups, admin))
    groups = [{"TargetGroupArn": arn, "Weight": 50} for arn in (B, admin.target_group_arn)]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    done = plan(web, stands(HELD, 30, Actions=actions))
    assert (sent(done), [rule.desired.weights for rule in done.rules]) == ([], [None])


def test_production_goes_back_to_the_survivor_whatever_is_tested() -> None:
    """In a rule that only stays, too: the slot to be tested is the test listeners' alone."""
    web = publishing(test="b", targets=(group("a", A), group("b", B)))
    old = wanted("main/old", "/a")
    new = wanted("main/new", "/a", "/b", weights=None)
    done = planned(new, on=listener(stands(old, 30, Actions=forward(a=95, b=5))), backends={"web": web})
    assert sent(done) == [{A: 1}]


def test_one_goes_back_beside_one_that_goes_forward() -> None:
    """The other's slots keep what they have: they wait for the rule to be whole."""
    other = traffic(
        weights={"a": 50, "b": 50},
        targets=(group("a", OTHER), group("b", "arn:tg/ledger-b/1")),
    )
    ledger = BackendFacts(exists=True, traffic=other, groups=other.targets)
    done = planned(
        HELD,
        on=listener(stands(HELD, 30, Actions=with_ledger(a=45, b=5, ledger=50))),
        backends={"ledger": ledger, "nothing yet": BackendFacts(exists=True), "web": publishing()},
    )
    assert sent(done) == [{A: 50, OTHER: 50}]
    assert [rule.desired.backends for rule in done.rules] == [("web",)]


def test_no_header_rule_is_sent_back() -> None:
    """It has no share of production: it goes with the next plan that is whole."""
    production = wanted("main/1", "/a", order=1)
    rule = wanted("main/2", "/b", role="header", twin="main/1", weights=None)
    on = listener(stands(production, 30), stands(rule, 29, Actions=forward(a=95, b=5)))
    assert sent(planned(production, rule, on=on, backends={"web": publishing()})) == []


@pytest.mark.parametrize(
    ("test", "actions", "expected"),
    [
        pytest.param("", forward(b=1), [{A: 1}], id="the candidate is not shown any more"),
        pytest.param("", forward(a=1), [], id="nor was it"),
        pytest.param("b", forward(a=1), [{B: 1}], id="it is shown"),
        pytest.param("b", with_ledger(b=1, ledger=1), [], id="it is, beside another"),
        pytest.param("c", forward(b=1), [], id="it has no target group yet"),
    ],
)
def test_a_test_listener_shows_what_is_to_be_tested(
    test: str, actions: list[dict[str, Any]], expected: list[dict[str, int]]
) -> None:
    """With or without a rollback, though the rule waits for another backend; the candidate goes then."""
    rule = wanted(role="test", weights=None, backends=("web", "wbe"))
    web = publishing(rollback=False, test=test, targets=(group("a", A), group("b", B)))
    done = planned(rule, on=listener(stands(rule, 30, Actions=actions)), backends={"web": web})
    assert sent(done) == expected
    assert {action.priority for action in done.actions} <= {Priority.ROLLOUT}


@pytest.mark.parametrize(
    ("members", "actions", "gone"),
    [
        pytest.param({"targets": (group("b", B),)}, forward(b=1), True, id="the live slot has no target"),
        pytest.param({"targets": ()}, forward(b=1), True, id="nor has any"),
        pytest.param({"targets": (group("b", B),)}, with_ledger(b=1, ledger=1), True, id="beside another"),
        pytest.param(
            {"targets": (group("a", A, port="admin", container_port=9090),)},
            forward(b=1),
            True,
            id="the live slot has another port",
        ),
        pytest.param(
            {"targets": (group("a", A, load_balancer_arn="arn:else"),)},
            forward(b=1),
            True,
            id="not on this one",
        ),
        pytest.param({"targets": (group("a", A),)}, forward(b=1), False, id="the live slot is shown instead"),
        pytest.param({"test": "b"}, forward(a=1), False, id="production has its requests"),
        pytest.param({"weights": {"a": 900, "b": 100}, "targets": ()}, forward(b=1), False, id="it has some"),
        pytest.param({"targets": ()}, [{"Type": "redirect"}], False, id="somebody made it another"),
        pytest.param({"targets": ()}, with_ledger(ledger=1), False, id="it shows none of it"),
    ],
)
def test_a_test_rule_goes_that_could_only_show_who_was_sent_away(
    members: dict[str, Any], actions: list[dict[str, Any]], *, gone: bool
) -> None:
    """Tasks wait for every rule that sends to them, and nobody's requests wait for a test rule."""
    rule = wanted(role="test", weights=None)
    backends = {"web": publishing(**members), "nothing yet": BackendFacts(exists=True)}
    done = planned(rule, on=listener(stands(rule, 30, Actions=actions)), backends=backends)
    assert [action.operation for action in done.actions if action.operation == "DeleteRule"] == [
        "DeleteRule"
    ] * gone
    assert (rule.name in {placed.desired.name for placed in done.rules}) is not gone


def test_no_production_rule_goes_for_want_of_another() -> None:
    """Requests wait for it."""
    assert plan(publishing(targets=()), stands(HELD, 30, Actions=forward(b=1))).actions == ()


def test_a_test_rule_that_is_not_there_goes_nowhere() -> None:
    """Nothing shows anybody."""
    rule = wanted(role="test", weights=None)
    assert planned(rule, on=listener(), backends={"web": publishing(targets=())}).actions == ()


# A rule that stays until another can take over.

NEW = wanted("main/new", "/a", "/b", weights=None)


@pytest.mark.parametrize(
    ("actions", "role", "expected"),
    [
        pytest.param(forward(a=95, b=5), "production", [{A: 1}], id="goes back"),
        pytest.param(forward(a=1), "production", [], id="is back"),
        pytest.param([{"Type": "redirect"}], "production", [], id="sends nowhere"),
        pytest.param(forward(a=95, b=5), "test", [], id="is for tests"),
    ],
)
def test_a_rule_that_only_stays(
    actions: list[dict[str, Any]], role: Any, expected: list[dict[str, int]]
) -> None:
    """Its match was edited, and the new rule can't be made: the old one goes back, and is not deleted."""
    old = wanted("main/old", "/a", role=role)
    done = planned(NEW, on=listener(stands(old, 30, Actions=actions)), backends={"web": publishing()})
    assert sent(done) == expected
    assert [(a.operation, a.params["RuleArn"]) for a in done.actions] == [
        ("ModifyRule", "arn:rule/30")
    ] * len(expected)
    for action in done.actions:
        assert (action.priority, action.independent) == (Priority.ROLLBACK, True)
        assert action.subject == "rule main/old of sandbox:80"
        assert action.reason == "weights web-a=95, web-b=5 → web-a=1"


HEADER = HeaderRoute(name="x-canary", value="1", slot="b")


@pytest.mark.parametrize(
    ("backends", "actions", "goes"),
    [
        pytest.param({"web": publishing()}, forward(b=1), True, id="its header is published no more"),
        pytest.param({"web": publishing(header=HEADER)}, forward(b=1), False, id="it is published"),
        pytest.param(
            {"web": publishing(header=replace(HEADER, slot="a"))}, forward(b=1), True, id="for the other slot"
        ),
        pytest.param(
            {"web": BackendFacts(exists=True)}, forward(b=1), False, id="nothing was ever published"
        ),
        pytest.param({"web": publishing()}, forward(x=1), False, id="to nobody that is known"),
        pytest.param({"web": publishing()}, [{"Type": "redirect"}], False, id="sends nowhere"),
        pytest.param({}, forward(b=1), False, id="no backend is known"),
    ],
)
def test_a_header_rule_ends_whatever_the_spec_waits_for(
    backends: dict[str, BackendFacts], actions: list[dict[str, Any]], *, goes: bool
) -> None:
    """Requests with the header would reach a candidate that failed until a person mended the route."""
    seen = stands(wanted("main/h", "/a", role="header", twin="main/1"), 29, Actions=actions)
    refused = plan_way_back(KEY, installation="i", parents=[listener(seen)], backends=backends)
    assert [(a.operation, a.params["RuleArn"]) for a in refused.actions] == [
        ("DeleteRule", "arn:rule/29")
    ] * goes
    waits = planned(NEW, on=listener(seen), backends=backends)
    assert [a.operation for a in waits.actions] == ["DeleteRule"] * goes


def test_only_header_rules_end_with_a_header() -> None:
    """A production rule is what requests need."""
    seen = stands(wanted("main/1", "/a"), 29, Actions=forward(b=1))
    back = plan_way_back(KEY, installation="i", parents=[listener(seen)], backends={"web": publishing()})
    assert [a.operation for a in back.actions] == ["ModifyRule"]


# What it proves.


@pytest.mark.parametrize(
    ("members", "actions", "acknowledged"),
    [
        pytest.param({}, forward(a=1), True, id="back"),
        pytest.param({"rollback": False}, forward(a=1), True, id="as published"),
        pytest.param({"rollback": False}, forward(a=95, b=5), False, id="not as published"),
        pytest.param(
            {"rollback": False, "weights": {"a": 95, "b": 5}, "targets": (group("a", A), group("b", B))},
            with_ledger(a=190, b=10, ledger=800),
            True,
            id="divided as published",
        ),
    ],
)
def test_what_stands_as_published_is_proved(
    members: dict[str, Any], actions: list[dict[str, Any]], *, acknowledged: bool
) -> None:
    """Although the rule waits for another: its slots have what they are to have. The other is not proved."""
    seen = stands(HELD, 30, Actions=actions)
    known = {"web": publishing(**members), "wbe": BackendFacts(exists=True, traffic=traffic())}
    done = planned(HELD, on=listener(seen), backends=known)
    assert done.actions == ()
    entries = acknowledgements(
        {},
        generation=2,
        backends=known,
        desired=[HELD],
        rules=done.rules,
        proof=verify(done.rules, {seen["RuleArn"]: seen}, at=5.0),
    )
    assert [(e["name"], e["verifiedAt"]) for e in entries] == [("web", 5.0)] * acknowledged


def test_weights_that_stand_are_not_counted_anew() -> None:
    """3:1 by hand stays 3:1: nothing is written only to make parts of 100 of it."""
    seen = stands(HELD, 30, Actions=with_ledger(a=3, ledger=1))
    (rule,) = plan(publishing(), seen).rules
    assert (rule.desired.weights, rule.desired.backends) == ({A: 3, OTHER: 1}, ("web",))
    assert rule.desired.held
    assert not rule.desired.rollback


@pytest.mark.parametrize("rollback", [False, True], ids=["rest", "back"])
def test_sessions_of_a_held_rule_stay(*, rollback: bool) -> None:
    """What the spec asks for is not known while a backend is missing: nobody's session ends for that."""
    memory = Memory(priorities={}, known=frozenset(), settled=True, sticky=frozenset({(LISTENER, "main/1")}))
    web = publishing(rollback=rollback)
    assert plan(web, stands(HELD, 30, Actions=forward(600, a=1)), memory=memory).actions == ()
    (action,) = plan(publishing(), stands(HELD, 30, Actions=forward(600, b=1)), memory=memory).actions
    config = action.params["Actions"][0]["ForwardConfig"]
    assert config["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 600}


SWAPPED = (
    group("a", A),
    group("a", "arn:admin-a", port="admin", container_port=9090),
    group("b", "arn:http-b", port="http", container_port=9090),
    group("b", B, port="admin"),
)
MOVED = (
    group("a", A, port="web"),
    group("a", "arn:admin-a", port="admin", container_port=9090),
    group("b", B, container_port=9090),
    group("b", "arn:admin-b", port="admin", container_port=8081),
)


@pytest.mark.parametrize(
    ("targets", "actions", "expected"),
    [
        pytest.param(SWAPPED, forward(a=95, b=5), [{A: 1}], id="names that changed places, by number"),
        pytest.param(MOVED, forward(b=1), [], id="a number that another port had"),
    ],
)
def test_never_to_another_port(
    targets: tuple[SlotTarget, ...], actions: list[dict[str, Any]], expected: list[dict[str, int]]
) -> None:
    """Neither a name nor a number alone says which port it is, where both mean others in the other slot."""
    told = traffic(rollback=True, targets=targets)
    web = BackendFacts(exists=True, traffic=told, groups=targets)
    assert sent(plan(web, stands(HELD, 30, Actions=actions))) == expected


@pytest.mark.parametrize("both", [False, True], ids=["forward", "two slots on the way back"])
def test_a_rule_that_would_be_too_large_is_left(*, both: bool) -> None:
    """Five target groups and a step of one of them to two slots: other rules, and what goes back, go on."""
    full = [{"TargetGroupArn": arn, "Weight": 20} for arn in (A, OTHER, "arn:1", "arn:2", "arn:3")]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": full}}]
    moving = publishing(rollback=both, weights={"a": 950, "b": 50}, targets=(group("a", A), group("b", B)))
    back = publishing()
    more = wanted("more/1", "/b", weights={A: 1}, order=6)
    ledger = BackendFacts(exists=True, traffic=traffic(), groups=(group("a", OTHER),))
    on = listener(stands(HELD, 30, Actions=actions), stands(more, 31, Actions=forward(a=95, b=5)))
    done = planned(HELD, more, on=on, backends={"web": moving, "ledger": ledger})
    assert sent(done) == [{A: 1}]
    assert [rule.desired.backends for rule in done.rules if rule.arn == "arn:rule/30"] == [("web", "wbe")]
    assert plan_way_back(KEY, installation="i", parents=[on], backends={"web": back}).actions != ()


def test_one_goes_back_beside_one_that_would_be_too_large() -> None:
    """What goes back makes room that nothing else takes: the step of the other one waits as before."""
    second = "arn:tg/ledger-b/1"
    full = [{"TargetGroupArn": arn, "Weight": 20} for arn in (A, OTHER, second, "arn:1", "arn:2")]
    ledger = BackendFacts(
        exists=True,
        traffic=traffic(rollback=True, targets=(group("a", OTHER),)),
        groups=(group("a", OTHER), group("b", second)),
    )
    web = publishing(rollback=False, weights={"a": 950, "b": 50}, targets=(group("a", A), group("b", B)))
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": full}}]
    done = planned(
        HELD, on=listener(stands(HELD, 30, Actions=actions)), backends={"ledger": ledger, "web": web}
    )
    assert sent(done) == [{A: 20, OTHER: 40, "arn:1": 20, "arn:2": 20}]


def test_a_hand_made_rollback_in_a_held_rule_is_not_ours() -> None:
    """Another backend that stands in the rule does not make it so: once it is whole, that is drift."""
    moving = publishing(rollback=False, weights={"a": 950, "b": 50}, targets=(group("a", A), group("b", B)))
    ledger = BackendFacts(
        exists=True, traffic=traffic(targets=(group("a", OTHER),)), groups=(group("a", OTHER),)
    )
    on, known = (
        listener(stands(HELD, 30, Actions=with_ledger(a=50, ledger=50))),
        {"web": moving, "ledger": ledger},
    )
    done = planned(HELD, on=on, backends=known)
    assert [rule.desired.backends for rule in done.rules] == [("ledger",)]
    ours = {"name": HELD.name, "weights": "ledger-a=500, web-a=475, web-b=25"}
    previous = {"parents": [{"listenerArn": LISTENER, "rules": [ours]}]}
    (parent,) = parents_status([on], done.rules, previous=previous, proof=Proof(wrong={}, at=5.0))
    assert parent["rules"][0]["weights"] == ours["weights"]


# Who goes.


@pytest.mark.parametrize(
    ("going", "actions", "written"),
    [
        pytest.param(True, forward(b=1), [], id="its tasks stop"),
        pytest.param(False, forward(b=1), [{A: 75, OTHER: 25}], id="it stays"),
        pytest.param(True, with_ledger(b=1, ledger=3), [{A: 75, OTHER: 25}], id="it is in the rule"),
    ],
)
@pytest.mark.parametrize("rollback", [False, True], ids=["forward", "back"])
def test_nothing_begins_to_send_to_who_goes(
    going: bool,  # noqa: FBT001 - a table
    actions: list[dict[str, Any]],
    written: list[dict[str, int]],
    rollback: bool,  # noqa: FBT001
) -> None:
    """An edit that adds a Deployment in deletion leaves the rule as it is; what goes back goes back."""
    rule = wanted(weights={A: 75, OTHER: 25}, backends=("web", "ledger"), may_begin=not going)
    ledger = BackendFacts(exists=True, traffic=traffic(), groups=(group("a", OTHER),), going=going)
    done = planned(
        rule,
        on=listener(stands(rule, 30, Actions=actions)),
        backends={"web": publishing(rollback=rollback), "ledger": ledger},
    )
    assert sent(done) == (written or ([{A: 1}] if rollback else []))


def test_a_rule_is_filled_on_the_way_back() -> None:
    """ALB takes five target groups: a step back to two slots is written into a rule that has four."""
    four = [{"TargetGroupArn": arn, "Weight": 25} for arn in (A, OTHER, "arn:1", "arn:2")]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": four}}]
    moving = publishing(rollback=True, weights={"a": 950, "b": 50}, targets=(group("a", A), group("b", B)))
    done = planned(HELD, on=listener(stands(HELD, 30, Actions=actions)), backends={"web": moving})
    assert [set(weights) for weights in sent(done)] == [{A, B, OTHER, "arn:1", "arn:2"}]


def test_a_rule_that_is_too_large_is_one_rules_problem() -> None:
    """Six target groups are one too many for ALB: that rule waits for a person, the other one does not."""
    names = [f"other-{number}" for number in range(6)]
    facts = {
        name: BackendFacts(exists=True, traffic=traffic(targets=(group("a", f"arn:tg/{name}/1"),)))
        for name in names
    }
    rules = tuple(
        RuleIntent(
            name=name,
            matches=(Match(path=("Exact", f"/{name}")),),
            backends=tuple(Backend(name=backend, port="http") for backend in used),
        )
        for name, used in (("large", names), ("small", names[:5]))
    )
    intent = RouteIntent(hostnames=(), rules=rules, age="2027/shop/web")
    found, problems = desired_rules(KEY, intent, parents=(listener(),), backends=facts)
    assert [len(rule.weights or ()) for rule in found] == [0, 5]
    assert [problem.reason for problem in problems] == ["InvalidSpec"]
    assert "need 6 target groups, an ALB rule forwards to at most 5" in problems[0].message


def test_the_way_back_of_a_route_that_is_refused() -> None:
    """Its own production rules on every listener, by tag, whatever they are called; nothing else."""
    bad = forward(a=95, b=5)
    rules = [wanted(name, f"/{name}") for name in ("main/1", "more/1")]
    theirs = stands(rules[0], 32, Actions=bad) | {"Tags": {}}
    test = stands(wanted("main/2", role="test"), 33, Actions=bad)
    on = [
        listener(stands(rules[0], 30, Actions=bad), stands(rules[1], 31), theirs, test),
        listener(stands(rules[0], 40, Actions=bad), listener_arn="arn:other"),
    ]
    done = plan_way_back(KEY, installation="i", parents=on, backends={"web": publishing()})
    assert [action.params["RuleArn"] for action in done.actions] == ["arn:rule/30", "arn:rule/40"]
    assert sent(done) == [{A: 1}, {A: 1}]
    assert (done.rules, done.notes, done.problems) == ((), (), ())


def test_a_rule_is_whole_again() -> None:
    """Once every backend is there the spec's weights are written, whatever was sent back meanwhile."""
    rule = wanted(weights={A: 90, OTHER: 10})
    done = planned(rule, on=listener(stands(rule, 30, Actions=forward(a=1))), backends={"web": publishing()})
    assert sent(done) == [{A: 90, OTHER: 10}]
    assert done.rules[0].output == f"{LISTENER}|main/1"


def test_the_way_back_on_a_listener_that_can_not_be_left_yet() -> None:
    """Its production rules stay, are written before all else, and none is deleted."""
    old = listener(stands(HELD, 40, Actions=forward(a=95, b=5)), stands(wanted("more/1"), 41))
    done = plan_rules(
        KEY,
        installation="i",
        desired=[wanted(listener_arn="arn:new")],
        parents=[listener(stands(wanted(), 30, Actions=forward(b=1)), listener_arn="arn:new")],
        former=[],
        staying=[old],
        memory=NOTHING,
        backends={"web": publishing()},
    )
    rules = [(action.operation, action.params["RuleArn"]) for action in done.actions]
    assert rules == [("ModifyRule", "arn:rule/40"), ("ModifyRule", "arn:rule/30")]
    assert sent(done) == [{A: 1}, {A: 1}]
