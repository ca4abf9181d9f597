"""Where an anchor hangs, when it is made, and what of it is repaired."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.actions import Action
from sluice.model.desired import Backend, Desired
from sluice.model.observed import Observed
from sluice.plan.deployment.anchor import Anchors, anchors, host, listener_for
from sluice.plan.deployment.state import Anchor, State, TargetGroup
from sluice.plan.deployment.targets import Targets
from unit.deployment.wishes import (
    BACKEND,
    BALANCER,
    LISTENER,
    OTHER,
    OTHER_BALANCER,
    OTHER_LISTENER,
    desired,
    tagged,
)

GROUP = TargetGroup(port="http", container_port=8080, load_balancer_arn=BALANCER, name="web", arn="web-arn")
ADMIN = dataclasses.replace(GROUP, port="admin", container_port=9090, name="admin", arn="admin-arn")
WISH = desired(backends=(BACKEND,))
SECOND = f"{LISTENER}b"
ANCHOR = Anchor(
    listener_arn=LISTENER,
    load_balancer_arn=BALANCER,
    container_port=8080,
    priority=49_000,
    rule_arn="web-rule",
)
ADMIN_ANCHOR = dataclasses.replace(ANCHOR, container_port=9090, priority=48_000, rule_arn="admin-rule")
HOST, ADMIN_HOST = host(WISH, GROUP), host(WISH, ADMIN)


def conditions(name: str) -> list[dict[str, Any]]:
    """Return the condition of an anchor."""
    return [{"Field": "host-header", "HostHeaderConfig": {"Values": [name]}}]


def forward(*arns: str) -> list[dict[str, Any]]:
    """Return an anchor's action: every group with the same weight."""
    return [
        {
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in arns]},
        }
    ]


def rule(anchor: Anchor, name: str, *arns: str, **changes: Any) -> dict[str, Any]:
    """Return an anchor's rule as AWS shows it."""
    return {
        "RuleArn": anchor.rule_arn,
        "Priority": str(anchor.priority),
        "Tags": tagged(role="anchor"),
        "Conditions": conditions(name),
        "Actions": forward(*arns),
    } | changes


RULE, ADMIN_RULE = rule(ANCHOR, HOST, "web-arn"), rule(ADMIN_ANCHOR, ADMIN_HOST, "admin-arn")


def on(listener: str, balancer: str = BALANCER, priorities: tuple[int, int] = (1, 50_000)) -> Backend:
    """Return what a route asks for on a listener."""
    return dataclasses.replace(
        BACKEND, listener_arn=listener, load_balancer_arn=balancer, priorities=priorities
    )


@pytest.mark.parametrize(
    ("backends", "known", "rules", "lost", "expected"),
    [
        pytest.param(
            (on(SECOND), BACKEND), (), {}, (), LISTENER, id="a new one: the first that a route uses"
        ),
        pytest.param((on(SECOND),), (ANCHOR,), {}, (), LISTENER, id="where it is, whatever routes do"),
        pytest.param((), (ANCHOR,), {}, (), LISTENER, id="also without any route"),
        pytest.param((on(SECOND),), (ADMIN_ANCHOR,), {}, (), SECOND, id="another port's is not its"),
        pytest.param(
            (on(SECOND),),
            (dataclasses.replace(ANCHOR, load_balancer_arn=OTHER_BALANCER),),
            {},
            (),
            SECOND,
            id="another load balancer's is not its",
        ),
        pytest.param((BACKEND, on(SECOND)), (ANCHOR,), {}, (LISTENER,), SECOND, id="its listener is gone"),
        pytest.param((BACKEND,), (ANCHOR,), {}, (LISTENER,), "", id="and there is no other"),
        pytest.param((BACKEND,), (), {LISTENER: (), SECOND: (RULE,)}, (), SECOND, id="found by its rule"),
        pytest.param(
            (BACKEND,),
            (),
            {SECOND: (RULE | {"Tags": tagged(OTHER, role="anchor")},)},
            (),
            LISTENER,
            id="another's rule for that host is not its",
        ),
        pytest.param(
            (on(OTHER_LISTENER, OTHER_BALANCER),), (), {}, (), "", id="routes use another load balancer"
        ),
    ],
)
def test_which_listener_has_the_anchor(
    backends: tuple[Backend, ...], known: Any, rules: Any, lost: tuple[str, ...], expected: str
) -> None:
    """One place for as long as its listener is there: two anchors of a port would both hold its group."""
    seen = Observed(rules=rules, lost_listeners=frozenset(lost))
    assert listener_for(desired(backends=backends), State(anchors=known), seen, GROUP) == expected


def plan(
    wish: Desired,
    rules: Any,
    *known: Anchor,
    groups: tuple[TargetGroup, ...] = (GROUP,),
    lost: tuple[str, ...] = (),
) -> Anchors:
    """Plan the anchors of these groups."""
    targets = Targets(groups=groups, arns={group.name: group.arn for group in groups}, actions=())
    seen = Observed(rules=rules, lost_listeners=frozenset(lost))
    return anchors(wish, State(anchors=known), seen, targets)


def modified(arn: str, reason: str, **params: Any) -> Action:
    """Return the repair of an anchor's rule."""
    return Action(
        service="elbv2",
        operation="ModifyRule",
        params={"RuleArn": arn, **params},
        subject=f"anchor rule {arn}",
        reason=reason,
        outputs={f"rule:{arn}": "Rules[0]"},
    )


FIXED = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]
SINGLE = [{"Type": "forward", "TargetGroupArn": "web-arn"}]
EXTRA = [*conditions(HOST), {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}]


@pytest.mark.parametrize(
    ("found", "repair"),
    [
        pytest.param(RULE, (), id="as it should be"),
        pytest.param(RULE | {"Priority": "7"}, (), id="another number: no request meets it"),
        pytest.param(RULE | {"Actions": SINGLE}, (), id="AWS's short form of the same"),
        pytest.param(
            RULE | {"Actions": [*SINGLE, *forward("web-arn")]}, (), id="and where an answer has both forms"
        ),
        pytest.param(
            RULE | {"Conditions": [{"Field": "host-header", "Values": [HOST]}]},
            (),
            id="the older form of a host",
        ),
        pytest.param(
            RULE | {"Actions": forward("web-arn", "old-arn")},
            (modified("web-rule", "target groups changed", Actions=forward("web-arn")),),
            id="a group too many",
        ),
        pytest.param(
            RULE | {"Actions": FIXED},
            (modified("web-rule", "target groups changed", Actions=forward("web-arn")),),
            id="it forwards nowhere",
        ),
        pytest.param(
            RULE | {"Conditions": EXTRA},
            (modified("web-rule", "conditions changed", Conditions=conditions(HOST)),),
            id="a condition too many",
        ),
        pytest.param(
            RULE | {"Conditions": conditions("www.example.com")},
            (modified("web-rule", "conditions changed", Conditions=conditions(HOST)),),
            id="a host that requests can have",
        ),
        pytest.param(
            RULE | {"Conditions": [{"Field": "path-pattern", "Values": [HOST]}], "Actions": FIXED},
            (
                modified(
                    "web-rule",
                    "target groups changed, conditions changed",
                    Actions=forward("web-arn"),
                    Conditions=conditions(HOST),
                ),
            ),
            id="both",
        ),
    ],
)
def test_what_of_an_anchor_is_repaired(found: dict[str, Any], repair: tuple[Action, ...]) -> None:
    """Exactly what differs is written, and told with the port."""
    done = plan(WISH, {LISTENER: (found,)}, ANCHOR)
    assert done.anchors == (dataclasses.replace(ANCHOR, priority=int(found["Priority"])),)
    assert done.actions == repair
    texts = repair[0].reason.split(", ") if repair else []
    assert done.repaired == tuple(f"anchor rule of port 8080: {text}" for text in texts)


def test_each_port_has_its_own_rule_whatever_order_aws_tells_them_in() -> None:
    """By ARN, also after somebody gave both rules other hosts."""
    hand = tuple(found | {"Conditions": conditions("x")} for found in (ADMIN_RULE, RULE))
    for rules in (hand, hand[::-1]):
        done = plan(WISH, {LISTENER: rules}, ADMIN_ANCHOR, ANCHOR, groups=(ADMIN, GROUP))
        assert done.anchors == (ANCHOR, ADMIN_ANCHOR)
        assert done.actions == (
            modified("web-rule", "conditions changed", Conditions=conditions(HOST)),
            modified("admin-rule", "conditions changed", Conditions=conditions(ADMIN_HOST)),
        )


def test_groups_of_one_port_share_an_anchor() -> None:
    """Both slots' groups, or those of two protocol versions, with the same weight."""
    other = dataclasses.replace(GROUP, slot="b", name="web-b", arn="b-arn")
    done = plan(WISH, {LISTENER: (RULE,)}, ANCHOR, groups=(GROUP, other))
    assert done.anchors == (ANCHOR,)
    assert done.actions == (
        modified("web-rule", "target groups changed", Actions=forward("web-arn", "b-arn")),
    )


def test_a_new_anchor_is_intended_before_it_is_made() -> None:
    """Its number is in status without an ARN; the call is repeatable and its answer is found again."""
    intent = dataclasses.replace(ANCHOR, rule_arn="")
    done = plan(WISH, {LISTENER: ()}, intent)
    assert done.anchors == (intent,)
    assert done.repaired == ()
    assert done.actions == (
        Action(
            service="elbv2",
            operation="CreateRule",
            params={
                "ListenerArn": LISTENER,
                "Priority": 49_000,
                "Conditions": conditions(HOST),
                "Actions": forward("web-arn"),
                "Tags": [
                    {"Key": key, "Value": value} for key, value in sorted(tagged(role="anchor").items())
                ],
            },
            subject=f"anchor rule 49000 of {LISTENER}",
            reason="associates the target groups with the load balancer",
            outputs={f"anchor:{LISTENER}:8080": "Rules[0]"},
        ),
    )
    again = plan(WISH, {LISTENER: ()}, ANCHOR)
    assert (again.anchors, again.actions) == ((intent,), done.actions)
    assert again.repaired == ("anchor rule of port 8080: was deleted",)


def test_a_listener_that_was_not_read_is_left_alone() -> None:
    """What is known stays known, and nothing is made blindly."""
    assert plan(WISH, {}, ANCHOR) == Anchors(anchors=(ANCHOR,), actions=())
    assert plan(WISH, {}) == Anchors(anchors=(), actions=())


OLD = dataclasses.replace(ANCHOR, listener_arn=SECOND, rule_arn="old-rule")


@pytest.mark.parametrize(
    ("known", "lost", "kept"),
    [
        pytest.param(OLD, (), (OLD,), id="its rule may be there"),
        pytest.param(OLD, (SECOND,), (), id="it went with its listener"),
        pytest.param(ADMIN_ANCHOR, (), (), id="its port is gone"),
        pytest.param(
            dataclasses.replace(OLD, load_balancer_arn=OTHER_BALANCER), (), (), id="no group is there"
        ),
    ],
)
def test_a_second_anchor_of_a_place_is_not_forgotten(
    known: Anchor, lost: tuple[str, ...], kept: tuple[Anchor, ...]
) -> None:
    """A deletion has to find every rule that was made."""
    done = plan(WISH, {LISTENER: (RULE,)}, ANCHOR, known, lost=lost)
    assert done == Anchors(anchors=(ANCHOR, *kept), actions=())
