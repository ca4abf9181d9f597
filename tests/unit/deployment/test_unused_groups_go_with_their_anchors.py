"""When the target group of a container port that is gone may go: only what nobody can be sent through."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Action
from sluice.model.binding import Priority
from sluice.model.desired import Desired, Hold
from sluice.model.observed import Observed
from sluice.plan.deployment.anchor import host
from sluice.plan.deployment.leftovers import Leftovers, balancers, candidates, collect
from sluice.plan.deployment.state import Rollout, Slot, State, TargetGroup
from unit.deployment.wishes import (
    BALANCER,
    LISTENER,
    NOW,
    OTHER,
    OTHER_BALANCER,
    OTHER_LISTENER,
    desired,
    tagged,
)

WISH = desired()
KEPT = TargetGroup(port="http", container_port=8080, load_balancer_arn=BALANCER, name="kept", arn="kept-arn")
SPENT = dataclasses.replace(KEPT, port="admin", container_port=9090, name="spent", arn="spent-arn")
STATE = State(slot=Slot(revision=WISH.revision.name), target_groups=(KEPT, SPENT))
SERVICE: dict[str, Any] = {"loadBalancers": [{"targetGroupArn": "kept-arn"}]}


def rule(arn: str, name: str, *groups: str, tags: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a rule for a host that forwards to groups; without other tags it is an anchor of ours."""
    forward = {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1} for group in groups]}
    return {
        "RuleArn": arn,
        "Tags": tagged(role="anchor") if tags is None else tags,
        "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": [name]}}],
        "Actions": [{"Type": "forward", "ForwardConfig": forward}],
    }


KEPT_ANCHOR = rule("kept-anchor", host(WISH, KEPT), "kept-arn")
SPENT_ANCHOR = rule("spent-anchor", host(WISH, SPENT), "spent-arn")
DEFAULT = {"RuleArn": "default", "Tags": {}, "Priority": "default"}
ANCHORS = (KEPT_ANCHOR, SPENT_ANCHOR, DEFAULT)


def seen(*rules: dict[str, Any], **changes: Any) -> Observed:
    """Return what is seen when every listener of the load balancer was read."""
    base = Observed(
        target_groups={"spent": {"TargetGroupArn": "spent-arn", "LoadBalancerArns": [BALANCER]}},
        listeners={BALANCER: (LISTENER,)},
        rules={LISTENER: rules or ANCHORS},
    )
    return dataclasses.replace(base, **changes)


def deletes(rules: tuple[str, ...], groups: tuple[str, ...]) -> Leftovers:
    """Return what ends these groups, with the lowest priority: rules first."""
    calls = [("DeleteRule", "RuleArn", arn, f"anchor rule {arn}", "RuleNotFound") for arn in rules]
    calls += [
        ("DeleteTargetGroup", "TargetGroupArn", f"{name}-arn", f"target group {name}", "TargetGroupNotFound")
        for name in groups
    ]
    return Leftovers(
        names=frozenset(groups),
        actions=tuple(
            Action(
                service="elbv2",
                operation=operation,
                params={member: arn},
                subject=subject,
                reason="its container port is gone and nothing forwards there",
                priority=Priority.GARBAGE,
                already=frozenset({gone}),
            )
            for operation, member, arn, subject, gone in calls
        ),
    )


NOTHING = Leftovers()
GONE = deletes(("spent-anchor",), ("spent",))
GRPC = dataclasses.replace(SPENT, name="grpc", arn="grpc-arn")
BOTH = dataclasses.replace(STATE, target_groups=(KEPT, SPENT, GRPC))
SHARED = rule("shared", host(WISH, SPENT), "spent-arn", "grpc-arn")
SEEN_BOTH = seen(SHARED).target_groups | {
    "grpc": {"TargetGroupArn": "grpc-arn", "LoadBalancerArns": [BALANCER]}
}
EVERYWHERE = {BALANCER: (LISTENER,), OTHER_BALANCER: (OTHER_LISTENER,)}


@pytest.mark.parametrize(
    ("now", "service", "state", "expected"),
    [
        pytest.param(seen(), SERVICE, STATE, GONE, id="nothing refers to it"),
        pytest.param(seen(), {}, STATE, GONE, id="the service has no group at all"),
        pytest.param(seen(), None, STATE, NOTHING, id="no service to be replaced in"),
        pytest.param(
            seen(), {"loadBalancers": [{"targetGroupArn": "spent-arn"}]}, STATE, NOTHING, id="still attached"
        ),
        pytest.param(seen(target_groups={"spent": None}), SERVICE, STATE, NOTHING, id="it is gone"),
        pytest.param(
            seen(target_groups={"spent": {"TargetGroupArn": "spent-arn"}}),
            SERVICE,
            STATE,
            GONE,
            id="no load balancer uses it any more",
        ),
        pytest.param(seen(listeners={}), SERVICE, STATE, NOTHING, id="listeners were not looked for"),
        pytest.param(
            seen(listeners={}, target_groups={"spent": {"TargetGroupArn": "spent-arn"}}),
            SERVICE,
            dataclasses.replace(STATE, target_groups=(dataclasses.replace(SPENT, load_balancer_arn=""),)),
            NOTHING,
            id="nor in a pass that collects nothing",
        ),
        pytest.param(
            seen(
                target_groups={
                    "spent": {"TargetGroupArn": "spent-arn", "LoadBalancerArns": [BALANCER, OTHER_BALANCER]}
                }
            ),
            SERVICE,
            STATE,
            NOTHING,
            id="another load balancer uses it that was not looked at",
        ),
        pytest.param(
            seen(listeners={BALANCER: (LISTENER, "new")}), SERVICE, STATE, NOTHING, id="not all read"
        ),
        pytest.param(seen(listeners=EVERYWHERE), SERVICE, STATE, GONE, id="more was read than is needed"),
        pytest.param(
            seen(listeners={BALANCER: (LISTENER, "b")}, rules={LISTENER: ANCHORS, "b": (DEFAULT,)}),
            SERVICE,
            STATE,
            GONE,
            id="two listeners, both read",
        ),
        pytest.param(
            seen(*ANCHORS, rule("route", "www", "spent-arn", tags={})), SERVICE, STATE, NOTHING, id="a rule"
        ),
        pytest.param(
            seen(*ANCHORS, rule("route", "www", "else-arn", tags={})), SERVICE, STATE, GONE, id="other rules"
        ),
        pytest.param(
            seen(*ANCHORS, rule("theirs", host(WISH, SPENT), "spent-arn", tags=tagged(OTHER, role="anchor"))),
            SERVICE,
            STATE,
            NOTHING,
            id="another's rule for the same host",
        ),
        pytest.param(
            seen(*ANCHORS, rule("mine", host(WISH, KEPT), "spent-arn")),
            SERVICE,
            STATE,
            NOTHING,
            id="another anchor",
        ),
        pytest.param(
            seen(SHARED, target_groups=SEEN_BOTH),
            SERVICE,
            BOTH,
            deletes(("shared",), ("spent", "grpc")),
            id="two protocol versions leave together with their one anchor",
        ),
        pytest.param(
            seen(SHARED, rule("route", "www", "grpc-arn", tags={}), target_groups=SEEN_BOTH),
            SERVICE,
            BOTH,
            NOTHING,
            id="or neither, when one is in use",
        ),
        pytest.param(
            seen(SHARED, target_groups=SEEN_BOTH),
            SERVICE,
            dataclasses.replace(BOTH, target_groups=(SPENT, dataclasses.replace(GRPC, slot="b"))),
            NOTHING,
            id="the other slot's group hangs on the same anchor",
        ),
    ],
)
def test_what_is_collected(now: Observed, service: Any, state: State, expected: Leftovers) -> None:
    """Whatever refers to a group, or might, keeps it; its anchor goes before it."""
    assert collect(WISH, state, now, service) == expected


@pytest.mark.parametrize(
    ("wish", "state", "expected"),
    [
        pytest.param(WISH, STATE, (SPENT,), id="at rest"),
        pytest.param(WISH, State(target_groups=(SPENT,)), (), id="no slot"),
        pytest.param(
            WISH,
            dataclasses.replace(STATE, rollout=Rollout(id="r", candidate="c", started_at=NOW)),
            (),
            id="a rollout",
        ),
        pytest.param(
            WISH, dataclasses.replace(STATE, retiring=(Slot(ordinal=2),)), (), id="a replaced service"
        ),
        pytest.param(desired(hold=Hold(reason="RolledBack", message="")), STATE, (), id="a hold"),
        pytest.param(desired(paused=True), STATE, (), id="a pause"),
        pytest.param(
            WISH, dataclasses.replace(STATE, slot=Slot(revision="web-0")), (), id="another revision runs"
        ),
        pytest.param(
            WISH,
            dataclasses.replace(STATE, target_groups=(dataclasses.replace(SPENT, slot="b"),)),
            (),
            id="the other slot's",
        ),
        pytest.param(
            WISH,
            dataclasses.replace(STATE, target_groups=(dataclasses.replace(SPENT, arn=""),)),
            (),
            id="not made yet",
        ),
    ],
)
def test_only_at_rest_a_group_is_looked_at(
    wish: Desired, state: State, expected: tuple[TargetGroup, ...]
) -> None:
    """What is in motion may need it again."""
    assert candidates(wish, state) == expected


@pytest.mark.parametrize(
    ("group", "found", "expected"),
    [
        pytest.param(SPENT, None, {BALANCER}, id="as status says"),
        pytest.param(SPENT, {"LoadBalancerArns": None}, {BALANCER}, id="none uses it"),
        pytest.param(SPENT, {"LoadBalancerArns": [OTHER_BALANCER]}, {BALANCER, OTHER_BALANCER}, id="and AWS"),
        pytest.param(dataclasses.replace(SPENT, load_balancer_arn=""), {}, set(), id="nowhere"),
    ],
)
def test_where_rules_may_refer_to_a_group(group: TargetGroup, found: Any, expected: set[str]) -> None:
    """The load balancer that it was made for, and each that AWS names."""
    assert balancers(group, found) == expected
