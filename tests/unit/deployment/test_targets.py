"""Target groups and anchors: which are made, kept, repaired, made again, and where they hang."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sim.universe import ROUTE, WEB, Universe, deployment, route
from sluice.model.actions import Ref
from sluice.model.desired import Backend, Desired, Port
from sluice.model.errors import Refused
from sluice.model.observed import Observed
from sluice.plan.deployment.anchor import anchors
from sluice.plan.deployment.state import Anchor, State, TargetGroup
from sluice.plan.deployment.targets import attached, port_of, target_groups
from unit.deployment.slot_group import ARN, KNOWN, NAME, SEEN, WISH
from unit.deployment.wishes import (
    BACKEND,
    BALANCER,
    HTTP,
    LISTENER,
    OTHER,
    OTHER_BALANCER,
    OTHER_LISTENER,
    desired,
    tagged,
)

ADMIN = Port(name="admin", container_name="app", container_port=9090)
ANCHORED = Anchor(
    listener_arn=LISTENER, load_balancer_arn=BALANCER, container_port=8080, priority=50_000, rule_arn="rule"
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("http", 8080, id="name"),
        pytest.param("9090", 9090, id="number"),
        pytest.param("", None, id="ambiguous"),
        pytest.param("nope", None, id="unknown"),
    ],
)
def test_a_backend_port_is_a_name_or_a_number(asked: str, expected: int | None) -> None:
    """BackendRef's port means a container port by name or number; none only where there is but one."""
    found = port_of(dataclasses.replace(BACKEND, port=asked), (HTTP, ADMIN))
    assert (found.container_port if found else None) == expected
    assert port_of(dataclasses.replace(BACKEND, port=""), (HTTP,)) == HTTP


def plan_groups(wish: Desired = WISH, *, known: tuple[TargetGroup, ...] = (), **seen: Any) -> Any:
    """Plan target groups; `seen` is Observed's."""
    return target_groups(wish, State(target_groups=known), Observed(**seen), slot="a")


def operations(found: Any) -> list[str]:
    """Return the operations in order."""
    return [action.operation for action in found.actions]


def test_a_new_group_is_owned_and_checks_health_as_the_probe_says() -> None:
    """CreateTargetGroup carries our tags, the health check, the VPC and targets by address."""
    found = plan_groups()
    assert operations(found) == ["CreateTargetGroup", "ModifyTargetGroupAttributes"]
    params = found.actions[0].params
    assert params["TargetType"] == "ip"
    assert params["VpcId"] == "vpc-1"
    assert params["HealthCheckPath"] == "/healthz"
    assert {tag["Key"]: tag["Value"] for tag in params["Tags"]} == tagged(role="target-group")
    assert attached(WISH, found, slot="a")[0]["targetGroupArn"] == Ref(f"target-group-arn:{NAME}")


def test_a_known_group_costs_nothing() -> None:
    """Known by ARN and not looked at: used as it is."""
    found = plan_groups(known=(KNOWN,))
    assert (operations(found), attached(WISH, found, slot="a")[0]["targetGroupArn"]) == ([], ARN)


def test_an_open_intent_finds_its_group() -> None:
    """The group of an unanswered call is adopted by its name and tags."""
    found = plan_groups(known=(dataclasses.replace(KNOWN, arn=""),), target_groups={NAME: SEEN})
    assert operations(found) == []
    assert found.groups[0].arn == ARN


@pytest.mark.parametrize(
    ("edit", "operation", "sent"),
    [
        pytest.param(
            {"HealthCheckPath": "/x"}, "ModifyTargetGroup", {"HealthCheckPath": "/healthz"}, id="path"
        ),
        pytest.param(
            {"Attributes": {"deregistration_delay.timeout_seconds": "300"}},
            "ModifyTargetGroupAttributes",
            {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]},
            id="attribute",
        ),
    ],
)
def test_hand_edits_are_repaired(edit: dict[str, Any], operation: str, sent: dict[str, Any]) -> None:
    """What the spec states is put back; what it leaves open stays a person's."""
    found = plan_groups(known=(KNOWN,), target_groups={NAME: {**SEEN, **edit, "HealthyThresholdCount": 9}})
    assert operations(found) == [operation]
    assert sent.items() <= found.actions[0].params.items()
    assert found.repaired


@pytest.mark.parametrize("tags", [{}, tagged(OTHER)], ids=["foreign", "other-object"])
def test_a_foreign_group_of_our_name_is_refused(tags: dict[str, str]) -> None:
    """OwnershipConflict, and nothing is written."""
    with pytest.raises(Refused) as refused:
        plan_groups(known=(KNOWN,), target_groups={NAME: {**SEEN, "Tags": tags}})
    assert refused.value.reason == "OwnershipConflict"


def test_a_group_deleted_by_hand_is_made_again_while_a_route_needs_it() -> None:
    """Gone and needed: created; gone and not needed: forgotten."""
    assert operations(plan_groups(known=(KNOWN,), target_groups={NAME: None}))[0] == "CreateTargetGroup"
    alone = plan_groups(desired(), known=(KNOWN,), target_groups={NAME: None})
    assert (operations(alone), alone.groups) == ([], ())


def test_groups_outlive_their_routes() -> None:
    """No route any more: the group stays and stays attached to the service."""
    alone = desired()
    found = plan_groups(alone, known=(KNOWN,), target_groups={NAME: SEEN})
    assert [group.name for group in found.groups] == [NAME]
    assert attached(alone, found, slot="a")[0]["targetGroupArn"] == ARN


LEFT = {NAME: {**SEEN, "LoadBalancerArns": []}}
ELSEWHERE = dataclasses.replace(BACKEND, load_balancer_arn=OTHER_BALANCER, listener_arn=OTHER_LISTENER)


@pytest.mark.parametrize(
    ("backends", "there", "hung", "seen", "expected"),
    [
        pytest.param((ELSEWHERE,), [ARN], (), LEFT, ["new"], id="another comes: it goes"),
        pytest.param((ELSEWHERE,), [ARN], (ANCHORED,), LEFT, [ARN, "new"], id="its anchor comes back"),
        pytest.param((ELSEWHERE, BACKEND), [ARN], (), LEFT, [ARN, "new"], id="a route asks for it"),
        pytest.param((), [ARN], (), LEFT, [ARN], id="nothing is changed to be rid of it"),
        pytest.param((), [], (), LEFT, [], id="a new service, or it was detached: never again"),
        pytest.param((), [], (), {NAME: SEEN}, [ARN], id="AWS did not tell of load balancers"),
        pytest.param((), [], (), {}, [ARN], id="not looked at"),
    ],
)
def test_a_group_that_nothing_can_use_again_holds_no_other(
    backends: tuple[Backend, ...],
    there: list[str],
    hung: tuple[Anchor, ...],
    seen: dict[str, Any],
    expected: list[str],
) -> None:
    """Its load balancer was deleted: ECS takes no list with it."""
    wish = desired(backends=backends)
    found = plan_groups(wish, known=(KNOWN,), target_groups=seen)
    service = {"loadBalancers": [{"targetGroupArn": arn} for arn in there]}
    listed = attached(wish, found, slot="a", anchors=hung, service=service)
    assert sorted("new" if isinstance(e["targetGroupArn"], Ref) else ARN for e in listed) == sorted(expected)


def test_what_nothing_can_use_stays_known_of_both_slots() -> None:
    """Merging, narrowing and adding others keep who it is."""
    found = plan_groups(desired(), known=(KNOWN,), target_groups=LEFT)
    assert found.loose == {NAME}
    assert found.with_others((), slot="a").loose == {NAME}
    assert found.without(frozenset({"x"})).loose == {NAME}
    other = plan_groups()
    assert (other.and_of(found).loose, found.and_of(other).loose) == ({NAME}, {NAME})


def test_a_port_that_is_gone_is_detached() -> None:
    """ECS refuses a container port that the task definition lacks: its group is kept and not attached."""
    other = desired(ports=(ADMIN,))
    found = plan_groups(other, known=(KNOWN,))
    assert attached(other, found, slot="a") == []
    assert [group.name for group in found.groups] == [NAME]


def test_another_protocol_version_is_another_group() -> None:
    """ELB can't change it, so the name differs and the old group stays beside the new one."""
    grpc = dataclasses.replace(HTTP, protocol_version="GRPC")
    found = plan_groups(desired(ports=(grpc,), backends=(BACKEND,)), known=(KNOWN,))
    assert len({group.name for group in found.groups}) == 2


def test_more_groups_than_a_service_takes_is_refused_with_the_arithmetic() -> None:
    """ECS takes five target groups on a service."""
    many = tuple(
        dataclasses.replace(BACKEND, load_balancer_arn=f"{BALANCER}{n}", listener_arn=f"{LISTENER}{n}")
        for n in range(6)
    )
    with pytest.raises(Refused, match="6 target groups would be needed"):
        plan_groups(desired(backends=many))


# Anchors.


def plan_anchors(
    *, rules: Any, known: tuple[Anchor, ...] = (), wish: Desired = WISH, lost: frozenset[str] = frozenset()
) -> Any:
    """Plan the anchors of a group that exists."""
    state = State(target_groups=(KNOWN,), anchors=known)
    seen = Observed(rules=rules, lost_listeners=lost)
    return anchors(wish, state, seen, target_groups(wish, state, seen, slot="a"))


def rule(priority: int, *, tags: dict[str, str] | None = None, arn: str = "foreign") -> dict[str, Any]:
    """Return a rule that forwards to the group."""
    return {
        "RuleArn": arn,
        "Priority": str(priority),
        "Tags": tags or {},
        "Conditions": [],
        "Actions": [{"Type": "forward", "TargetGroupArn": ARN}],
    }


def priority_of(taken: tuple[int, ...], priorities: tuple[int, int] = (1, 50_000), name: str = "") -> int:
    """Return the priority of a new anchor beside rules that have the numbers `taken`."""
    key = dataclasses.replace(desired().key, name=name or desired().key.name)
    wish = desired(key=key, backends=(dataclasses.replace(BACKEND, priorities=priorities),))
    found = plan_anchors(wish=wish, rules={LISTENER: tuple(rule(number) for number in taken)})
    (action,) = found.actions
    (condition,) = action.params["Conditions"]
    assert condition["HostHeaderConfig"]["Values"][0].endswith(".anchor.sluice.invalid")
    assert (action.operation, action.params["Priority"]) == ("CreateRule", found.anchors[0].priority)
    return found.anchors[0].priority


def test_priorities_come_from_the_top_eighth() -> None:
    """Production rules have the rest of the range to themselves."""
    assert 43_750 < priority_of(()) <= 50_000
    assert 188 <= priority_of((), (100, 200)) <= 200


def test_anchors_that_are_made_at_once_begin_at_places_of_their_own() -> None:
    """Deployments that look at the same listener at the same time do not all ask for one number."""
    assert len({priority_of((), name=f"web-{n}") for n in range(20)}) == 20


def test_taken_numbers_are_never_moved() -> None:
    """The next free number below is taken, and above the first when there is none below."""
    first = priority_of(())
    assert priority_of((first,)) == first - 1
    alone = priority_of(tuple(range(200, 300)), (200, 300))
    assert alone == 300


def test_a_full_range_is_told_with_its_bounds() -> None:
    """No number left: QuotaExceeded names the range."""
    wish = desired(backends=(dataclasses.replace(BACKEND, priorities=(7, 8)),))
    with pytest.raises(Refused, match="reserved range 7-8"):
        plan_anchors(wish=wish, rules={LISTENER: (rule(7), rule(8))})


def test_an_intended_priority_that_was_taken_is_given_up() -> None:
    """PriorityInUse by somebody else: the next free one, the other rule stays."""
    intent = dataclasses.replace(ANCHORED, rule_arn="")
    found = plan_anchors(known=(intent,), rules={LISTENER: (rule(intent.priority),)})
    assert found.actions[0].params["Priority"] not in (intent.priority, None)
    assert found.actions[0].operation == "CreateRule"


def test_the_rule_of_an_unanswered_call_is_adopted() -> None:
    """Ours by tag and host: no second rule."""
    made = plan_anchors(rules={LISTENER: ()}).actions[0].params
    ours = {**rule(50_000, tags=tagged(role="anchor"), arn="mine"), "Conditions": made["Conditions"]}
    found = plan_anchors(known=(dataclasses.replace(ANCHORED, rule_arn=""),), rules={LISTENER: (ours,)})
    assert found.actions == ()
    assert found.anchors[0].rule_arn == "mine"


def test_an_anchor_deleted_by_hand_is_put_back_where_it_was() -> None:
    """Known but not there: created with the same priority."""
    found = plan_anchors(known=(ANCHORED,), rules={LISTENER: ()})
    assert [action.operation for action in found.actions] == ["CreateRule"]
    assert found.actions[0].params["Priority"] == 50_000


def test_an_anchor_follows_a_new_group() -> None:
    """The group has another ARN: the anchor's forward is written anew."""
    ours = rule(50_000, tags=tagged(role="anchor"), arn="rule")
    ours["Actions"] = [{"Type": "forward", "TargetGroupArn": "old"}]
    found = plan_anchors(known=(ANCHORED,), rules={LISTENER: (ours,)})
    assert [action.operation for action in found.actions] == ["ModifyRule"]


def test_a_lost_listener_moves_the_anchor_to_another_one() -> None:
    """The listener is gone: the anchor hangs on another listener of a route on that load balancer."""
    second = f"{LISTENER}b"
    wish = desired(backends=(BACKEND, dataclasses.replace(BACKEND, listener_arn=second)))
    found = plan_anchors(wish=wish, known=(ANCHORED,), rules={second: ()}, lost=frozenset({LISTENER}))
    assert [anchor.listener_arn for anchor in found.anchors] == [second]


def test_each_load_balancer_has_its_anchor() -> None:
    """Two load balancers: two groups, two anchors, each on its own listener."""
    both = desired(
        backends=(
            BACKEND,
            dataclasses.replace(BACKEND, listener_arn=OTHER_LISTENER, load_balancer_arn=OTHER_BALANCER),
        )
    )
    state = State()
    seen = Observed(rules={LISTENER: (), OTHER_LISTENER: ()})
    found = anchors(both, state, seen, target_groups(both, state, seen, slot="a"))
    assert {action.params["ListenerArn"] for action in found.actions} == {LISTENER, OTHER_LISTENER}


def test_a_port_that_changes_its_number_is_warned_of_until_requests_reach_it() -> None:
    """Condition Warnings names port and numbers while the old tasks serve; nothing is said afterwards."""

    def on(number: int) -> dict[str, Any]:
        manifest = deployment()
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        container["ports"] = [{"name": "http", "containerPort": number}]
        return manifest

    universe = Universe()
    universe.cluster.apply(on(8080))
    universe.cluster.apply(route())
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    assert "containerPort" not in universe.condition("Warnings").get("message", "")
    universe.cluster.apply(on(9090))
    told: list[str] = []
    universe.settle(
        lambda: (
            bool(told.append(universe.condition("Warnings").get("message", ""))) or universe.ready(WEB, ROUTE)
        )
    )
    assert any("containerPort of port http: 8080 → 9090 moves requests" in text for text in told)
    assert "containerPort" not in universe.condition("Warnings").get("message", "")
