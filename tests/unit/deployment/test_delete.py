"""Deletion: nobody's request is dropped, nothing of ours stays, nothing else is touched."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.observed import Observed, ServiceId
from sluice.plan.deployment.delete import Remains, Removal, learn, remove, retain
from sluice.plan.deployment.state import Anchor, Registering, Rollout, Slot, State, TargetGroup
from unit.deployment.wishes import ARN, BALANCER, ELB, INSTALLATION, KEY, LISTENER, NOW, OTHER, tagged

PLACE = ServiceId("main", "web-a1")
GROUP = f"{ELB}:targetgroup/web-a/1"
DEFINITION = f"{ARN}:task-definition/web:1"
SERVICE = {
    "serviceName": "web-a1",
    "serviceArn": f"{ARN}:service/main/web-a1",
    "status": "ACTIVE",
    "tags": ownership.to_ecs(tagged(role="slot-a")),
}
ANCHOR_RULE = {"RuleArn": "anchor", "Priority": "50000", "Tags": tagged(role="anchor"), "Actions": []}
STATE = State(
    observed_generation=1,
    slot=Slot(cluster="main", service_name="web-a1", service_arn=SERVICE["serviceArn"]),
    target_groups=(TargetGroup(name="web-a", arn=GROUP, load_balancer_arn=BALANCER),),
    anchors=(
        Anchor(
            listener_arn=LISTENER,
            load_balancer_arn=BALANCER,
            container_port=8080,
            priority=50_000,
            rule_arn="anchor",
        ),
    ),
)


def remains(
    *,
    service: dict[str, Any] | None = None,
    group: dict[str, str] | None = None,
    rules: tuple[dict[str, Any], ...] = (),
    definitions: tuple[str, ...] = (),
    defaults: dict[str, list[dict[str, Any]]] | None = None,
) -> Remains:
    """Return what is left; `group` is the target group's tags."""
    groups = {} if group is None else {"web-a": {"TargetGroupArn": GROUP, "Tags": group}}
    return Remains(
        key=KEY,
        installation=INSTALLATION,
        observed=Observed(services={PLACE: service}, target_groups=groups, rules={LISTENER: rules}),
        defaults=defaults or {},
        definitions=definitions,
    )


def step(left: Remains, state: State = STATE, *, now: float = NOW) -> Removal:
    """Plan the next step of a deletion that was asked for at NOW."""
    return remove(left, learn(left, state), requested_at=NOW, now=now)


def operations(removal: Removal) -> list[str]:
    """Return the operations in order."""
    return [action.operation for action in removal.actions]


EVERYTHING = remains(service=SERVICE, group=tagged(), rules=(ANCHOR_RULE,), definitions=(DEFINITION,))


def _forward(weight: int) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": GROUP, "Weight": weight}]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def test_entries_in_cloud_map_keep_the_tasks() -> None:
    """InUse, told with the route and the way out; once they left everything goes."""
    listed = dataclasses.replace(EVERYTHING, listed=("ServiceRoute corp: denied",))
    removal = step(listed)
    assert (operations(removal), removal.verdict.reason) == ([], "InUse")
    assert removal.verdict.message.startswith("ServiceRoute corp: denied: entries of this Deployment's tasks")
    assert "take discovery out of the ServiceRoute" in removal.verdict.message
    assert removal.wake_at is not None
    assert operations(step(EVERYTHING)) == ["DeleteRule", "DeleteService"]
    assert operations(retain(listed)), "Retain leaves tasks and entries, and waits for nothing"


def test_entries_without_any_task_hold_nothing_up() -> None:
    """The services are gone already: nobody answers at those addresses whatever is waited for."""
    left = dataclasses.replace(remains(group=tagged()), listed=("ServiceRoute corp",))
    assert operations(step(left, now=NOW + 60)) == ["DeleteTargetGroup"]


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(
            {"rules": (ANCHOR_RULE, {"RuleArn": "r", "Priority": "1", "Actions": _forward(100)})}, id="rule"
        ),
        pytest.param(
            {"rules": ({"RuleArn": "r", "Priority": "1", "Tags": tagged(OTHER), "Actions": _forward(0)},)},
            id="weight-zero",
        ),
        pytest.param(
            {"rules": ({"RuleArn": "r", "Priority": "1", "Actions": [{"TargetGroupArn": GROUP}]},)},
            id="single-group-form",
        ),
        pytest.param({"defaults": {LISTENER: _forward(1)}}, id="default-action"),
    ],
)
def test_a_rule_that_refers_to_a_group_holds_the_deletion(left: dict[str, Any]) -> None:
    """InUse, named, nothing called: whatever status says, AWS was asked."""
    told = step(remains(service=SERVICE, group=tagged(), **left))
    assert told.verdict.reason == "InUse"
    assert told.actions == ()
    assert not told.finished
    assert told.wake_at is not None


def test_the_order_of_a_deletion() -> None:
    """Anchor and service; wait while it drains; groups and definitions; then the object may go."""
    assert operations(step(EVERYTHING)) == ["DeleteRule", "DeleteService"]
    draining = remains(service={**SERVICE, "status": "DRAINING"}, group=tagged(), definitions=(DEFINITION,))
    waiting = step(draining)
    assert (operations(waiting), waiting.finished) == ([], False)
    assert "web-a1" in waiting.verdict.message
    assert operations(step(remains(group=tagged(), definitions=(DEFINITION,)))) == [
        "DeleteTargetGroup",
        "DeregisterTaskDefinition",
    ]
    assert step(remains()).finished


def test_foreign_things_of_our_names_are_left() -> None:
    """A service, group or rule with other tags is neither deleted nor waited for."""
    foreign = remains(
        service={**SERVICE, "tags": ownership.to_ecs(tagged(OTHER))},
        group={"team": "shop"},
        rules=({**ANCHOR_RULE, "Tags": tagged(OTHER, role="anchor")},),
    )
    done = step(foreign)
    assert done.actions == ()
    assert done.finished


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(
            dataclasses.replace(STATE, registering=Registering(definition_hash="h", family="web", since=NOW)),
            id="registering",
        ),
        pytest.param(
            dataclasses.replace(STATE, slot=Slot(cluster="main", service_name="web-a1")), id="service"
        ),
        pytest.param(dataclasses.replace(STATE, target_groups=(TargetGroup(name="web-a"),)), id="group"),
        pytest.param(
            dataclasses.replace(STATE, anchors=(dataclasses.replace(STATE.anchors[0], rule_arn=""),)),
            id="anchor",
        ),
        pytest.param(
            dataclasses.replace(STATE, rollout=Rollout(id="r", candidate="c", started_at=NOW)),
            id="created-a-moment-ago",
        ),
    ],
)
def test_an_open_intent_is_waited_for(state: State) -> None:
    """A call that may still come to light delays the end by 30 seconds, then the object goes."""
    early = step(remains(), state, now=NOW + 10)
    assert (early.finished, early.wake_at) == (False, NOW + 30)
    assert step(remains(), state, now=NOW + 30).finished


def test_what_came_to_light_is_not_waited_for() -> None:
    """An intent whose object is seen is closed: the deletion goes on at once."""
    open_state = dataclasses.replace(
        STATE,
        slot=Slot(cluster="main", service_name="web-a1"),
        registering=Registering(definition_hash="h", family="web", since=NOW),
        anchors=(dataclasses.replace(STATE.anchors[0], rule_arn=""),),
        target_groups=(TargetGroup(name="web-a"),),
    )
    state = learn(EVERYTHING, open_state)
    assert remove(remains(), state, requested_at=NOW, now=NOW).finished


def test_definitions_go_in_portions() -> None:
    """A long history is deregistered ten at a time: the bucket holds one a second."""
    left = remains(definitions=tuple(f"{ARN}:task-definition/web:{number}" for number in range(25)))
    assert len(step(left).actions) == 10


def test_retain_takes_the_tags_and_leaves_the_rest() -> None:
    """DeletionPolicy Retain: only sluice.dev tags go; once they are gone, so is the object."""
    actions = retain(EVERYTHING).actions
    assert {action.operation for action in actions} == {"UntagResource", "RemoveTags"}
    for action in actions:
        keys = action.params.get("tagKeys") or action.params["TagKeys"]
        assert keys
        assert all(key.startswith("sluice.dev/") for key in keys)
    assert retain(remains(service={**SERVICE, "tags": []}, group={})).finished
