"""A route's status: what a later pass reads of it, and what it tells of rules and of names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.model.discovery import DiscoveryIntent, NamespaceIntent
from sluice.plan.route.desired import BackendFacts
from sluice.plan.route.intent import Backend, RouteIntent, RuleIntent
from sluice.plan.route.planner import Memory, PlannedRule
from sluice.plan.route.proof import Proof
from sluice.plan.route.status import (
    is_ready,
    is_stalled,
    memory_of,
    parents_status,
    stale_backends,
    summary,
    with_conditions,
)
from unit.route.standing import LISTENER, A, B, listener, traffic, wanted

PLACE = (LISTENER, "main/1")
KNOWN = {"name": "main/1", "priority": 40, "role": "production", "ruleArn": "arn:rule/40"}


def status(**rule: Any) -> dict[str, Any]:
    """Return a status with one rule."""
    return {"parents": [{"listenerArn": LISTENER, "rules": [KNOWN | rule]}]}


# What is remembered.


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param({}, {}, id="a rule that stands"),
        pytest.param({"ruleArn": ""}, {"known": frozenset()}, id="a rule that was about to be made"),
        pytest.param({"weights": "a=1"}, {"written": {PLACE: frozenset({"a=1"})}}, id="its weights"),
        pytest.param(
            {"weights": "a=1", "intended": ["b=1", "a=1"]},
            {"written": {PLACE: frozenset({"a=1", "b=1"})}},
            id="and what it was about to get",
        ),
        pytest.param(
            {"intended": ["b=1"]}, {"written": {PLACE: frozenset({"b=1"})}}, id="only what it was to get"
        ),
        pytest.param({"stickySeconds": 300}, {"sticky": frozenset({PLACE})}, id="its sessions"),
        pytest.param({"stickySeconds": 0}, {}, id="no sessions"),
    ],
)
def test_what_a_later_pass_reads(rule: dict[str, Any], expected: dict[str, Any]) -> None:
    """Numbers, rules that were seen, and what of them is by our own writes."""
    plain = Memory(priorities={PLACE: 40}, known=frozenset({PLACE}), settled=False)
    assert memory_of(status(**rule), generation=1, backends={}) == replace(plain, **expected)


def test_an_empty_status_remembers_nothing() -> None:
    """The first pass."""
    nothing = Memory(priorities={}, known=frozenset(), settled=False)
    assert memory_of({}, generation=1, backends={}) == nothing


@pytest.mark.parametrize("kind", ["Ready", "Stalled"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, True, id="it says so"),
        pytest.param({"status": "False"}, False, id="it says no"),
        pytest.param({"status": "Unknown"}, False, id="it does not know"),
        pytest.param({"type": "Reconciling"}, False, id="another condition is true"),
        pytest.param({"generation": 2}, False, id="of the generation before"),
        pytest.param({"generation": 4}, False, id="of a newer one"),
    ],
)
def test_a_condition_counts_for_its_generation(kind: str, changes: dict[str, Any], *, expected: bool) -> None:
    """Only this very condition, true, of this very generation; others beside it change nothing."""
    condition = {"type": kind, "status": "True"} | {k: v for k, v in changes.items() if k != "generation"}
    says = {
        "observedGeneration": changes.get("generation", 3),
        "conditions": [
            {"type": "Reconciling", "status": "True"},
            condition,
            {"type": "Other", "status": "x"},
        ],
    }
    asked = {"Ready": is_ready, "Stalled": is_stalled}
    assert asked[kind](says, generation=3) is expected
    other = asked["Stalled" if kind == "Ready" else "Ready"]
    assert not other(says, generation=3)
    assert not asked[kind]({"observedGeneration": 3}, generation=3)


PUBLISHED = traffic(verify_after=5.0)
PROVES = {
    "name": "web",
    "uid": "uid-web",
    "rolloutId": "r1",
    "seq": 3,
    "hash": PUBLISHED.hash,
    "routeGeneration": 1,
    "verifiedAt": 5.0,
}


@pytest.mark.parametrize(
    ("entries", "published", "stale"),
    [
        pytest.param([PROVES], True, (), id="proven"),
        pytest.param([], True, ("web",), id="no acknowledgement"),
        pytest.param([PROVES | {"seq": 2}], True, ("web",), id="of other weights"),
        pytest.param([PROVES | {"verifiedAt": 4.0}], True, ("web",), id="too old"),
        pytest.param([PROVES | {"name": "pay"}], True, ("web",), id="of another backend"),
        pytest.param([], False, (), id="nothing is published"),
    ],
)
def test_whose_traffic_is_not_acknowledged(
    entries: list[dict[str, Any]], stale: tuple[str, ...], *, published: bool
) -> None:
    """Those that publish and have no proof of it."""
    facts = BackendFacts(exists=True, traffic=PUBLISHED if published else None)
    assert stale_backends({"backends": entries}, generation=1, backends={"web": facts}) == stale
    assert stale_backends({}, generation=1, backends={"web": facts}) == (("web",) if published else ())


# What is written of rules.

SPLIT = "web-a=90, web-b=10"
RULE = wanted(weights={A: 90, B: 10})
PROVEN, WRONG = Proof(wrong={}, at=1.0), Proof(wrong={f"{LISTENER}|main/1": "x"}, at=1.0)


def entry(rule: PlannedRule, previous: dict[str, Any] | None = None, proof: Proof | None = None) -> Any:
    """Return what the status says of a rule beside what is always said; `previous` is what it said before."""
    before = {"parents": [{"listenerArn": LISTENER, "rules": [KNOWN | previous]}]} if previous else {}
    (parent,) = parents_status((listener(),), [rule], previous=before, proof=proof)
    (found,) = parent["rules"]
    return {name: value for name, value in found.items() if name not in ("name", "priority", "role")}


@pytest.mark.parametrize(
    ("rule", "previous", "proof", "expected"),
    [
        pytest.param({}, {}, None, {"intended": [SPLIT]}, id="about to be made"),
        pytest.param({}, {}, PROVEN, {"weights": SPLIT}, id="made and read back"),
        pytest.param({"arn": "arn:1"}, {}, PROVEN, {"ruleArn": "arn:1", "weights": SPLIT}, id="with its ARN"),
        pytest.param({"current": SPLIT}, {}, None, {"weights": SPLIT}, id="seen with what is wanted"),
        pytest.param(
            {"current": "web-a=1"},
            {"weights": "web-a=1"},
            None,
            {"weights": "web-a=1", "intended": [SPLIT]},
            id="about to be written",
        ),
        pytest.param(
            {"current": "web-a=1"},
            {"weights": "web-a=1", "intended": ["web-b=1"]},
            WRONG,
            {"weights": "web-a=1", "intended": ["web-b=1", SPLIT]},
            id="read back otherwise: all that it may have",
        ),
        pytest.param(
            {"current": "web-b=1"},
            {"weights": "web-a=1", "intended": ["web-b=1"]},
            None,
            {"weights": "web-b=1", "intended": ["web-a=1", SPLIT]},
            id="what was intended is there, and another change is on the way",
        ),
        pytest.param(
            {},
            {"weights": "web-a=1"},
            None,
            {"weights": "web-a=1", "intended": [SPLIT]},
            id="deleted by hand: what it had is remembered",
        ),
        pytest.param(
            {"current": "web-a=1"},
            {"weights": "1", "intended": ["2", "3", "4", "5"]},
            None,
            {"weights": "web-a=1", "intended": ["3", "4", "5", SPLIT]},
            id="the last four of many",
        ),
        pytest.param(
            {"current": SPLIT, "foreign": "x"},
            {"weights": "web-a=1", "intended": ["web-b=1"]},
            PROVEN,
            {"weights": "web-a=1", "intended": ["web-b=1"]},
            id="somebody else's weights are none of ours",
        ),
        pytest.param(
            {"desired": replace(RULE, weights=None), "current": "web-a=1"},
            {"weights": "web-a=1", "intended": ["web-b=1"], "stickySeconds": 60},
            PROVEN,
            {"weights": "web-a=1", "intended": ["web-b=1"], "stickySeconds": 60},
            id="nothing is wanted yet: all stays",
        ),
        pytest.param(
            {"desired": replace(RULE, held=True), "current": SPLIT},
            {"weights": "web-a=1", "intended": ["web-b=1"], "stickySeconds": 60},
            PROVEN,
            {"weights": "web-a=1", "intended": ["web-b=1"], "stickySeconds": 60},
            id="what is left alone is nobody's: all stays",
        ),
        pytest.param(
            {"desired": replace(RULE, weights=None)}, {}, None, {}, id="nothing is wanted, nothing is known"
        ),
        pytest.param(
            {"desired": replace(RULE, sticky=300)},
            {},
            PROVEN,
            {"weights": SPLIT, "stickySeconds": 300},
            id="sessions of ours",
        ),
        pytest.param(
            {"desired": replace(RULE, sticky=300)},
            {"stickySeconds": 60},
            None,
            {"intended": [SPLIT], "stickySeconds": 300},
            id="sessions that are about to be ours",
        ),
        pytest.param(
            {"desired": replace(RULE, sticky=0)},
            {"stickySeconds": 60},
            PROVEN,
            {"weights": SPLIT},
            id="ended",
        ),
        pytest.param(
            {"desired": replace(RULE, sticky=None)},
            {"stickySeconds": 60},
            PROVEN,
            {"weights": SPLIT, "stickySeconds": 60},
            id="left as they are, and still ours",
        ),
        pytest.param(
            {"desired": replace(RULE, sticky=0)},
            {"stickySeconds": 60},
            WRONG,
            {"intended": [SPLIT], "stickySeconds": 60},
            id="not ended yet",
        ),
    ],
)
def test_what_a_rule_may_have_by_our_own_writes(
    rule: dict[str, Any], previous: dict[str, Any], proof: Proof | None, expected: dict[str, Any]
) -> None:
    """One write is known when it is read back; until then everything on the way is ours, too."""
    plain: dict[str, Any] = {"desired": RULE, "priority": 30}
    assert entry(PlannedRule(**plain | rule), previous, proof) == expected


def test_listeners_and_rules_stand_in_order() -> None:
    """Listeners by name, rules by number, each below its own listener."""
    rules = [
        PlannedRule(
            desired=replace(wanted(f"main/{number}"), listener_arn=arn), priority=number, arn=f"arn:{number}"
        )
        for number, arn in ((9, "arn:b"), (3, "arn:a"), (7, "arn:a"))
    ]
    parents = [
        listener(name="sandbox:443", listener_arn="arn:a"),
        listener(name="sandbox:80", listener_arn="arn:c"),
        listener(name="public:80", listener_arn="arn:b"),
    ]
    found = parents_status(parents, rules, previous={}, proof=PROVEN)
    assert [(parent["name"], [rule["priority"] for rule in parent["rules"]]) for parent in found] == [
        ("public:80", [9]),
        ("sandbox:443", [3, 7]),
        ("sandbox:80", []),
    ]
    assert found[1]["rules"][0] == {
        "name": "main/3",
        "priority": 3,
        "role": "production",
        "ruleArn": "arn:3",
        "weights": "web-a=1",
    }


# The columns.


def route(
    *backends: str, hostnames: tuple[str, ...] = (), discovery: DiscoveryIntent | None = None
) -> RouteIntent:
    """Return a route with a rule for each backend."""
    rules = tuple(
        RuleIntent(name=name, matches=(), backends=(Backend(name=name, port="http"),)) for name in backends
    )
    return RouteIntent(hostnames=hostnames, rules=rules, age="2027", discovery=discovery)


@pytest.mark.parametrize(
    ("rules", "slots", "weights"),
    [
        pytest.param([wanted()], {"a": 1000}, "web=100", id="one slot is the Deployment"),
        pytest.param([RULE], {"a": 900, "b": 100}, "web/a=90,web/b=10", id="two slots are told apart"),
        pytest.param([RULE], {"a": 900}, "web=100", id="two groups of one slot's Deployment"),
        pytest.param(
            [wanted(weights={A: 90, "arn:tg/left/1": 10})],
            {"a": 900},
            "left=10,web=90",
            id="a group of nobody",
        ),
        pytest.param(
            [wanted("2"), wanted("1", weights={B: 1}), wanted("3")], {"a": 1}, "web=100", id="the same"
        ),
        pytest.param(
            [wanted("2"), wanted("1", weights={B: 1})], {"a": 1, "b": 1}, "web/b=100; web/a=100", id="by rule"
        ),
        pytest.param([wanted(weights=None)], {"a": 1000}, "", id="nothing known yet"),
        pytest.param([wanted(role="test", weights={B: 1})], {"a": 1000}, "", id="production's alone"),
    ],
)
def test_the_column_of_weights(rules: list[Any], slots: dict[str, int], weights: str) -> None:
    """Each split once, in the order of the rules' names; what stands alone has all."""
    facts = {
        "web": BackendFacts(exists=True, traffic=traffic(weights=slots)),
        "x": BackendFacts(exists=False),
    }
    planned = [PlannedRule(desired=rule, priority=1) for rule in rules]
    assert summary(route("web"), planned, facts, listeners=[], named={})["weights"] == weights


def called(name: str = "", id_: str = "ns-1", backend: str = "") -> DiscoveryIntent:
    """Return a name in Cloud Map."""
    return DiscoveryIntent(
        mode="Tasks",
        namespace=NamespaceIntent(name=name, id=id_),
        service="shop",
        backend=backend,
        port="http",
        records=(),
        routing="MULTIVALUE",
        attributes={},
    )


NAMED = {"namespaceId": "ns-1", "namespace": "corp.local"}


@pytest.mark.parametrize(
    ("intent", "named", "hosts", "backends"),
    [
        pytest.param(route("web", "pay", "web"), {}, "*", "web,pay", id="every host, each backend once"),
        pytest.param(route("web", hostnames=("b.io", "a.io")), {}, "b.io,a.io", "web", id="hosts as written"),
        pytest.param(route(discovery=called()), NAMED, "shop.corp.local", "", id="a namespace by its id"),
        pytest.param(
            route(discovery=called(id_="ns-2")), NAMED, "shop.ns-2", "", id="another's name is not its"
        ),
        pytest.param(
            route(discovery=called("corp.local", "")),
            {"namespaceId": "ns-1"},
            "shop.corp.local",
            "",
            id="by name",
        ),
        pytest.param(
            route("web", discovery=called(backend="web")), {}, "*,shop.ns-1", "web", id="the same backend"
        ),
        pytest.param(
            route("web", discovery=called(backend="pay")), {}, "*,shop.ns-1", "web,pay", id="another backend"
        ),
    ],
)
def test_the_columns_of_hosts_and_backends(
    intent: RouteIntent, named: dict[str, str], hosts: str, backends: str
) -> None:
    """Where it is reached, and who answers."""
    found = summary(intent, (), {}, listeners=["b:1", "a:1"], named=named)
    assert found == {"hosts": hosts, "backends": backends, "weights": "", "listeners": "a:1,b:1"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param({"parents": []}, "0 listener rules are as the spec says", id="no rules"),
        pytest.param(
            {"parents": [{"rules": [{}]}, {"rules": [{}]}]},
            "2 listener rules are as the spec says",
            id="rules of two listeners",
        ),
        pytest.param(
            {"discovery": {"service": "web", "namespace": "x"}}, "web.x has 0 entries", id="no entry"
        ),
        pytest.param(
            {"discovery": {"service": "web", "namespace": "x", "instances": 1}}, "web.x has 1 entry", id="one"
        ),
    ],
)
def test_what_ready_tells(status: dict[str, Any], message: str) -> None:
    """How many of each, and what else a person should know."""
    told = with_conditions(status, previous={}, generation=2, now=1.0, problem=None, remark="look")
    assert told["conditions"][0]["message"] == f"{message}; look"
    assert told["observedGeneration"] == 2
