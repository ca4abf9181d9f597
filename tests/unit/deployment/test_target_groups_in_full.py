"""Target groups in full: which a slot should have, what is sent for each, and what is left as it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model import ownership
from sluice.model.actions import Action, Ref
from sluice.model.desired import Backend, Desired, Port
from sluice.model.errors import Refused
from sluice.model.observed import Observed
from sluice.model.traffic import SlotTarget, Traffic
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.deployment.targets import (
    Targets,
    attached,
    delete,
    group_name,
    moving_ports,
    target_groups,
    wanted,
)
from unit.deployment.slot_group import ARN, KNOWN, NAME, SEEN, WISH
from unit.deployment.wishes import (
    BACKEND,
    BALANCER,
    HTTP,
    LISTENER,
    NOW,
    OTHER_BALANCER,
    desired,
    tagged,
)

FRESH = dataclasses.replace(KNOWN, arn="")
ADMIN = Port(name="", container_name="side", container_port=9090)
GRPC = dataclasses.replace(HTTP, protocol_version="GRPC")


def groups(wish: Desired = WISH, *, known: tuple[TargetGroup, ...] = (), **seen: Any) -> Targets:
    """Plan the groups of slot a; `seen` is Observed's."""
    return target_groups(wish, State(target_groups=known), Observed(**seen), slot="a")


def sent(found: Targets) -> list[tuple[str, dict[str, Any]]]:
    """Return operation and parameters of each call, tags left out."""
    return [
        (action.operation, {name: value for name, value in action.params.items() if name != "Tags"})
        for action in found.actions
    ]


def test_a_name_never_changes() -> None:
    """A later version of Sluice that named it otherwise would make every group, and every target, anew."""
    assert NAME == "web-6a7957ecd9-a"
    assert group_name(WISH, BALANCER, GRPC, slot="a") == "web-ea4c036813-a"


# Which groups.

OLD = TargetGroup(port="old", container_port=7070, load_balancer_arn=BALANCER, name="zz-old", arn="arn:old")
SECOND = dataclasses.replace(BACKEND, listener_arn=f"{LISTENER}2")
BEYOND = dataclasses.replace(BACKEND, load_balancer_arn=OTHER_BALANCER)
LEGACY = TargetGroup(
    port="http",
    container_port=8080,
    load_balancer_arn=BALANCER,
    name="legacy",
    arn="arn:legacy",
    protocol_version="HTTP1",
)


@pytest.mark.parametrize(
    ("wish", "known", "expected"),
    [
        pytest.param(desired(), (), [], id="no route"),
        pytest.param(WISH, (), [(FRESH, BACKEND, HTTP)], id="a route"),
        pytest.param(WISH, (KNOWN,), [(KNOWN, BACKEND, HTTP)], id="a route, its group is there"),
        pytest.param(desired(), (KNOWN,), [(KNOWN, None, HTTP)], id="no route any more"),
        pytest.param(WISH, (OLD,), [(FRESH, BACKEND, HTTP), (OLD, None, None)], id="a port that is gone"),
        pytest.param(
            WISH,
            (dataclasses.replace(KNOWN, slot="b"),),
            [(FRESH, BACKEND, HTTP)],
            id="the other slot's group",
        ),
        pytest.param(
            desired(backends=(BACKEND, SECOND)),
            (),
            [(FRESH, BACKEND, HTTP)],
            id="two listeners of one balancer",
        ),
        pytest.param(
            desired(backends=(dataclasses.replace(BACKEND, port="nowhere"),)),
            (),
            [],
            id="a port that is not there",
        ),
        pytest.param(
            WISH, (LEGACY,), [(LEGACY, BACKEND, HTTP)], id="one that came with an adopted service fits"
        ),
        pytest.param(
            WISH,
            (dataclasses.replace(LEGACY, load_balancer_arn=""),),
            [(LEGACY, BACKEND, HTTP)],
            id="one that no load balancer uses fits",
        ),
        pytest.param(
            WISH,
            (dataclasses.replace(LEGACY, load_balancer_arn=OTHER_BALANCER),),
            [
                (dataclasses.replace(LEGACY, load_balancer_arn=OTHER_BALANCER), None, HTTP),
                (FRESH, BACKEND, HTTP),
            ],
            id="one of another load balancer does not",
        ),
        pytest.param(
            WISH,
            (dataclasses.replace(LEGACY, container_port=9090),),
            [(dataclasses.replace(LEGACY, container_port=9090), None, None), (FRESH, BACKEND, HTTP)],
            id="one of another port does not",
        ),
        pytest.param(
            WISH,
            (dataclasses.replace(LEGACY, protocol_version="GRPC"),),
            [(dataclasses.replace(LEGACY, protocol_version="GRPC"), None, HTTP), (FRESH, BACKEND, HTTP)],
            id="one of another protocol does not",
        ),
        pytest.param(
            WISH, (LEGACY, KNOWN), [(LEGACY, None, HTTP), (KNOWN, BACKEND, HTTP)], id="ours comes first"
        ),
    ],
)
def test_which_groups_a_slot_should_have(
    wish: Desired,
    known: tuple[TargetGroup, ...],
    expected: list[tuple[TargetGroup, Backend | None, Port | None]],
) -> None:
    """What a route needs and what is there; by name."""
    found = wanted(wish, State(target_groups=known), slot="a")
    assert found == tuple(sorted(expected, key=lambda entry: entry[0].name))


# What is sent.

CREATE = {
    "Name": NAME,
    "Protocol": "HTTP",
    "Port": 8080,
    "VpcId": "vpc-1",
    "TargetType": "ip",
    "ProtocolVersion": "HTTP1",
    "HealthCheckPath": "/healthz",
    "HealthCheckIntervalSeconds": 10,
}
ATTRIBUTES = {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]}
REF = Ref(f"target-group-arn:{NAME}")


@pytest.mark.parametrize(
    ("known", "seen", "arn", "made", "repaired"),
    [
        pytest.param((), {}, REF, True, (), id="new"),
        pytest.param((), {NAME: None}, REF, True, (), id="new, looked for in vain"),
        pytest.param((FRESH,), {NAME: SEEN}, ARN, False, (), id="the answer was lost"),
        pytest.param((KNOWN,), {}, ARN, False, (), id="known, not looked at"),
        pytest.param((KNOWN,), {NAME: SEEN}, ARN, False, (), id="known, as it should be"),
        pytest.param(
            (KNOWN,), {NAME: None}, ARN, True, (f"{NAME} was deleted by somebody else",), id="deleted by hand"
        ),
        pytest.param(
            (KNOWN,), {NAME: SEEN | {"TargetGroupArn": "arn:anew"}}, "arn:anew", False, (), id="made again"
        ),
    ],
)
def test_a_group_that_a_route_needs(
    known: tuple[TargetGroup, ...],
    seen: dict[str, Any],
    arn: str | Ref,
    made: bool,  # noqa: FBT001 - a table's column
    repaired: tuple[str, ...],
) -> None:
    """Created once, by its name; the service and the anchor get its ARN or what becomes it."""
    found = groups(known=known, target_groups=seen)
    calls = [
        ("CreateTargetGroup", CREATE),
        ("ModifyTargetGroupAttributes", {"TargetGroupArn": REF} | ATTRIBUTES),
    ]
    assert sent(found) == (calls if made else [])
    assert (found.arns, found.repaired) == ({NAME: arn}, repaired)
    assert attached(WISH, found, slot="a") == [
        {"targetGroupArn": arn, "containerName": "app", "containerPort": 8080}
    ]


@pytest.mark.parametrize(
    ("wish", "known"),
    [
        pytest.param(desired(), KNOWN, id="no route needs it"),
        pytest.param(desired(ports=(ADMIN,)), KNOWN, id="its port is gone"),
        pytest.param(desired(), FRESH, id="it was never made"),
    ],
)
def test_a_group_that_nobody_needs_is_not_made_again(wish: Desired, known: TargetGroup) -> None:
    """Deleted by hand, and forgotten."""
    assert groups(wish, known=(known,), target_groups={NAME: None}) == Targets(groups=(), arns={}, actions=())


def test_tasks_without_an_address_are_targets_by_their_instance() -> None:
    """Bridge and host tasks; a port without attributes needs one call."""
    revision = dataclasses.replace(WISH.revision, ports=(ADMIN,), definition={"networkMode": "bridge"})
    (action,) = groups(
        desired(revision=revision, backends=(dataclasses.replace(BACKEND, port="9090"),))
    ).actions
    assert (action.params["TargetType"], action.params["Port"]) == ("instance", 9090)
    assert action.reason == f"a ServiceRoute sends to port 9090 through {BALANCER}"


CODES = dataclasses.replace(HTTP, health_check={"Matcher": {"HttpCode": "200"}, "Port": "x"}, attributes={})


@pytest.mark.parametrize(
    ("port", "edit", "call", "reason"),
    [
        pytest.param(HTTP, {"HealthyThresholdCount": 9}, {}, "", id="what the spec leaves open"),
        pytest.param(
            HTTP,
            {"HealthCheckPath": "/x"},
            {"HealthCheckPath": "/healthz"},
            "HealthCheckPath /x → /healthz",
            id="path",
        ),
        pytest.param(
            HTTP,
            {"HealthCheckPath": "/x", "HealthCheckIntervalSeconds": 5},
            {"HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": 10},
            "HealthCheckIntervalSeconds 5 → 10, HealthCheckPath /x → /healthz",
            id="two",
        ),
        pytest.param(HTTP, {"Attributes": {}}, {}, "", id="attributes were not looked at"),
        pytest.param(
            HTTP,
            {"Attributes": {"stickiness.enabled": "true"}},
            ATTRIBUTES,
            "deregistration_delay.timeout_seconds None → 30",
            id="attribute",
        ),
        pytest.param(CODES, {"Matcher": {"HttpCode": "200", "GrpcCode": "12"}}, {}, "", id="codes, equal"),
        pytest.param(
            CODES,
            {"Matcher": {"HttpCode": "404"}},
            {"Matcher": {"HttpCode": "200"}},
            "Matcher 404 → 200",
            id="codes",
        ),
        pytest.param(
            dataclasses.replace(CODES, health_check={"Matcher": {"HttpCode": "200", "GrpcCode": "0"}}),
            {"Matcher": {"HttpCode": "200", "GrpcCode": "12"}},
            {"Matcher": {"HttpCode": "200", "GrpcCode": "0"}},
            "Matcher 200 12 → 200 0",
            id="one code of two",
        ),
        pytest.param(CODES, {}, {"Matcher": {"HttpCode": "200"}}, "Matcher None → 200", id="codes, not told"),
    ],
)
def test_what_is_put_back(port: Port, edit: dict[str, Any], call: dict[str, Any], reason: str) -> None:
    """What the spec states, in one call for the health check and one for attributes."""
    wish = desired(ports=(port,), backends=(BACKEND,))
    found = groups(wish, known=(KNOWN,), target_groups={NAME: SEEN | edit})
    assert [params for _, params in sent(found)] == ([{"TargetGroupArn": ARN} | call] if call else [])
    assert found.repaired == ((reason,) if reason else ())


@pytest.mark.parametrize("tags", [{}, tagged() | {ownership.NAME: "other"}], ids=["foreign", "other object"])
def test_a_group_that_is_not_ours_is_refused(tags: dict[str, str]) -> None:
    """Nothing is written."""
    with pytest.raises(Refused, match="is not owned by this Deployment") as refused:
        groups(known=(KNOWN,), target_groups={NAME: SEEN | {"Tags": tags}})
    assert refused.value.reason == "OwnershipConflict"


def test_five_groups_are_the_most() -> None:
    """ECS takes five on a service; one whose port is gone is not attached and does not count."""

    def on(number: int) -> Desired:
        balancers = (f"{BALANCER}{n}" for n in range(number))
        return desired(
            backends=tuple(dataclasses.replace(BACKEND, load_balancer_arn=arn) for arn in balancers)
        )

    assert len(groups(on(5), known=(OLD,)).groups) == 6
    with pytest.raises(Refused, match="6 target groups would be needed"):
        groups(on(6))


# Both slots.

MINE = Targets(groups=(KNOWN,), arns={NAME: ARN}, actions=(), repaired=("x",))
THEIRS = dataclasses.replace(KNOWN, slot="b", name="b", arn="arn:b")


def test_the_other_slots_groups_stay_as_they_are() -> None:
    """Those that exist; this slot's own are in already."""
    found = MINE.with_others((THEIRS, dataclasses.replace(THEIRS, name="intent", arn=""), OLD), slot="a")
    assert found == Targets(
        groups=(KNOWN, THEIRS), arns={NAME: ARN, "b": "arn:b"}, actions=(), repaired=("x",)
    )


def test_groups_that_go_need_no_anchor() -> None:
    """All but those that are named."""
    both = dataclasses.replace(MINE, groups=(KNOWN, THEIRS))
    assert both.without(frozenset({"b"})).groups == (KNOWN,)
    assert both.without(frozenset({"b"})).repaired == ("x",)
    assert both.without(frozenset()).groups == (KNOWN, THEIRS)


def test_attached_are_the_slots_own_with_a_port() -> None:
    """ECS refuses a container port that the task definition lacks."""
    found = dataclasses.replace(
        MINE, groups=(KNOWN, THEIRS, OLD), arns={NAME: ARN, "b": "arn:b", "zz-old": "o"}
    )
    assert [entry["targetGroupArn"] for entry in attached(WISH, found, slot="a")] == [ARN]
    assert [entry["targetGroupArn"] for entry in attached(WISH, found, slot="b")] == ["arn:b"]


def told(*served: tuple[str, int]) -> State:
    """Return traffic that reaches these ports."""
    targets = tuple(
        SlotTarget(
            slot="a", port=port, container_port=number, load_balancer_arn=BALANCER, target_group_arn=ARN
        )
        for port, number in served
    )
    traffic = Traffic(uid="u", rollout_id="r", seq=1, weights={"a": 100}, targets=targets, verify_after=NOW)
    return State(traffic=traffic)


@pytest.mark.parametrize(
    ("state", "ports", "warned"),
    [
        pytest.param(State(), (HTTP,), False, id="no traffic yet"),
        pytest.param(told(("http", 8080)), (HTTP,), False, id="the same number"),
        pytest.param(told(("http", 7070)), (HTTP,), True, id="another number"),
        pytest.param(told(("admin", 7070)), (HTTP,), False, id="another port"),
        pytest.param(told(("", 7070)), (ADMIN,), False, id="a port without a name is its number"),
    ],
)
def test_a_named_port_that_changes_its_number_is_warned_of(
    state: State, ports: tuple[Port, ...], *, warned: bool
) -> None:
    """While requests reach the old one."""
    found = moving_ports(desired(ports=ports), state)
    assert [text.split(" moves")[0] for text in found] == ["containerPort of port http: 7070 → 8080"] * warned


def test_a_deletion_finds_it_gone() -> None:
    """That is fine, too."""
    action = delete("name", "arn:g", reason="why")
    assert action == Action(
        service="elbv2",
        operation="DeleteTargetGroup",
        params={"TargetGroupArn": "arn:g"},
        subject="target group name",
        reason="why",
        already=frozenset({"TargetGroupNotFound"}),
    )
