"""A route in a progressive rollout: header and test rules, foreign weights, rollbacks, what is proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model.binding import Priority
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.ownership import ROLE, ROUTE_RULE, from_elb
from sluice.model.traffic import Acknowledgement, HeaderRoute, SlotTarget, Traffic
from sluice.plan.route.desired import BackendFacts, DesiredRule, Parent, Problem, desired_rules
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent
from sluice.plan.route.planner import Memory, RulePlan, plan_rules
from sluice.plan.route.proof import acknowledgements, verify
from sluice.plan.route.status import memory_of, parents_status, summary
from sluice.plan.route.twins import with_headers
from sluice.plan.route.weights import forward_weights

KEY = Key(SERVICE_ROUTE, "shop", "web")
BALANCER = "arn:balancer"
FIRST = Memory(priorities={}, known=frozenset(), settled=False)
CANARY = HeaderRoute(name="X-Canary", value="1", slot="b")
Rules = list[dict[str, Any]]


def traffic(name: str = "web", **members: Any) -> Traffic:
    """Return what a Deployment with two slots publishes."""
    targets = tuple(
        SlotTarget(
            slot=slot,
            port="http",
            container_port=8080,
            load_balancer_arn=BALANCER,
            target_group_arn=f"arn:tg/{name}-{slot}/1",
        )
        for slot in "ab"
    )
    published = Traffic(
        uid=f"uid-{name}",
        rollout_id="r1",
        seq=3,
        weights={"a": 950, "b": 50},
        targets=targets,
        verify_after=0,
        reassert=False,
    )
    return replace(published, **members)


def facts(**members: Any) -> dict[str, BackendFacts]:
    """Return `web` publishing."""
    return {"web": BackendFacts(exists=True, traffic=traffic(**members))}


def parent(*rules: dict[str, Any], listener: str = "arn:listener", test: bool = False) -> Parent:
    """Return a listener."""
    return Parent(
        name="sandbox:8443" if test else "sandbox:443",
        listener_arn=listener,
        load_balancer_arn=BALANCER,
        reserved=(1, 50_000),
        rules=rules,
        test=test,
    )


def intent(*paths: str, backends: tuple[str, ...] = ("web",), **members: Any) -> RouteIntent:
    """Return a route with one rule of several paths."""
    matches = tuple(Match(path=("Exact", path)) for path in paths or ("/web",))
    refs = tuple(Backend(name=name, port="http") for name in backends)
    rule = RuleIntent(name="main", matches=matches, backends=refs, **members)
    return RouteIntent(hostnames=(), rules=(rule,), age="2027/shop/web")


def wanted(
    wish: RouteIntent, backends: dict[str, BackendFacts], *parents: Parent
) -> tuple[tuple[DesiredRule, ...], tuple[Problem, ...]]:
    """Return the rules and problems of all roles."""
    plain, problems = desired_rules(KEY, wish, parents=parents, backends=backends)
    rules, more = with_headers(plain, wish, parents=parents, backends=backends)
    return rules, (*problems, *more)


def plan(
    backends: dict[str, BackendFacts],
    *rules: dict[str, Any],
    wish: RouteIntent | None = None,
    memory: Memory = FIRST,
) -> RulePlan:
    """Plan one production listener."""
    listener = parent(*rules)
    desired, _ = wanted(wish or intent(), backends, listener)
    return plan_rules(
        KEY,
        installation="i",
        desired=desired,
        parents=(listener,),
        former=(),
        memory=memory,
        backends=backends,
    )


def made(done: RulePlan) -> Rules:
    """Return the rules that the creations of a plan leave behind."""
    return [
        {
            "RuleArn": f"arn:rule/{action.params['Priority']}",
            "Priority": str(action.params["Priority"]),
            "Conditions": action.params["Conditions"],
            "Actions": action.params["Actions"],
            "Tags": from_elb(action.params["Tags"]),
            "IsDefault": False,
        }
        for action in done.actions
        if action.operation == "CreateRule"
    ]


def with_weights(rule: dict[str, Any], **weights: int) -> dict[str, Any]:
    """Return a rule as a person left it who wrote other weights; slot → weight."""
    groups = [{"TargetGroupArn": f"arn:tg/web-{slot}/1", "Weight": w} for slot, w in weights.items()]
    return rule | {"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}


def remembered(status: dict[str, Any], backends: dict[str, BackendFacts]) -> Memory:
    """Return what a later pass reads of a status."""
    return memory_of(status, generation=1, backends=backends)


def told(done: RulePlan, *, proven: bool, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the status after a plan: as intended, or as read back."""
    listener = parent()
    proof = verify((), {}, at=1.0) if proven else None
    parents = parents_status((listener,), done.rules, previous=previous or {}, proof=proof)
    return {"parents": parents}


# Header rules.


def test_a_header_rule_stands_right_before_its_production_rule() -> None:
    """Its conditions and the header, to the candidate alone; production's weights do not change."""
    done = plan(facts(header=CANARY))
    production, header = sorted(done.rules, key=lambda rule: rule.desired.role == "header")
    assert header.priority == production.priority - 1
    assert header.desired.weights == {"arn:tg/web-b/1": 1}
    fields = [condition["Field"] for condition in header.desired.conditions]
    assert fields == ["path-pattern", "http-header"]
    assert header.desired.conditions[1]["HttpHeaderConfig"] == {
        "HttpHeaderName": "x-canary",
        "Values": ["1"],
    }
    assert production.desired.weights == {"arn:tg/web-a/1": 95, "arn:tg/web-b/1": 5}
    tags = {from_elb(action.params["Tags"])[ROLE] for action in done.actions}
    assert tags == {"rule", "header-rule"}


def test_a_header_rule_is_settled_once_made() -> None:
    """Planning again on what was made gives nothing to do."""
    backends = facts(header=CANARY)
    rules = made(plan(backends))
    assert plan(backends, *rules).actions == ()


def test_a_header_rule_goes_after_productions_write_in_a_rollback() -> None:
    """The first call of a rollback is production's weight, with the rollback's priority."""
    rules = made(plan(facts(header=CANARY)))
    done = plan(facts(weights={"a": 1000}, rollback=True, reassert=True), *rules)
    assert [action.operation for action in done.actions] == ["ModifyRule", "DeleteRule"]
    assert [action.priority for action in done.actions] == [Priority.ROLLBACK, Priority.ROLLOUT]
    assert forward_weights(done.actions[0].params["Actions"]) == {"arn:tg/web-a/1": 1}


def test_the_number_before_is_taken() -> None:
    """A foreign rule there is never moved: the header rule takes the next free number before it."""
    production = plan(facts()).rules[0].priority
    foreign = {"Priority": str(production - 1), "Tags": {}, "RuleArn": "arn:foreign", "Conditions": []}
    rules = made(plan(facts()))
    done = plan(facts(header=CANARY), *rules, foreign)
    assert [rule.priority for rule in done.rules if rule.desired.role == "header"] == [production - 2]


def test_no_room_before_production() -> None:
    """Without a free number the header rule is a problem, and production is written all the same."""
    rules = made(plan(facts(), wish=intent(priority=2)))
    taken = {"Priority": "1", "Tags": {}, "RuleArn": "arn:foreign", "Conditions": []}
    backends = facts(header=CANARY, weights={"a": 900, "b": 100})
    done = plan(backends, *rules, taken, wish=intent(priority=2))
    assert [action.operation for action in done.actions] == ["ModifyRule"]
    assert [problem.reason for problem in done.problems] == ["QuotaExceeded"]
    assert "between 1 and 1" in done.problems[0].message


def test_five_values_leave_no_place_for_the_header() -> None:
    """The arithmetic is told, nothing is acknowledged, production goes on."""
    wish = intent("/1", "/2", "/3", "/4", "/5")
    backends = facts(header=CANARY)
    listener = parent()
    desired, problems = wanted(wish, backends, listener)
    assert [rule.weights is None for rule in desired] == [False, True]
    assert "needs 5 + 1 condition values, an ALB rule has 5" in problems[0].message
    done = plan(backends, wish=wish)
    assert [action.operation for action in done.actions] == ["CreateRule"]
    seen = {rule["RuleArn"]: rule for rule in made(done)}
    planned = tuple(replace(rule, arn=f"arn:rule/{rule.priority}") for rule in done.rules)
    proof = verify(planned, seen, at=1.0)
    entries = acknowledgements(
        {}, generation=1, backends=backends, desired=desired, rules=planned, proof=proof
    )
    assert (proof.wrong, entries) == ({}, [])


def test_two_backends_with_headers_in_one_rule() -> None:
    """Each header reaches its own candidate; the same header of both is one rule with both candidates."""
    other = replace(CANARY, value="2")
    both = {
        "web": BackendFacts(exists=True, traffic=traffic("web", header=CANARY)),
        "pay": BackendFacts(exists=True, traffic=traffic("pay", header=other)),
    }
    wish = intent(backends=("web", "pay"))
    headers = [rule for rule in plan(both, wish=wish).rules if rule.desired.role == "header"]
    assert {rule.desired.backends: rule.desired.weights for rule in headers} == {
        ("web",): {"arn:tg/web-b/1": 1},
        ("pay",): {"arn:tg/pay-b/1": 1},
    }
    both["pay"] = BackendFacts(exists=True, traffic=traffic("pay", header=CANARY))
    (one,) = [rule for rule in plan(both, wish=wish).rules if rule.desired.role == "header"]
    assert one.desired.weights == {"arn:tg/web-b/1": 50, "arn:tg/pay-b/1": 50}


# Test listeners.


@pytest.mark.parametrize(
    ("members", "slot"),
    [
        pytest.param({"test": "b"}, "b", id="the candidate"),
        pytest.param({"weights": {"a": 1000}}, "a", id="what is live while there is none"),
        pytest.param({"weights": {"b": 1000}}, "b", id="what is live after promotion"),
    ],
)
def test_a_test_listener_reaches_one_slot(members: dict[str, Any], slot: str) -> None:
    """The same matches as production, one slot alone, and never a listener without an answer."""
    production, test = parent(), parent(listener="arn:test", test=True)
    rules, problems = wanted(intent(), facts(**members), production, test)
    assert problems == ()
    by_role = {rule.role: rule for rule in rules}
    assert by_role["test"].weights == {f"arn:tg/web-{slot}/1": 1}
    assert by_role["test"].conditions == by_role["production"].conditions
    done = plan_rules(
        KEY, installation="i", desired=rules, parents=(production, test), former=(), memory=FIRST, backends={}
    )
    roles = {a.params["ListenerArn"]: from_elb(a.params["Tags"])[ROLE] for a in done.actions}
    assert roles == {"arn:listener": "rule", "arn:test": "test-rule"}
    told = summary(intent(), done.rules, facts(weights={"a": 1000}), listeners=[], named={})
    assert ";" not in told["weights"]


def test_a_rollback_waits_for_no_test_listener() -> None:
    """Production rules read back are the proof; what is wrong with tests does not hold a rollback up."""
    backends = facts(weights={"a": 1000}, rollback=True, reassert=True)
    production, test = parent(), parent(listener="arn:test", test=True)
    desired, _ = wanted(intent(), backends, production, test)
    done = plan_rules(
        KEY,
        installation="i",
        desired=desired,
        parents=(production, test),
        former=(),
        memory=FIRST,
        backends={},
    )
    planned = tuple(replace(rule, arn=f"arn:{rule.desired.role}") for rule in done.rules)
    seen = {"arn:production": made(done)[0]}
    for rollback, acknowledged in ((True, ["web"]), (False, [])):
        held = facts(weights={"a": 1000}, rollback=rollback, reassert=True)
        entries = acknowledgements(
            {},
            generation=1,
            backends=held,
            desired=desired,
            rules=planned,
            proof=verify(planned, seen, at=1.0),
        )
        assert [entry["name"] for entry in entries] == acknowledged


def test_every_production_rule_of_a_rollback_comes_first() -> None:
    """On all listeners, before test listeners, other rules and anything that is made or deleted."""
    listeners = [
        parent(listener="arn:one"),
        parent(listener="arn:test", test=True),
        parent(listener="arn:two"),
    ]
    backends = facts(test="b", header=CANARY)
    desired, _ = wanted(intent(), backends, *listeners)
    first = plan_rules(
        KEY, installation="i", desired=desired, parents=listeners, former=(), memory=FIRST, backends={}
    )
    rules = {
        listener.listener_arn: [
            rule | {"RuleArn": f"{listener.listener_arn}/{number}"}
            for number, rule in enumerate(made(first))
            if first.actions[number].params["ListenerArn"] == listener.listener_arn
        ]
        for listener in listeners
    }
    again = [replace(listener, rules=tuple(rules[listener.listener_arn])) for listener in listeners]
    back = facts(weights={"a": 1000}, rollback=True, reassert=True)
    desired, _ = wanted(intent(), back, *again)
    done = plan_rules(
        KEY, installation="i", desired=desired, parents=again, former=(), memory=FIRST, backends={}
    )
    assert [(a.operation, a.params["RuleArn"].partition("/")[0], a.priority) for a in done.actions] == [
        ("ModifyRule", "arn:one", Priority.ROLLBACK),
        ("ModifyRule", "arn:two", Priority.ROLLBACK),
        ("ModifyRule", "arn:test", Priority.ROLLOUT),
        ("DeleteRule", "arn:one", Priority.ROLLOUT),
        ("DeleteRule", "arn:two", Priority.ROLLOUT),
    ]


# Weights of somebody else.


def edited(*, known: bool = True, **members: Any) -> tuple[RulePlan, dict[str, BackendFacts]]:
    """Return the plan after a person gave the candidate half of the requests."""
    backends = facts(**members)
    first = plan(facts())
    (rule,) = made(first)
    memory = remembered(told(first, proven=True), backends) if known else FIRST
    return plan(backends, with_weights(rule, a=1, b=1), memory=memory), backends


def test_foreign_weights_halt() -> None:
    """Mid-rollout nothing is overwritten: rule and weights are told, and nothing is acknowledged."""
    done, backends = edited()
    assert done.actions == ()
    (problem,) = done.problems
    assert problem.reason == "DriftHalted"
    assert "of sandbox:443 has web-a=1, web-b=1 instead of web-a=95, web-b=5: weights" in problem.message
    acknowledged = {
        "name": "web",
        "uid": "uid-web",
        "rolloutId": "r1",
        "seq": 3,
        "hash": traffic().hash,
        "routeGeneration": 1,
        "verifiedAt": 5.0,
    }
    assert Acknowledgement.from_status(acknowledged).proves(traffic(), route_generation=1)
    (entry,) = acknowledgements(
        {"backends": [acknowledged]},
        generation=1,
        backends=backends,
        desired=[rule.desired for rule in done.rules],
        rules=done.rules,
        proof=verify(done.rules, {}, at=9.0),
    )
    assert "main/" in entry["foreign"]
    assert not Acknowledgement.from_status(entry).proves(traffic(), route_generation=1)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"reassert": True}, id="onDrift Reassert, or at rest"),
        pytest.param({"rollback": True, "weights": {"a": 1000}}, id="a rollback always reasserts"),
    ],
)
def test_foreign_weights_are_overwritten(members: dict[str, Any]) -> None:
    """One write and one event."""
    done, _ = edited(**members)
    assert [action.operation for action in done.actions] == ["ModifyRule"]
    assert [note.reason for note in done.notes] == ["DriftRepaired"]
    assert done.problems == ()


def test_a_deleted_rule_is_made_again_mid_rollout() -> None:
    """Requests that match nothing are worse than a weight that somebody meant."""
    backends = facts()
    memory = remembered(told(plan(backends), proven=True), backends)
    assert [action.operation for action in plan(backends, memory=memory).actions] == ["CreateRule"]


def test_our_own_weights_are_never_foreign() -> None:
    """A process that ended between intent and write, or after it, finds only weights it knows."""
    first = plan(facts())
    (rule,) = made(first)
    status = told(first, proven=True)
    steps = [
        {"weights": {"a": 900, "b": 100}, "seq": 4},
        {"weights": {"a": 500, "b": 500}, "seq": 5},
        {"weights": {"a": 1000}, "seq": 6},
    ]
    shown_weights = [{"a": 95, "b": 5}, {"a": 9, "b": 1}, {"a": 90, "b": 10}, {"a": 1, "b": 1}]
    for number, members in enumerate(steps):
        backends = facts(**members)
        for visible in (shown_weights[0], shown_weights[2]) if number else (shown_weights[0],):
            seen = with_weights(rule, **visible)
            done = plan(backends, seen, memory=remembered(status, backends))
            assert [problem.reason for problem in done.problems] == [], (number, visible)
        status = told(done, proven=False, previous=status)
    # What nobody of us wrote is still seen.
    stray = with_weights(rule, a=1, b=9)
    backends = facts(weights={"a": 400, "b": 600})
    done = plan(backends, stray, memory=remembered(status, backends))
    assert [problem.reason for problem in done.problems] == ["DriftHalted"]


def test_a_status_without_weights_makes_nothing_foreign() -> None:
    """A status of an older version says nothing of weights: they are written as before."""
    done, _ = edited(known=False)
    assert [action.operation for action in done.actions] == ["ModifyRule"]


# Sessions.


def test_sessions_live_only_while_there_are_two_groups() -> None:
    """SessionPersistence comes with the second group and ends with the survivor alone."""
    wish = intent(session_seconds=300)
    split = plan(facts(), wish=wish)
    config = split.actions[0].params["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert config == {"Enabled": True, "DurationSeconds": 300}
    (rule,) = made(split)
    alone = plan(facts(weights={"b": 1000}), rule, wish=wish)
    (action,) = alone.actions
    config = action.params["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert config == {"Enabled": False}


def test_sessions_that_the_spec_no_longer_asks_for_end() -> None:
    """What Sluice enabled it disables; what a person enabled stays."""
    split = plan(facts(), wish=intent(session_seconds=300))
    (rule,) = made(split)
    status = told(split, proven=True)
    assert status["parents"][0]["rules"][0]["stickySeconds"] == 300
    assert len(plan(facts(), rule, memory=remembered(status, facts())).actions) == 1
    assert plan(facts(), rule).actions == ()


def test_sessions_longer_than_bake_are_told() -> None:
    """The client would stay on the old slot after it has gone."""
    backends = {"web": BackendFacts(exists=True, traffic=traffic(), bake=60.0)}
    rules, problems = wanted(intent(session_seconds=300), backends, parent())
    assert rules[0].weights is not None
    assert "is 300, longer than the bake of Deployment web (60 s)" in problems[0].message


def test_names_tell_the_roles_apart() -> None:
    """A header rule is another rule than its production rule, by tag."""
    names = [rule["Tags"][ROUTE_RULE] for rule in made(plan(facts(header=CANARY)))]
    assert len(set(names)) == 2
