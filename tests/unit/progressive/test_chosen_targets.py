"""Which target groups routes are told of: one for each slot, port and load balancer, and which one."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.model.desired import Port
from sluice.model.observed import Observed
from sluice.model.rollout import TrafficOrder
from sluice.model.traffic import HeaderRoute, SlotTarget, Traffic
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.progressive.publish import compose, unpublished
from unit.deployment import wishes

WISH = wishes.desired(
    ports=(
        Port(name="http", container_name="app", container_port=8080),
        Port(name="admin", container_name="app", container_port=9090),
    )
)


def group(
    name: str, *, slot: str = "a", port: int = 8080, label: str = "http", balancer: str = "lb"
) -> TargetGroup:
    """Return a group that exists; its ARN is its name in capitals."""
    return TargetGroup(
        slot=slot,
        port=label,
        container_port=port,
        load_balancer_arn=balancer,
        name=name,
        arn=name.upper(),
    )


def told(*groups: TargetGroup, slots: str = "a") -> Traffic:
    """Return the traffic that tells of groups."""
    return Traffic(
        uid="uid-1",
        rollout_id="r",
        seq=1,
        weights=dict.fromkeys(slots, 1000),
        targets=tuple(entry.target() for entry in groups),
        verify_after=3.0,
    )


SAME = (group("x"), group("y"))
"""Two for one place: the protocol version was changed."""
MOVED = (group("n", port=8080), group("m", port=7070))
"""The port's number was changed, from 7070."""
NAMED: dict[str, tuple[tuple[TargetGroup, ...], tuple[TargetGroup, ...], str, list[str]]] = {
    # groups of status, those told before, those with a healthy target → those told now
    "a healthy one": (SAME[:1], (), "X", ["X"]),
    "none is healthy": (SAME, (), "", []),
    "the healthy one": (SAME, (), "Y", ["Y"]),
    "both are healthy, neither was told: the first by name": (SAME, (), "XY", ["X"]),
    "both are healthy: the one that was told stays": (SAME, SAME[1:], "XY", ["Y"]),
    "told, and sick for a minute": (SAME, SAME[1:], "", ["Y"]),
    "another number: the new one as soon as it is healthy": (MOVED, MOVED[1:], "MN", ["N"]),
    "another number: the old one until then": (MOVED, MOVED[1:], "M", ["M"]),
    "one for each port": ((group("q", port=9090, label="admin"), *SAME), (), "XQ", ["Q", "X"]),
    "one for each balancer": ((group("z", balancer="other"), *SAME), (), "XZ", ["X", "Z"]),
    "one for each slot, of those that get something": (
        (group("b", slot="b"), group("c", slot="c"), *SAME),
        (),
        "XBC",
        ["X", "B"],
    ),
    "one that is not made yet": ((dataclasses.replace(SAME[0], arn=""), SAME[1]), (), "XY", ["Y"]),
}


@pytest.mark.parametrize(("groups", "before", "healthy", "expected"), NAMED.values(), ids=NAMED)
def test_which_group_stands_for_a_place(
    groups: tuple[TargetGroup, ...], before: tuple[TargetGroup, ...], healthy: str, expected: list[str]
) -> None:
    """By port, load balancer and slot; of two the present wish's, then the one that routes know."""
    state = State(target_groups=groups, traffic=told(*before) if before else None)
    seen = Observed(healthy={arn: frozenset({"10.0.0.1"}) for arn in healthy})
    order = TrafficOrder(weights={"b": 1, "a": 999, "c": 0})
    listed = dataclasses.replace(WISH, listed=True)
    traffic = compose(listed, state, seen, order, rollout_id="r")
    assert traffic is not None
    assert [target.target_group_arn for target in traffic.targets] == expected


HEADER = TrafficOrder(weights={"a": 1000}, header=("x-canary", "1"), header_slot="b")
BOTH = (group("x"), group("b", slot="b"))
ORDERS: dict[str, tuple[TrafficOrder, list[str], HeaderRoute | None, str]] = {
    "weight alone": (TrafficOrder(weights={"a": 1000}), ["X"], None, ""),
    "a header": (HEADER, ["X", "B"], HeaderRoute(name="x-canary", value="1", slot="b"), ""),
    "the header was taken away": (dataclasses.replace(HEADER, header=None), ["X"], None, ""),
    "a test listener": (TrafficOrder(weights={"a": 1000}, test="b"), ["X", "B"], None, "b"),
}


@pytest.mark.parametrize(("order", "arns", "header", "test"), ORDERS.values(), ids=ORDERS)
def test_the_first_word_to_routes_is_whole(
    order: TrafficOrder, arns: list[str], header: HeaderRoute | None, test: str
) -> None:
    """A slot without weight is told where a header or a test listener leads to it; any proof counts."""
    seen = Observed(healthy={arn: frozenset({"10.0.0.1"}) for arn in "XB"})
    targets = tuple(
        SlotTarget(
            slot="a" if arn == "X" else "b",
            port="http",
            container_port=8080,
            load_balancer_arn="lb",
            target_group_arn=arn,
        )
        for arn in arns
    )
    assert compose(WISH, State(target_groups=BOTH), seen, order, rollout_id="r1") == Traffic(
        uid="uid-1",
        rollout_id="r1",
        seq=1,
        weights={"a": 1000},
        targets=targets,
        verify_after=0.0,
        test=test,
        header=header,
    )


def test_a_later_word_keeps_the_time_that_proofs_are_held_to() -> None:
    """Until another one is asked for: an answer from before it still does not count."""
    state = State(target_groups=BOTH, traffic=told(BOTH[0]))
    seen = Observed(healthy={"B": frozenset({"10.0.0.1"})})
    order = TrafficOrder(weights={"a": 500, "b": 500})
    later = compose(WISH, state, seen, order, rollout_id="r1")
    assert later is not None
    assert (later.seq, later.verify_after) == (2, 3.0)
    again = compose(WISH, state, seen, dataclasses.replace(order, verify_after=9.0), rollout_id="r1")
    assert again is not None
    assert again.verify_after == 9.0


def test_groups_that_routes_have_yet_to_be_told_of() -> None:
    """Those of slots that get something, which exist: their health has to be looked at soon."""
    groups = (*SAME, group("b", slot="b"), dataclasses.replace(group("w"), arn=""))
    assert unpublished(State(target_groups=groups), {"a"}) == ("X", "Y")
    assert unpublished(State(target_groups=groups, traffic=told(SAME[0])), {"a"}) == ("Y",)
    assert unpublished(State(target_groups=groups, traffic=told(SAME[0])), {"a", "b"}) == ("Y", "B")
