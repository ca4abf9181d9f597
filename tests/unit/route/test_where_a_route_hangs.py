"""parentRefs of a raw route, its test listeners, and listeners of which AWS tells little."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.errors import Refused
from sluice.plan import parents
from sluice.plan.parents import Parent, ParentRef, choose_listener, parent_refs

ARN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/public/1/80"
BY_NAME, BY_ARN = {"loadBalancerName": "public", "port": 80}, {"listenerArn": ARN}


@pytest.mark.parametrize(
    ("refs", "expected"),
    [
        pytest.param([BY_NAME], (ParentRef(load_balancer="public", port=80),), id="by name and port"),
        pytest.param([BY_ARN], (ParentRef(listener_arn=ARN),), id="by ARN"),
        pytest.param(
            [BY_ARN, BY_NAME, BY_ARN],
            (ParentRef(listener_arn=ARN), ParentRef(load_balancer="public", port=80)),
            id="in order, once each",
        ),
        pytest.param([{"port": 80}], (), id="a port alone"),
        pytest.param([], (), id="none"),
        pytest.param(None, (), id="null"),
    ],
)
def test_production_and_test_listeners_are_named_alike(refs: Any, expected: tuple[ParentRef, ...]) -> None:
    """The same entries below `spec` and below `spec.test`."""
    assert parent_refs({"spec": {"parentRefs": refs}}) == expected
    assert parents.tested_refs({"spec": {"parentRefs": [BY_NAME], "test": {"parentRefs": refs}}}) == expected


@pytest.mark.parametrize(
    "spec", [{}, {"test": None}, {"parentRefs": [BY_NAME]}], ids=["empty", "null", "none"]
)
def test_a_route_without_test_listeners(spec: dict[str, Any]) -> None:
    """Production's are none of them."""
    assert parents.tested_refs({"spec": spec}) == ()
    assert parents.tested_refs({}) == ()


def test_a_listener_that_says_nothing_but_its_arn() -> None:
    """A listener may have no port (botocore elbv2, Listener): no grant for single ports covers it."""
    found = choose_listener(
        ParentRef(listener_arn=ARN), {"LoadBalancerArn": "arn:lb"}, [{"ListenerArn": ARN}]
    )
    assert found == Parent(
        name=ARN,
        listener_arn=ARN,
        load_balancer_arn="arn:lb",
        load_balancer_name="",
        vpc_id="",
        port=0,
        protocol="HTTP",
    )


@pytest.mark.parametrize(
    ("listeners", "ports"),
    [
        pytest.param([], "none", id="none"),
        pytest.param(
            [{"ListenerArn": ARN}, {"ListenerArn": "x", "Port": 443}], "0, 443", id="one without port"
        ),
        pytest.param(
            [{"ListenerArn": ARN, "Port": 443}, {"ListenerArn": "x", "Port": 80}], "80, 443", id="two"
        ),
    ],
)
def test_which_listeners_there_are_instead(listeners: list[dict[str, Any]], ports: str) -> None:
    """By their ports, in order."""
    balancer = {"LoadBalancerArn": "arn:lb", "LoadBalancerName": "public"}
    with pytest.raises(Refused) as refused:
        choose_listener(ParentRef(load_balancer="public", port=8443), balancer, listeners)
    assert refused.value.message == (
        "parentRef public:8443: load balancer public has no such listener (its ports: "
        f"{ports}); create the listener or correct spec.parentRefs"
    )


def test_a_load_balancer_that_is_not_there_is_named_by_its_listener() -> None:
    """The ARN of a listener tells whose it is."""
    with pytest.raises(
        Refused, match=r"load balancer arn:aws:elasticloadbalancing:.*:loadbalancer/app/public/1 "
    ):
        choose_listener(ParentRef(listener_arn=ARN), None, [])
