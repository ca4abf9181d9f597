"""Load balancers and listeners: what many routes ask for is read once, and one made again is seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.controllers.parents import resolve_parent
from sluice.model.errors import Refused
from sluice.plan.parents import ParentRef
from unit.observe.conftest import Rig

REF = ParentRef(load_balancer="web", port=80)
OLD, NEW = "arn:lb/old", "arn:lb/new"


def found(rig: Rig) -> str:
    """Return the load balancer that a route hangs on, or why there is none."""
    try:
        return resolve_parent(rig.facts, rig.context, REF).load_balancer_arn
    except Refused as refused:
        return refused.reason


def test_a_load_balancer_that_was_made_again_is_seen_at_the_next_look(rig: Rig) -> None:
    """Its former ARN has no listeners: it is not believed for ten minutes."""
    there = [OLD]
    serve(rig, there)
    assert found(rig) == OLD
    there[:] = [NEW]
    rig.clock.seconds += 121  # what is known of listeners is two minutes old at most
    assert found(rig) == "ListenerNotFound"
    assert found(rig) == NEW


def test_one_without_listeners_costs_two_calls_for_all_of_its_routes(rig: Rig) -> None:
    """A thousand routes that wait for it ask AWS no more often than one does."""
    serve(rig, [OLD], listening=False)
    for _ in range(100):
        assert found(rig) == "ListenerNotFound"
    assert len(rig.aws.calls) <= 3


def serve(rig: Rig, there: list[str], *, listening: bool = True) -> None:
    """Let the load balancer `web` have the ARN that is in `there`, with a listener."""

    def balancers(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"LoadBalancers": [{"LoadBalancerArn": there[0], "LoadBalancerName": "web", "VpcId": "vpc"}]}

    def listeners(params: Mapping[str, Any]) -> Mapping[str, Any]:
        arn = params["LoadBalancerArn"]
        one = {"ListenerArn": f"{arn}/80", "LoadBalancerArn": arn, "Port": 80, "Protocol": "HTTP"}
        return {"Listeners": [one] if listening and arn == there[0] else []}

    rig.aws.table |= {"DescribeLoadBalancers": balancers, "DescribeListeners": listeners}
