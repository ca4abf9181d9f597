"""Rules and listeners: order, tags, absence, and reads that cannot be a proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sluice.model.errors import AwsFailure

BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/50dc"
LISTENER = "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/web/50dc/f2f7"


def rule(number: int, priority: str = "", **more: Any) -> dict[str, Any]:
    """Return a rule as DescribeRules does."""
    arn = f"{LISTENER.replace(':listener/', ':listener-rule/')}/{number}"
    return {"RuleArn": arn, "Priority": priority or str(number), "IsDefault": priority == "default"} | more


class Listener:
    """A listener with rules and tags behind the table."""

    def __init__(self, rig: Any, *rules: dict[str, Any]) -> None:
        """Serve these rules, a page of two at a time."""
        self.rig = rig
        self.rules = {item["RuleArn"]: item for item in rules}
        rig.aws.table |= {"DescribeRules": self.describe, "DescribeTags": self.tags}

    def describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeRules."""
        if "RuleArns" in params:
            if not set(params["RuleArns"]) <= set(self.rules):
                raise self.rig.fail("RuleNotFound", "not-found")
            return {"Rules": [self.rules[arn] for arn in params["RuleArns"]]}
        start = int(params.get("Marker", 0))
        page = list(self.rules.values())[start : start + 2]
        more = {"NextMarker": str(start + 2)} if start + 2 < len(self.rules) else {}
        return {"Rules": page, **more}

    def tags(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeTags."""
        if not set(params["ResourceArns"]) <= set(self.rules):
            raise self.rig.fail("RuleNotFound", "not-found")
        assert len(params["ResourceArns"]) <= 20
        return {
            "TagDescriptions": [
                {"ResourceArn": arn, "Tags": [{"Key": "n", "Value": arn[-1]}]}
                for arn in params["ResourceArns"]
            ]
        }


def look(rig: Any, max_age: float = 0.0) -> Any:
    """Ask for the listener's rules."""
    return rig.facts.rules(rig.context, LISTENER, max_age=max_age)


def priorities(rules: Any) -> list[str]:
    """Return the priorities in the order given."""
    return [item["Priority"] for item in rules]


def test_rules_come_by_priority_with_the_default_last(rig: Any) -> None:
    """Priorities are numbers in text; pages are one list; tags are a mapping."""
    Listener(rig, rule(0, "default"), rule(20), rule(3), rule(100))
    found = look(rig)
    assert priorities(found) == ["3", "20", "100", "default"]
    assert found[0]["Tags"] == {"n": "3"}


def test_tags_are_read_twenty_at_a_time_and_once_in_ten_minutes(rig: Any) -> None:
    """Looking at a listener again costs one DescribeRules and no DescribeTags."""
    listener = Listener(rig, *(rule(number) for number in range(1, 31)))
    listener.describe = lambda _p: {"Rules": list(listener.rules.values())}  # type: ignore[method-assign]
    rig.aws.table["DescribeRules"] = listener.describe
    for _ in range(3):
        look(rig)
    assert rig.aws.operations().count("DescribeTags") == 2
    rig.clock.seconds += 601
    look(rig)
    assert rig.aws.operations().count("DescribeTags") == 4


def test_a_rule_that_vanishes_between_two_calls_is_left_out(rig: Any) -> None:
    """Tags are asked after the rules, and a rule may be deleted in between."""
    listener = Listener(rig, rule(1), rule(2))
    listener.describe = lambda _p: {"Rules": [rule(1), rule(2), rule(3)]}  # type: ignore[method-assign]
    rig.aws.table["DescribeRules"] = listener.describe
    assert priorities(look(rig)) == ["1", "2"]


def test_a_listener_that_is_gone_is_a_not_found_and_drops_its_load_balancer(rig: Any) -> None:
    """The route learns it, and the next look at the load balancer reads its listeners."""
    rig.aws.table["DescribeListeners"] = lambda _p: {"Listeners": [{"ListenerArn": LISTENER}]}
    assert rig.facts.listener(rig.context, LISTENER) is not None

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("ListenerNotFound", "not-found")

    rig.aws.table["DescribeRules"] = refuse
    with pytest.raises(AwsFailure) as gone:
        look(rig)
    assert gone.value.kind == "not-found"
    rig.aws.table["DescribeListeners"] = lambda _p: {"Listeners": []}
    assert rig.facts.listener(rig.context, LISTENER) is None


def test_rules_by_arn_are_read_now_and_absent_ones_are_left_out(rig: Any) -> None:
    """One unknown ARN makes AWS refuse the call; the others are found all the same."""
    Listener(rig, rule(1), rule(2))
    arns = [rule(number)["RuleArn"] for number in (1, 2, 3)]
    look(rig)
    found = rig.facts.rules_by_arn(rig.context, arns)
    assert sorted(item["Priority"] for item in found.values()) == ["1", "2"]
    assert found[arns[0]]["Tags"] == {"n": "1"}
    assert rig.facts.rules_by_arn(rig.context, []) == {}


def create(rig: Any, new: dict[str, Any]) -> None:
    """Tell the facts that we created a rule."""
    params = {"ListenerArn": LISTENER, "Tags": [{"Key": "ours", "Value": "yes"}]}
    rig.facts.wrote(rig.binding, "CreateRule", params, {"Rules": [new]})


def test_a_cached_list_learns_from_our_writes(rig: Any) -> None:
    """Create, modify, reprioritise and delete show without a read to who accepts an age."""
    Listener(rig, rule(1), rule(5))
    look(rig)
    create(rig, rule(3))
    changed = rule(1, Actions=["new"])
    rig.facts.wrote(rig.binding, "ModifyRule", {"RuleArn": changed["RuleArn"]}, {"Rules": [changed]})
    moved = rule(5) | {"Priority": "9"}
    rig.facts.wrote(rig.binding, "SetRulePriorities", {"RulePriorities": []}, {"Rules": [moved]})
    found = look(rig, max_age=30)
    assert priorities(found) == ["1", "3", "9"]
    assert (found[0]["Actions"], found[0]["Tags"], found[1]["Tags"]) == (["new"], {"n": "1"}, {"ours": "yes"})
    rig.facts.wrote(rig.binding, "DeleteRule", {"RuleArn": rule(1)["RuleArn"]}, {})
    assert priorities(look(rig, max_age=30)) == ["3", "9"]
    assert rig.aws.operations().count("DescribeRules") == 1


def test_a_write_does_not_make_the_other_rules_younger(rig: Any) -> None:
    """The age of a cached list is that of its read."""
    Listener(rig, rule(1))
    look(rig)
    rig.clock.seconds += 20
    rig.facts.wrote(rig.binding, "ModifyRule", {"RuleArn": rule(1)["RuleArn"]}, {"Rules": [rule(1)]})
    look(rig, max_age=10)
    assert rig.aws.operations().count("DescribeRules") == 2


def test_a_fresh_read_that_lacks_our_new_rule_is_no_answer(rig: Any) -> None:
    """It is older than our write: neither absence nor proof, until the window ends."""
    listener = Listener(rig, rule(1))
    create(rig, rule(3))
    with pytest.raises(AwsFailure) as stale:
        look(rig)
    assert (stale.value.code, stale.value.kind) == ("StaleRead", "unavailable")
    with pytest.raises(AwsFailure, match="StaleRead"):
        rig.facts.rules_by_arn(rig.context, [rule(3)["RuleArn"]])
    listener.rules[rule(3)["RuleArn"]] = rule(3)
    assert priorities(look(rig)) == ["1", "3"]
    del listener.rules[rule(3)["RuleArn"]]
    rig.clock.seconds += 5
    assert priorities(look(rig)) == ["1"]


def test_a_fresh_read_that_still_shows_a_deleted_rule_is_no_answer(rig: Any) -> None:
    """A target group must not seem in use, nor a priority taken, by what we deleted."""
    Listener(rig, rule(1), rule(2))
    rig.facts.wrote(rig.binding, "DeleteRule", {"RuleArn": rule(1)["RuleArn"]}, {})
    with pytest.raises(AwsFailure, match="just deleted"):
        look(rig)
    rig.clock.seconds += 5
    assert priorities(look(rig)) == ["1", "2"]


def test_weights_are_never_answered_from_our_own_write(rig: Any) -> None:
    """A fresh read shows what AWS says, even right after we wrote something else."""
    Listener(rig, rule(1, Actions=["old"]))
    look(rig)
    mine = rule(1, Actions=["new"])
    rig.facts.wrote(rig.binding, "ModifyRule", {"RuleArn": mine["RuleArn"]}, {"Rules": [mine]})
    assert look(rig)[0]["Actions"] == ["old"]


@pytest.mark.parametrize(
    "params",
    [
        {"RuleArn": rule(1)["RuleArn"]},
        {"ListenerArn": LISTENER},
        {"RulePriorities": [{"RuleArn": rule(1)["RuleArn"], "Priority": 4}]},
    ],
    ids=["ModifyRule", "CreateRule", "SetRulePriorities"],
)
def test_a_failed_write_makes_its_listener_unknown(rig: Any, params: dict[str, Any]) -> None:
    """The next look reads, whatever age it accepts."""
    Listener(rig, rule(1))
    look(rig)
    rig.facts.failed(rig.binding, params)
    look(rig, max_age=100)
    assert rig.aws.operations().count("DescribeRules") == 2


def test_changed_tags_are_read_again(rig: Any) -> None:
    """AddTags on a rule shows at the next look."""
    Listener(rig, rule(1))
    look(rig)
    rig.facts.wrote(rig.binding, "AddTags", {"ResourceArns": [rule(1)["RuleArn"]]}, {})
    look(rig, max_age=100)
    assert rig.aws.operations().count("DescribeTags") == 2


def test_load_balancers_are_found_by_name_and_by_arn(rig: Any) -> None:
    """Each costs one call in ten minutes."""
    rig.aws.table["DescribeLoadBalancers"] = lambda _p: {"LoadBalancers": [{"LoadBalancerArn": BALANCER}]}
    for _ in range(2):
        assert rig.facts.load_balancer(rig.context, "web")["LoadBalancerArn"] == BALANCER
        assert rig.facts.load_balancer(rig.context, BALANCER) is not None
        rig.clock.seconds += 500
    assert [params for _, params in rig.aws.calls] == [{"Names": ["web"]}, {"LoadBalancerArns": [BALANCER]}]


def test_a_missing_load_balancer_is_looked_for_again_soon(rig: Any) -> None:
    """Half a minute: a person may be creating it right now."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("LoadBalancerNotFound", "not-found")

    rig.aws.table["DescribeLoadBalancers"] = refuse
    for _ in range(3):
        assert rig.facts.load_balancer(rig.context, "web") is None
        rig.clock.seconds += 20
    assert len(rig.aws.calls) == 2


def test_listeners_of_a_missing_load_balancer_are_none(rig: Any) -> None:
    """Absence is an empty list."""

    def refuse(_params: object) -> dict[str, Any]:
        raise rig.fail("LoadBalancerNotFound", "not-found")

    rig.aws.table["DescribeListeners"] = refuse
    assert rig.facts.listeners(rig.context, BALANCER) == ()


def test_forgetting_a_listener_reads_its_load_balancer_again(rig: Any) -> None:
    """By the listener's ARN or the load balancer's name or ARN."""
    rig.aws.table["DescribeLoadBalancers"] = lambda _p: {"LoadBalancers": [{"LoadBalancerArn": BALANCER}]}
    rig.aws.table["DescribeListeners"] = lambda _p: {"Listeners": [{"ListenerArn": LISTENER}]}
    rig.facts.load_balancer(rig.context, "web")
    for subject in (LISTENER, BALANCER, "web"):
        rig.facts.listeners(rig.context, BALANCER)
        rig.facts.forget(rig.binding, subject)
    rig.facts.listeners(rig.context, BALANCER)
    assert rig.aws.operations().count("DescribeListeners") == 4
