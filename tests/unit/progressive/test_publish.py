"""What routes are told, and when it is news."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.observed import Observed
from sluice.model.rollout import TrafficOrder
from sluice.model.traffic import Traffic
from sluice.plan.deployment.state import State, TargetGroup
from sluice.plan.progressive.publish import compose
from unit.deployment import wishes

WISH = wishes.desired()


def group(slot: str, *, arn: bool = True) -> TargetGroup:
    """Return the slot's target group for port http on the public balancer."""
    return TargetGroup(
        slot=slot,
        port="http",
        container_port=8080,
        load_balancer_arn=wishes.BALANCER,
        name=f"web-{slot}",
        arn=f"{wishes.ELB}:targetgroup/web-{slot}/1" if arn else "",
    )


HEALTHY = Observed(healthy={group(slot).arn: frozenset({"10.0.0.1:8080"}) for slot in "ab"})
BOTH = State(target_groups=(group("a"), group("b")))
ONLY_A = TrafficOrder(weights={"a": 1000})


def told(state: State, order: TrafficOrder, rollout: str = "r1") -> Traffic:
    """Return what is published."""
    traffic = compose(WISH, state, HEALTHY, order, rollout_id=rollout)
    assert traffic is not None
    return traffic


def test_only_slots_that_get_something_are_told() -> None:
    """A route never learns of a group that may still be empty."""
    traffic = told(BOTH, ONLY_A)
    assert [target.slot for target in traffic.targets] == ["a"]
    assert (traffic.seq, dict(traffic.weights)) == (1, {"a": 1000})


def test_nothing_is_published_before_there_is_a_weight_or_a_group() -> None:
    """No order and no group mean no traffic, not an empty one."""
    assert compose(WISH, BOTH, HEALTHY, TrafficOrder(weights={}), rollout_id="r") is None
    assert (
        compose(WISH, State(target_groups=(group("a", arn=False),)), HEALTHY, ONLY_A, rollout_id="r") is None
    )


def test_a_group_is_told_once_it_has_a_healthy_target_and_stays() -> None:
    """A new route's group of the live slot is empty at first; a bad minute later changes nothing."""
    assert compose(WISH, BOTH, Observed(), ONLY_A, rollout_id="r") is None
    known = dataclasses.replace(BOTH, traffic=told(BOTH, ONLY_A))
    assert compose(WISH, known, Observed(), ONLY_A, rollout_id="r") is known.traffic


FIRST = told(BOTH, ONLY_A)
PUBLISHED = dataclasses.replace(BOTH, traffic=FIRST)
NEWS: dict[str, tuple[TrafficOrder, bool]] = {
    "the same": (ONLY_A, False),
    "other weights": (TrafficOrder(weights={"a": 950, "b": 50}), True),
    "a test slot": (dataclasses.replace(ONLY_A, test="b"), True),
    "a header": (dataclasses.replace(ONLY_A, header=("x-canary", "1"), header_slot="b"), True),
    "foreign weights are to be reported": (dataclasses.replace(ONLY_A, reassert=False), True),
    "a proof is demanded anew": (dataclasses.replace(ONLY_A, verify_after=50.0), True),
    "a rollback to what is published": (dataclasses.replace(ONLY_A, rollback=True), True),
}


@pytest.mark.parametrize(("order", "news"), NEWS.values(), ids=NEWS)
def test_seq_rises_exactly_with_what_routes_must_act_on(order: TrafficOrder, news: bool) -> None:  # noqa: FBT001
    """A route that acknowledged need not look again for nothing."""
    assert told(PUBLISHED, order).seq == FIRST.seq + int(news)


def test_a_rollout_that_begins_is_no_news_by_itself() -> None:
    """Its first weight is."""
    assert told(PUBLISHED, ONLY_A, rollout="r2") is FIRST


def test_traffic_survives_the_status() -> None:
    """With header, test slot, reassert and rollback."""
    order: Any = TrafficOrder(
        weights={"a": 950, "b": 50},
        test="b",
        header=("x-canary", "1"),
        header_slot="b",
        reassert=False,
        rollback=True,
        verify_after=7.5,
    )
    traffic = told(BOTH, order)
    assert Traffic.from_status(traffic.to_status()) == traffic
    assert sorted(target.slot for target in traffic.targets) == ["a", "b"]
