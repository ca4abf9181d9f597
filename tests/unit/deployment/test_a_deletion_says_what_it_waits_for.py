"""Every step of a deletion as a whole: what is called, what is told, when it is looked at again."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.actions import Action
from sluice.model.observed import Observed
from sluice.plan.deployment.delete import Removal, learn, remove, retain
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.deployment.summary import Verdict
from unit.deployment.test_delete import (
    ANCHOR_RULE,
    DEFINITION,
    EVERYTHING,
    GROUP,
    SERVICE,
    STATE,
    remains,
    step,
)
from unit.deployment.wishes import ARN, BALANCER, LISTENER, NOW, OTHER, tagged

REASON = "the Deployment was deleted"


def verdict(reason: str, message: str) -> Verdict:
    """Return what is told; a deletion is never Ready."""
    return Verdict(ready=False, reason=reason, message=message)


def action(api: str, operation: str, subject: str, *already: str, **params: Any) -> Action:
    """Return one deletion; what is gone already is fine."""
    outputs = {"service:main:web-a1": "service"} if operation == "DeleteService" else {}
    return Action(
        service=api,
        operation=operation,
        params=params,
        subject=subject,
        reason=REASON,
        outputs=outputs,
        already=frozenset(already),
    )


DELETE_RULE = action("elbv2", "DeleteRule", "anchor rule anchor", "RuleNotFound", RuleArn="anchor")
DELETE_SERVICE = action(
    "ecs",
    "DeleteService",
    "ECS service web-a1 in cluster main",
    "ServiceNotFoundException",
    "ServiceNotActiveException",
    cluster="main",
    service="web-a1",
    force=True,
)
DELETE_GROUP = action(
    "elbv2", "DeleteTargetGroup", "target group web-a", "TargetGroupNotFound", TargetGroupArn=GROUP
)
DEREGISTER = action(
    "ecs",
    "DeregisterTaskDefinition",
    "task definition web:1",
    "InvalidParameterException",
    taskDefinition=DEFINITION,
)
USER = {"RuleArn": "r", "Priority": "1", "Tags": {}, "Actions": [{"TargetGroupArn": GROUP}]}
STRANGER = {"RuleArn": "s", "Priority": "2", "Tags": {}, "Actions": [{"TargetGroupArn": "else"}]}
BARE = {"RuleArn": "t", "Priority": "3", "Tags": {}}
HOLDING = ANCHOR_RULE | {"Actions": [{"TargetGroupArn": GROUP}]}
BOTH_GO = Removal(
    actions=(DELETE_RULE, DELETE_SERVICE),
    verdict=verdict("Deleting", "tasks of ECS service web-a1 stop"),
    wake_at=NOW + 2,
)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param(
            remains(service=SERVICE, group=tagged(), rules=(HOLDING, STRANGER, USER)),
            Removal(
                verdict=verdict(
                    "InUse",
                    "listener rule r still sends to this Deployment's target groups; delete the ServiceRoute "
                    "or its backendRef first",
                ),
                wake_at=NOW + 5,
            ),
            id="a rule sends to it",
        ),
        pytest.param(
            dataclasses.replace(EVERYTHING, listed=("ServiceRoute corp",)),
            Removal(
                verdict=verdict(
                    "InUse",
                    "ServiceRoute corp: entries of this Deployment's tasks are still in Cloud Map and leave "
                    "by themselves; where AWS denies that, take discovery out of the ServiceRoute",
                ),
                wake_at=NOW + 5,
            ),
            id="names answer with its tasks",
        ),
        pytest.param(EVERYTHING, BOTH_GO, id="anchor and service"),
        pytest.param(
            remains(service=SERVICE, group=tagged(), rules=(HOLDING, STRANGER, BARE)),
            BOTH_GO,
            id="rules of others that send elsewhere, or nowhere",
        ),
        pytest.param(
            remains(group=tagged(), rules=(HOLDING,)),
            Removal(
                actions=(DELETE_RULE,),
                verdict=verdict("Deleting", "tasks of ECS service none stop"),
                wake_at=NOW + 2,
            ),
            id="only an anchor",
        ),
        pytest.param(
            remains(service={**SERVICE, "status": "DRAINING", "tags": []}),
            Removal(verdict=verdict("Deleting", "tasks of ECS service web-a1 stop"), wake_at=NOW + 2),
            id="a service that drains, told without tags",
        ),
        pytest.param(
            remains(group=tagged(), definitions=(DEFINITION,)),
            Removal(
                actions=(DELETE_GROUP, DEREGISTER),
                verdict=verdict("Deleting", "target groups and task definitions go"),
                wake_at=NOW,
            ),
            id="groups and definitions",
        ),
        pytest.param(
            remains(rules=(USER,)),
            Removal(verdict=verdict("Deleting", "target groups and task definitions go"), finished=True),
            id="nothing of ours",
        ),
        pytest.param(
            remains(service={**SERVICE, "tags": ownership.to_ecs(tagged(OTHER))}, group=tagged(OTHER)),
            Removal(verdict=verdict("Deleting", "target groups and task definitions go"), finished=True),
            id="nothing but another's",
        ),
    ],
)
def test_each_step(left: Any, expected: Removal) -> None:
    """Called, told, looked at again and ended as it should be."""
    assert step(left) == expected


def test_retain_names_what_it_lets_go() -> None:
    """Service, definition, group and rule lose our tags and keep the rest; ten definitions a pass."""
    done = retain(EVERYTHING)
    own = sorted(tagged(role="x"))
    assert [(entry.operation, entry.subject) for entry in done.actions] == [
        ("UntagResource", "ECS service web-a1"),
        ("UntagResource", "task definition web:1"),
        ("RemoveTags", GROUP),
        ("RemoveTags", "anchor"),
    ]
    keys = [entry.params.get("tagKeys") or entry.params["TagKeys"] for entry in done.actions]
    assert keys == [own, sorted([*own, ownership.DEFINITION_HASH]), own, own]
    assert (done.finished, done.verdict.ready) == (False, False)
    many = remains(definitions=tuple(f"{ARN}:task-definition/web:{number}" for number in range(25)))
    assert len(retain(many).actions) == 10


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            {"Port": 8080, "LoadBalancerArns": [BALANCER]},
            TargetGroup(
                port="8080", container_port=8080, load_balancer_arn=BALANCER, name="web-a", arn=GROUP
            ),
            id="on a load balancer",
        ),
        pytest.param(
            {"Port": None, "LoadBalancerArns": None},
            TargetGroup(port="0", container_port=0, load_balancer_arn="", name="web-a", arn=GROUP),
            id="AWS tells neither port nor load balancer",
        ),
    ],
)
def test_a_group_found_without_a_status_is_remembered(members: dict[str, Any], expected: TargetGroup) -> None:
    """It was found through the service and has to be found again when that is gone; once."""
    seen = {"TargetGroupArn": GROUP, "Tags": tagged()} | members
    left = dataclasses.replace(remains(), observed=Observed(target_groups={"web-a": seen}, rules={}))
    state = learn(left, State())
    assert state.target_groups == (expected,)
    assert learn(left, state) == state


def test_what_comes_to_light_is_learnt_and_what_does_not_stays_as_it_was() -> None:
    """Each intent of its own."""
    other = dataclasses.replace(STATE.anchors[0], listener_arn=f"{LISTENER}b", rule_arn="")
    mine = dataclasses.replace(STATE.anchors[0], rule_arn="")
    known = dataclasses.replace(STATE.anchors[0], rule_arn="older")
    unseen = TargetGroup(name="elsewhere", arn="elsewhere-arn")
    state = dataclasses.replace(
        STATE, anchors=(mine, other, known), target_groups=(TargetGroup(name="web-a"), unseen)
    )
    after = learn(EVERYTHING, state)
    assert after.anchors == (STATE.anchors[0], other, known)
    assert after.target_groups == (TargetGroup(name="web-a", arn=GROUP), unseen)
    gone = learn(remains(), state)
    assert (gone.anchors, gone.target_groups, gone.slot) == (state.anchors, state.target_groups, state.slot)


def test_the_wait_for_an_open_call_ends_to_the_second() -> None:
    """30 seconds after the deletion was asked for: AWS's lists are true by then."""
    state = dataclasses.replace(STATE, target_groups=(TargetGroup(name="web-a"),))
    left = remains(rules=(USER,))
    waiting = remove(left, state, requested_at=NOW, now=NOW + 29.9)
    assert waiting == Removal(
        verdict=verdict("Deleting", "waiting whether target group web-a comes to light"), wake_at=NOW + 30
    )
    assert remove(left, state, requested_at=NOW, now=NOW + 30).finished
