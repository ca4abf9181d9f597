"""A route's plan: the table of the planner's docstring, and what it may never do."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.ownership import ROUTE_RULE, from_elb
from sluice.model.traffic import SlotTarget, Traffic
from sluice.plan.route.desired import BackendFacts, Parent, desired_rules
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent
from sluice.plan.route.planner import Memory, RulePlan, plan_removal, plan_rules
from sluice.plan.route.proof import acknowledgements, verify
from sluice.plan.route.spec import container_ports
from sluice.plan.route.status import memory_of, summary

KEY = Key(SERVICE_ROUTE, "shop", "web")
LISTENER, BALANCER = "arn:listener", "arn:balancer"
NOTHING = Memory(priorities={}, known=frozenset(), settled=False)


def traffic(name: str, **weights: int) -> Traffic:
    """Return what a Deployment publishes."""
    slots = weights or {"a": 100}
    targets = tuple(
        SlotTarget(
            slot=slot,
            port="http",
            container_port=8080,
            load_balancer_arn=BALANCER,
            target_group_arn=f"arn:tg/{name}-{slot}/1",
        )
        for slot in slots
    )
    return Traffic(uid=f"uid-{name}", rollout_id="r1", seq=3, weights=slots, targets=targets, verify_after=0)


def facts(*names: str) -> dict[str, BackendFacts]:
    """Return Deployments that publish."""
    return {name: BackendFacts(exists=True, traffic=traffic(name)) for name in names}


def intent(*paths: str, backends: tuple[Backend, ...] = (Backend(name="web", port="http"),)) -> RouteIntent:
    """Return a route with one rule a path."""
    rules = tuple(
        RuleIntent(name=f"r{n}", matches=(Match(path=("PathPrefix", path)),), backends=backends)
        for n, path in enumerate(paths or ("/web",))
    )
    return RouteIntent(hostnames=(), rules=rules, age="2027/shop/web")


def parent(*rules: dict[str, Any], listener: str = LISTENER) -> Parent:
    """Return a listener."""
    return Parent(
        name="sandbox:80",
        listener_arn=listener,
        load_balancer_arn=BALANCER,
        reserved=(1, 50_000),
        rules=rules,
    )


def plan(
    wish: RouteIntent,
    *rules: dict[str, Any],
    backends: dict[str, BackendFacts] | None = None,
    memory: Memory = NOTHING,
) -> RulePlan:
    """Plan one listener."""
    listeners = (parent(*rules),)
    known = backends if backends is not None else facts("web", "ledger")
    desired, _ = desired_rules(KEY, wish, parents=listeners, backends=known)
    return plan_rules(
        KEY, installation="i", desired=desired, parents=listeners, former=(), memory=memory, backends=known
    )


def applied(done: RulePlan) -> list[dict[str, Any]]:
    """Return the rules that the creations of a plan leave behind."""
    return [
        {
            "RuleArn": f"arn:rule/{number}",
            "Priority": str(action.params["Priority"]),
            "Conditions": action.params["Conditions"],
            "Actions": action.params["Actions"],
            "Tags": from_elb(action.params["Tags"]),
            "IsDefault": False,
        }
        for number, action in enumerate(done.actions)
        if action.operation == "CreateRule"
    ]


def operations(done: RulePlan) -> list[str]:
    """Return the operations of a plan."""
    return [action.operation for action in done.actions]


def test_fixpoint() -> None:
    """Planning again on what was created gives no action, in whatever order AWS lists the rules."""
    first = plan(intent("/a", "/b"))
    assert operations(first) == ["CreateRule", "CreateRule"]
    rules = applied(first)
    assert plan(intent("/a", "/b"), *rules).actions == ()
    assert plan(intent("/a", "/b"), *reversed(rules)).actions == ()


def test_an_intended_priority_is_used_after_a_crash() -> None:
    """The number in status from before the crash is taken, not another one."""
    place = plan(intent()).rules[0]
    memory = Memory(priorities={(LISTENER, place.desired.name): 40_001}, known=frozenset(), settled=False)
    assert plan(intent(), memory=memory).actions[0].params["Priority"] == 40_001


def test_a_new_match_is_created_before_the_old_one_goes() -> None:
    """A changed path is another rule; requests that match both are never without one."""
    rules = applied(plan(intent("/a")))
    assert operations(plan(intent("/b"), *rules)) == ["CreateRule", "DeleteRule"]


def test_a_hand_edit_of_the_forward_is_repaired_and_told() -> None:
    """Weights go back, stickiness stays, and the event shows both."""
    rules = applied(plan(intent()))
    rules[0]["Actions"] = [
        {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": "arn:tg/other/1", "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 9},
            },
        }
    ]
    settled = Memory(priorities={}, known=frozenset(), settled=True)
    repaired = plan(intent(), *rules, memory=settled)
    (action,) = repaired.actions
    assert action.operation == "ModifyRule"
    assert "Conditions" not in action.params
    assert action.params["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"]["Enabled"]
    assert [(note.reason, "other=1 → web-a=1" in note.message) for note in repaired.notes] == [
        ("DriftRepaired", True)
    ]


def test_conditions_edited_by_hand_are_put_back() -> None:
    """Only the conditions are written."""
    rules = applied(plan(intent()))
    rules[0]["Conditions"] = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/stolen"]}}]
    (action,) = plan(intent(), *rules).actions
    assert (action.operation, sorted(action.params)) == ("ModifyRule", ["Conditions", "RuleArn"])


def test_foreign_rules_are_never_written() -> None:
    """Rules without our tags, of another installation, or of another route are not touched."""
    rules = applied(plan(intent()))
    strangers = []
    for number, tags in enumerate(
        (
            {},
            rules[0]["Tags"] | {"sluice.dev/installation": "other"},
            rules[0]["Tags"] | {"sluice.dev/name": "x"},
        )
    ):
        strangers.append(
            rules[0] | {"RuleArn": f"arn:foreign/{number}", "Tags": tags, "Priority": str(number + 5)}
        )
    done = plan(intent(), *strangers)
    assert operations(done) == ["CreateRule"]
    assert plan_removal(KEY, installation="i", parents=(parent(*strangers),)) == ()


def test_a_duplicate_of_our_own_goes() -> None:
    """Two rules with one identity (a lost answer): the first in priority stays."""
    rule = applied(plan(intent()))[0]
    twin = rule | {"RuleArn": "arn:rule/twin", "Priority": str(int(rule["Priority"]) + 10)}
    (action,) = plan(intent(), twin, rule).actions
    assert (action.operation, action.params) == ("DeleteRule", {"RuleArn": "arn:rule/twin"})


def test_an_existing_rule_stays_while_its_backend_is_unknown() -> None:
    """No traffic published (a restore): what carries requests is left alone, nothing new is made."""
    rules = applied(plan(intent()))
    unknown = {"web": BackendFacts(exists=True)}
    assert plan(intent(), *rules, backends=unknown).actions == ()
    assert plan(intent(), backends=unknown).actions == ()


@pytest.mark.parametrize(
    ("known", "reason", "text"),
    [
        pytest.param(BackendFacts(exists=False), "BackendNotFound", "does not exist", id="no Deployment"),
        pytest.param(BackendFacts(exists=True), "WaitingForTargets", "no healthy targets", id="no traffic"),
        pytest.param(
            BackendFacts(exists=True, ports=frozenset({"8080", "grpc"})),
            "InvalidSpec",
            r"has port http; its ports are 8080, grpc",
            id="no such port",
        ),
    ],
)
def test_problems_of_a_backend(known: BackendFacts, reason: str, text: str) -> None:
    """Each is told with the field or object that has to change."""
    rules, problems = desired_rules(KEY, intent(), parents=(parent(),), backends={"web": known})
    assert rules[0].weights is None
    assert [(p.reason, text in p.message) for p in problems] == [(reason, True)]


def test_container_ports_of_both_forms() -> None:
    """Ports are known by name and number, from a template and from an ECS body."""
    template = {"template": {"spec": {"containers": [{"ports": [{"name": "http", "containerPort": 80}]}]}}}
    body = {"taskDefinition": {"containerDefinitions": [{"portMappings": [{"containerPort": 81}]}]}}
    assert container_ports({"spec": template}) == {"http", "80"}
    assert container_ports({"spec": body}) == {"81"}
    assert container_ports({}) == frozenset()


def test_an_acknowledgement_needs_every_rule_of_the_backend() -> None:
    """One rule that is not as written keeps the backend unproven; the other backend is proven."""
    backends = facts("web", "ledger")
    both = RouteIntent(
        hostnames=(),
        age="2027/shop/web",
        rules=(
            intent("/a").rules[0],
            RuleIntent(
                name="other",
                matches=(Match(path=("PathPrefix", "/b")),),
                backends=(Backend(name="ledger", port="http"),),
            ),
        ),
    )
    rules = applied(plan(both))
    planned = plan(both, *rules).rules
    seen = {rule["RuleArn"]: rule for rule in rules}
    broken = next(rule for rule in planned if rule.desired.backends == ("web",))
    del seen[broken.arn]
    proof = verify(planned, seen, at=7.0)
    wanted = [rule.desired for rule in planned]
    entries = acknowledgements(
        {}, generation=4, backends=backends, desired=wanted, rules=planned, proof=proof
    )
    assert [(e["name"], e["seq"], e["routeGeneration"], e["verifiedAt"]) for e in entries] == [
        ("ledger", 3, 4, 7.0)
    ]


def test_memory_is_settled_only_with_proofs_of_this_traffic() -> None:
    """Ready for an older promise is not rest: a difference then is a rollout, not drift."""
    ready = {"type": "Ready", "status": "True"}
    backends = facts("web")
    planned = plan(intent()).rules
    wanted = [rule.desired for rule in planned]
    entries = acknowledgements({}, generation=1, backends=backends, desired=wanted, rules=planned, proof=None)
    assert entries == []
    status = {"observedGeneration": 1, "conditions": [ready], "backends": []}
    assert not memory_of(status, generation=1, backends=backends).settled
    proven = [
        {
            "name": "web",
            "uid": "uid-web",
            "rolloutId": "r1",
            "seq": 3,
            "hash": traffic("web").hash,
            "routeGeneration": 1,
            "verifiedAt": 1,
        }
    ]
    assert memory_of(status | {"backends": proven}, generation=1, backends=backends).settled
    assert not memory_of(status | {"backends": proven}, generation=2, backends=backends).settled


def test_the_weights_column_shows_each_split() -> None:
    """Per Deployment and distinct: a rule alone is 100, a split shows its parts."""
    backends = facts("web", "ledger")
    shared = (Backend(name="web", port="http", weight=80), Backend(name="ledger", port="http", weight=20))
    wish = RouteIntent(
        hostnames=("a.io",),
        age="2027/shop/web",
        rules=(intent("/a").rules[0], RuleIntent(name="s", matches=(), backends=shared)),
    )
    rules = plan(wish).rules
    assert summary(wish, rules, backends, listeners=["sandbox:80", "sandbox:443"], named={}) == {
        "hosts": "a.io",
        "backends": "web,ledger",
        "weights": "web=100; ledger=20,web=80",
        "listeners": "sandbox:443,sandbox:80",
    }


def test_tags_name_the_rule() -> None:
    """What is created can be found again by tag."""
    (action,) = plan(intent()).actions
    tags = from_elb(action.params["Tags"])
    assert tags[ROUTE_RULE].startswith("r0/")
    assert (tags["sluice.dev/kind"], tags["sluice.dev/role"]) == ("ServiceRoute", "rule")
