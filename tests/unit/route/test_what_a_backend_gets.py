"""What a rule sends to each target group of its backends, on which listener, and why it cannot yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from sluice.model.traffic import HeaderRoute, SlotTarget, Traffic
from sluice.plan.route.desired import (
    BackendFacts,
    DesiredRule,
    Parent,
    conditions_digest,
    desired_rules,
)
from sluice.plan.route.intent import Backend, Match, RouteIntent, RuleIntent
from sluice.plan.route.twins import with_headers
from sluice.plan.route.weights import compose, forward_weights, largest_remainder, sticky_seconds
from unit.route.standing import BALANCER, KEY, A, B, forward, listener, path, traffic

WEB = Backend(name="web", port="http")
HEADER = HeaderRoute(name="X-Canary", value="1", slot="b")


def rule(*backends: Backend, **members: Any) -> RuleIntent:
    """Return a rule for one path."""
    plain: dict[str, Any] = {"name": "main", "matches": (Match(path=("Exact", "/a")),)}
    return RuleIntent(**plain | {"backends": backends or (WEB,)} | members)


def desired(
    wish: RuleIntent, parent: Parent | None = None, **facts: BackendFacts
) -> tuple[tuple[DesiredRule, ...], list[str]]:
    """Return the rules of one listener, of each role, and the messages of what is wrong."""
    intent, on = RouteIntent(hostnames=(), rules=(wish,), age="2027/shop/web"), (parent or listener(),)
    plain, problems = desired_rules(KEY, intent, parents=on, backends=facts)
    rules, more = with_headers(plain, intent, parents=on, backends=facts)
    return rules, [problem.message for problem in (*problems, *more)]


def publishes(published: Traffic | None = None, **members: Any) -> BackendFacts:
    """Return a Deployment that publishes: everything to slot a, unless said."""
    return BackendFacts(exists=True, traffic=published or traffic(), **members)


def target(slot: str, arn: str, *, port: str = "http", number: int = 8080, lb: str = BALANCER) -> SlotTarget:
    """Return a target group."""
    return SlotTarget(slot=slot, port=port, container_port=number, load_balancer_arn=lb, target_group_arn=arn)


LACKS = "Deployment shop/web has no target group for port http on sandbox:80 yet"
TARGETS: Mapping[str, tuple[dict[str, int], list[SlotTarget], str, dict[str, int] | None]] = {
    "one slot": ({"a": 1000}, [target("a", A)], "http", {A: 1}),
    "two slots": ({"a": 900, "b": 100}, [target("a", A), target("b", B)], "http", {A: 90, B: 10}),
    "a slot without requests": ({"a": 1000, "b": 0}, [target("a", A), target("b", B)], "http", {A: 1}),
    "a slot without requests or group": ({"a": 1000, "b": 0}, [target("a", A)], "http", {A: 1}),
    "a slot that shall get some has no group": ({"a": 900, "b": 100}, [target("a", A)], "http", None),
    "its group is on another balancer": (
        {"a": 900, "b": 100},
        [target("a", A), target("b", B, lb="arn:other")],
        "http",
        None,
    ),
    "its group is for another port": (
        {"a": 900, "b": 100},
        [target("a", A), target("b", B, port="admin", number=9901)],
        "http",
        None,
    ),
    "groups of other balancers and ports beside it": (
        {"a": 1000},
        [target("a", B, lb="arn:other"), target("a", A), target("a", "arn:x", port="admin", number=9901)],
        "http",
        {A: 1},
    ),
    "by the port's number": ({"a": 1000}, [target("a", A)], "8080", {A: 1}),
    "by a number on another balancer": ({"a": 1000}, [target("a", A, lb="arn:other")], "8080", None),
    "no slot gets anything": ({"a": 0}, [target("a", A)], "http", None),
}


@pytest.mark.parametrize(("slots", "targets", "port", "weights"), TARGETS.values(), ids=TARGETS)
def test_weights_of_a_backend(
    slots: dict[str, int], targets: list[SlotTarget], port: str, weights: dict[str, int] | None
) -> None:
    """Each slot's share goes to its target group for that port on that load balancer, or nothing moves."""
    published = traffic(weights=slots, targets=tuple(targets))
    (found,), problems = desired(rule(Backend(name="web", port=port)), web=publishes(published))
    assert found.weights == weights
    assert problems == ([] if weights else [LACKS.replace("http", port)])


def test_a_test_listener_sends_to_the_candidate_alone() -> None:
    """Whatever the slots' shares are, and whatever production lacks."""
    published = traffic(weights={"a": 900, "b": 100, "c": 5}, test="b")
    (found,), problems = desired(rule(), listener(test=True), web=publishes(published))
    assert (found.role, found.weights, problems) == ("test", {B: 1}, [])
    (lacks,), problems = desired(rule(), listener(test=True), web=publishes(replace(published, test="c")))
    assert (lacks.weights, problems) == (None, [LACKS])


def test_backends_without_a_weight_share_alike() -> None:
    """1 is what a backend has that says nothing."""
    pay = publishes(traffic(targets=(target("a", "arn:pay"),)))
    other = Backend(name="pay", port="http", weight=1)
    (found,), _ = desired(rule(WEB, other), web=publishes(), pay=pay)
    assert (found.weights, found.backends) == ({A: 50, "arn:pay": 50}, ("web", "pay"))


PAY = Backend(name="pay", port="http")


@pytest.mark.parametrize(
    ("web", "pay", "reassert", "rollback"),
    [
        pytest.param({}, {}, True, False, id="both at rest"),
        pytest.param({"reassert": False}, {}, False, False, id="one asks not to be overwritten"),
        pytest.param({"rollback": True}, {}, True, True, id="one goes back"),
        pytest.param(
            {"rollback": True}, {"reassert": False}, True, True, id="one goes back, the other asks not to"
        ),
    ],
)
def test_two_backends_share_a_rule(
    web: dict[str, Any], pay: dict[str, Any], *, reassert: bool, rollback: bool
) -> None:
    """One rollback makes the rule urgent and ours; one rollout that asks for it leaves foreign weights."""
    facts = {"web": publishes(traffic(**web)), "pay": publishes(traffic(**pay))}
    (found,), _ = desired(rule(WEB, PAY), None, **facts)
    assert (found.reassert, found.rollback) == (reassert, rollback)


def test_what_nobody_publishes_goes_nowhere_back() -> None:
    """A rule whose backends publish nothing yet is neither urgent nor to be left as it is."""
    (found,), _ = desired(rule(), web=BackendFacts(exists=True))
    assert (found.reassert, found.rollback, found.may_begin) == (True, False, True)


def test_a_backend_that_goes_begins_no_rule() -> None:
    """Its weights are still there: a rule that stands is kept up."""
    (found,), problems = desired(rule(), web=publishes(going=True))
    assert (found.weights, found.may_begin) == ({A: 1}, False)
    assert problems == [
        "Deployment shop/web is being deleted; remove its backendRef, or apply it again once it is gone"
    ]


def test_a_fixed_priority_of_a_rule_in_parts() -> None:
    """Each part stands two numbers on: the one before each is its header rule's."""
    hosts = tuple(f"h{number}.io" for number in range(12))
    intent = RouteIntent(hostnames=hosts, rules=(rule(priority=40),), age="2027")
    rules, _ = desired_rules(KEY, intent, parents=(listener(),), backends={"web": publishes()})
    assert [found.priority for found in rules] == [40, 42, 44]


@pytest.mark.parametrize(
    ("members", "slots", "sticky"),
    [
        pytest.param({}, {"a": 900, "b": 100}, 300, id="two groups"),
        pytest.param({}, {"a": 1000}, 0, id="a survivor alone"),
        pytest.param({"test": True}, {"a": 900, "b": 100}, 0, id="a test listener"),
    ],
)
def test_sessions_of_a_rule(members: dict[str, Any], slots: dict[str, int], sticky: int) -> None:
    """Only while a client could meet another group."""
    facts = publishes(traffic(weights=slots))
    (found,), _ = desired(rule(session_seconds=300), listener(**members), web=facts)
    assert found.sticky == sticky
    (plain,), _ = desired(rule(), listener(**members), web=facts)
    assert plain.sticky is None


def test_sessions_while_weights_are_not_known() -> None:
    """Nothing is known of the groups, so nothing is said of sessions."""
    (found,), _ = desired(rule(session_seconds=300), web=BackendFacts(exists=True))
    assert found.sticky is None


@pytest.mark.parametrize(("bake", "told"), [(299.0, True), (300.0, False), (None, False)])
def test_sessions_last_as_long_as_the_bake_at_most(bake: float | None, told: bool) -> None:  # noqa: FBT001 - a table's column
    """Just as long is long enough."""
    _, problems = desired(rule(session_seconds=300), web=publishes(bake=bake))
    assert bool(problems) is told


def test_the_name_of_conditions_stays() -> None:
    """It is in the tags of rules that earlier versions made: another one would make every rule anew."""
    conditions = [
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["b.io", "a.io"]}},
        path("/a", "/a/*"),
    ]
    assert conditions_digest(conditions) == conditions_digest(conditions[::-1]) == "5a655d40"


# Header rules.


def headers(*backends: Backend, **facts: BackendFacts) -> tuple[list[DesiredRule], list[str]]:
    """Return the header rules alone."""
    rules, problems = desired(rule(*backends), None, **facts)
    return [found for found in rules if found.role == "header"], problems


def test_a_header_rule_is_its_own_backends_alone() -> None:
    """The other backend of the rule publishes no header: its share is nobody's there."""
    both = {"web": publishes(traffic(header=HEADER)), "pay": publishes(traffic(test="b"))}
    (found,), problems = headers(WEB, PAY, **both)
    assert (found.backends, found.weights, problems) == (("web",), {B: 1}, [])
    assert (found.twin, found.priority, found.sticky) == (
        desired(rule(WEB, PAY), None, **both)[0][0].name,
        None,
        None,
    )


def test_no_header_rule_for_a_backend_without_weight() -> None:
    """Who gets nothing gets nothing by a header either."""
    idle = replace(WEB, weight=0)
    assert headers(idle, PAY, web=publishes(traffic(header=HEADER)), pay=publishes()) == ([], [])


def test_one_header_of_two_slots() -> None:
    """Each backend's own candidate, by the rule's weights."""
    pay = traffic(header=replace(HEADER, slot="a"), targets=(target("a", "arn:pay"),))
    three = replace(PAY, weight=3)
    (found,), _ = headers(WEB, three, web=publishes(traffic(header=HEADER)), pay=publishes(pay))
    assert (found.backends, found.weights) == (("web", "pay"), {B: 25, "arn:pay": 75})


def test_a_header_waits_for_its_slots_group() -> None:
    """There is a rule to acknowledge, but none to be made."""
    lacking = traffic(header=HEADER, targets=(target("a", A),))
    (found,), problems = headers(web=publishes(lacking))
    assert found.weights is None
    assert problems == ["the candidate of web has no target group on sandbox:80 yet"]


@pytest.mark.parametrize(("hosts", "room"), [(3, True), (4, False)])
def test_the_header_needs_one_of_five_values(hosts: int, room: bool) -> None:  # noqa: FBT001 - a table's column
    """A path, the hosts and the header."""
    names = tuple(f"h{number}.io" for number in range(hosts))
    intent = RouteIntent(hostnames=names, rules=(rule(),), age="2027")
    facts = {"web": publishes(traffic(header=HEADER))}
    plain, _ = desired_rules(KEY, intent, parents=(listener(),), backends=facts)
    rules, problems = with_headers(plain, intent, parents=(listener(),), backends=facts)
    assert [found.weights for found in rules] == [{A: 1}, {B: 1} if room else None]
    assert bool(problems) is not room


# Weights.


def test_five_target_groups_are_not_too_many() -> None:
    """ALB's quota, used up."""
    assert compose([(1, {f"g{n}": 1 for n in range(5)})]) == {f"g{n}": 20 for n in range(5)}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([9994, 3, 3], [998, 1, 1], id="the largest pays for two"),
        pytest.param([4998, 4996, 2, 2, 2], [499, 498, 1, 1, 1], id="the later of two that are equal"),
        pytest.param([3333, 3333, 3334], [333, 333, 334], id="what is left goes where most is lacking"),
        pytest.param([5000, 5000], [500, 500], id="nothing to settle"),
    ],
)
def test_a_lifted_share_is_paid_by_the_largest(parts: list[int], expected: list[int]) -> None:
    """It notices least; the sum stays exact."""
    shares = {f"g{n}": Fraction(part, sum(parts)) for n, part in enumerate(parts)}
    assert list(largest_remainder(shares, total=1000).values()) == expected


def test_a_group_without_a_weight_counts_as_one() -> None:
    """What ALB takes it for."""
    groups = [{"TargetGroupArn": A}, {"TargetGroupArn": B, "Weight": 1}]
    assert forward_weights([{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]) == {A: 1, B: 1}


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        pytest.param({"Enabled": True, "DurationSeconds": 60}, 60, id="kept"),
        pytest.param({"Enabled": False, "DurationSeconds": 60}, 0, id="ended; AWS still tells the seconds"),
        pytest.param({"Enabled": True}, 0, id="no seconds"),
        pytest.param({}, 0, id="never asked for"),
    ],
)
def test_how_long_a_rule_keeps_sessions(config: dict[str, Any], seconds: int) -> None:
    """Of the forward action, wherever it stands."""
    actions = forward(a=1)
    actions[0]["ForwardConfig"]["TargetGroupStickinessConfig"] = config
    assert sticky_seconds([{"Type": "authenticate-oidc", "Order": 1}, *actions]) == seconds
