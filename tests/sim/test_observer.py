"""The observer of the random schedules catches what it is there for."""

from __future__ import annotations

from typing import Any

import pytest

from sim import console
from sim.observer import Forbidden, Observer
from sim.operator_process import CALLER
from sim.stories import BY_NAME, tell
from sim.universe import Universe
from sluice.model import ownership


def watched(*, leads: bool = True, installation: str = "sim") -> tuple[Universe, Observer]:
    """Return a converged universe with bystanders, and an observer of it."""
    universe = Universe(seed=7)
    console.add_bystanders(universe)
    tell(BY_NAME["create"], universe=universe)
    return universe, Observer(universe.world, installation=installation, leads=lambda: leads)


def send(observer: Observer, service: str, operation: str, /, **params: Any) -> None:
    """Send a call as the operator would."""
    observer.call(service, operation, params, caller=CALLER)


def test_own_writes_pass() -> None:
    """A write on our own service and rule is let through, and a read is never judged."""
    universe, observer = watched()
    name = console.service(universe)["serviceName"]
    send(observer, "ecs", "UpdateService", cluster="sandbox", service=name, desiredCount=3)
    send(observer, "elbv2", "DeleteRule", RuleArn=console.own_rule(universe, "rule")["RuleArn"])
    send(observer, "ecs", "DescribeServices", cluster="sandbox", services=["theirs"])
    assert observer.writes == 2


@pytest.mark.parametrize(
    ("leads", "installation", "name"),
    [
        pytest.param(True, "sim", "theirs", id="foreign service"),
        pytest.param(True, "other", "ours", id="another installation's service"),
        pytest.param(False, "sim", "ours", id="the Lease is lost"),
    ],
)
def test_forbidden_on_services(leads: bool, installation: str, name: str) -> None:  # noqa: FBT001 - a table
    """A foreign service, one of another installation, and any write without the Lease."""
    universe, observer = watched(leads=leads, installation=installation)
    found = console.service(universe)["serviceName"] if name == "ours" else name
    with pytest.raises(Forbidden):
        send(observer, "ecs", "UpdateService", cluster="sandbox", service=found, desiredCount=3)


def test_forbidden_on_rules_and_groups() -> None:
    """Foreign rules and target groups are not to be changed, tagged or deleted."""
    universe, observer = watched()
    rule = next(rule["RuleArn"] for rule in universe.rules() if rule["Priority"] == "40000")
    group = next(g["TargetGroupArn"] for g in universe.target_groups() if g["TargetGroupName"] == "theirs")
    for operation, params in (
        ("SetRulePriorities", {"RulePriorities": [{"RuleArn": rule, "Priority": 1}]}),
        ("DeleteRule", {"RuleArn": rule}),
        ("DeleteTargetGroup", {"TargetGroupArn": group}),
        ("AddTags", {"ResourceArns": [group], "Tags": [{"Key": "k", "Value": "v"}]}),
    ):
        with pytest.raises(Forbidden):
            send(observer, "elbv2", operation, **params)


@pytest.mark.parametrize("weights", [(0, 100), (50, 60)], ids=["a weight 0", "a wrong sum"])
def test_forbidden_weights(weights: tuple[int, int]) -> None:
    """A share of 0 is left out, and shares sum to 100 or 1000."""
    universe, observer = watched()
    groups = [group["TargetGroupArn"] for group in universe.target_groups()]
    forward = [{"TargetGroupArn": arn, "Weight": w} for arn, w in zip(groups, weights, strict=True)]
    arn = console.own_rule(universe, "rule")["RuleArn"]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": forward}}]
    with pytest.raises(Forbidden):
        send(observer, "elbv2", "ModifyRule", RuleArn=arn, Actions=actions)


def test_forbidden_without_an_owner() -> None:
    """Whatever is made carries its owner's tags from the first moment."""
    _, observer = watched()
    with pytest.raises(Forbidden):
        send(observer, "elbv2", "CreateTargetGroup", Name="x", Tags=ownership.to_elb({"k": "v"}))
