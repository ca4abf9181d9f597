"""parentRefs mean the same listener for both controllers, and say what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.errors import Refused
from sluice.plan.parents import (
    ParentRef,
    backend_ports,
    choose_listener,
    deployments_of,
    load_balancer_of,
    parent_refs,
)
from unit.deployment.wishes import BALANCER, LISTENER

LOAD_BALANCER = {"LoadBalancerArn": BALANCER, "LoadBalancerName": "public", "VpcId": "vpc-1"}
LISTENERS = [
    {"ListenerArn": LISTENER, "Port": 80, "Protocol": "HTTP"},
    {"ListenerArn": f"{LISTENER}b", "Port": 443, "Protocol": "HTTPS"},
]


def route(**spec: Any) -> dict[str, Any]:
    """Return a raw route."""
    return {"metadata": {"name": "r"}, "spec": spec}


@pytest.mark.parametrize(
    ("refs", "expected"),
    [
        pytest.param([{"loadBalancerName": "public", "port": 80}], ["public:80"], id="name-and-port"),
        pytest.param([{"listenerArn": LISTENER}], [LISTENER], id="arn"),
        pytest.param([{"loadBalancerName": "public"}], [], id="no-port"),
        pytest.param([{"loadBalancerName": "a", "port": 1}] * 2, ["a:1"], id="twice"),
        pytest.param(None, [], id="none"),
    ],
)
def test_parent_refs(refs: Any, expected: list[str]) -> None:
    """Usable entries once each, in order, named as status names them."""
    assert [ref.name for ref in parent_refs(route(parentRefs=refs))] == expected


@pytest.mark.parametrize(
    ("arn", "balancer"),
    [
        pytest.param(
            "arn:aws:elasticloadbalancing:eu-west-1:1:listener/app/web/50dc/f2f7",
            "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/50dc",
            id="listener",
        ),
        pytest.param(
            "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/web/50dc/f2f7/9683",
            "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/50dc",
            id="rule",
        ),
    ],
)
def test_a_listener_names_its_load_balancer(arn: str, balancer: str) -> None:
    """The load balancer's ARN is part of its listeners' and rules'."""
    assert load_balancer_of(arn) == balancer


def test_another_arn_is_refused() -> None:
    """What is no listener's ARN is told with the shape of one."""
    with pytest.raises(Refused, match="is not the ARN of a listener"):
        load_balancer_of("arn:aws:ecs:eu-west-1:1:cluster/x")


def test_the_listener_of_a_name_and_port() -> None:
    """Name and port choose the listener with that port, and its VPC is the load balancer's."""
    parent = choose_listener(ParentRef(load_balancer="public", port=443), LOAD_BALANCER, LISTENERS)
    assert (parent.listener_arn, parent.vpc_id, parent.protocol) == (f"{LISTENER}b", "vpc-1", "HTTPS")


def test_the_listener_of_an_arn() -> None:
    """An ARN chooses itself, whatever its port."""
    parent = choose_listener(ParentRef(listener_arn=LISTENER), LOAD_BALANCER, LISTENERS)
    assert (parent.listener_arn, parent.port) == (LISTENER, 80)


@pytest.mark.parametrize(
    ("load_balancer", "text"),
    [
        pytest.param(None, "load balancer public does not exist", id="no-load-balancer"),
        pytest.param(LOAD_BALANCER, r"its ports: 80, 443", id="no-listener"),
    ],
)
def test_what_is_missing_is_said(load_balancer: Any, text: str) -> None:
    """ListenerNotFound says what does not exist and what there is instead."""
    with pytest.raises(Refused, match=text) as refused:
        choose_listener(ParentRef(load_balancer="public", port=8443), load_balancer, LISTENERS)
    assert refused.value.reason == "ListenerNotFound"


def test_backends_of_a_route() -> None:
    """Ports per Deployment, '' where the backendRef has none; and all Deployments that are named."""
    rules = [
        {"backendRefs": [{"name": "web", "port": "http"}, {"name": "api"}]},
        {"backendRefs": [{"name": "web", "port": 9090}, {"name": "web", "port": "http"}]},
    ]
    assert backend_ports(route(rules=rules), "web") == ("http", "9090")
    assert backend_ports(route(rules=rules), "api") == ("",)
    assert deployments_of([route(rules=rules), route()]) == {"web", "api"}
    assert deployments_of([route(discovery={"backendRef": {"name": "ledger", "port": 80}})]) == {"ledger"}
