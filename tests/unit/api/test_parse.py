"""What parse_deployment and parse_route accept, refuse and return."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import deployment, discovery_route, route, spec_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.api.v1alpha1.route import parse_route
from sluice.model.errors import Refused


def _with(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**obj, "spec": obj["spec"] | spec}


BAD_DEPLOYMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "neither template nor taskDefinition": (deployment(template=None), "spec: exactly one of template"),
    "both": (deployment(taskDefinition={"family": "x"}), "spec: exactly one of template"),
    "selector without labels": (
        deployment(selector={"matchLabels": {"app": "web"}}),
        "spec.selector: does not match",
    ),
    "launch type and providers": (
        spec_field(
            "ecs", {"launchType": "FARGATE", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}
        ),
        "spec.ecs: launchType and capacityProviderStrategy exclude each other",
    ),
    "no surge and none unavailable": (
        spec_field("strategy.rollingUpdate", {"maxSurge": "0%", "maxUnavailable": 0}),
        "spec.strategy.rollingUpdate: maxSurge and maxUnavailable can't both be 0",
    ),
    "progressive": (spec_field("strategy", {"type": "Progressive"}), "spec.strategy: type Progressive"),
    "adoption of something else": (
        spec_field("adopt", {"serviceArn": "arn:aws:ecs:eu-west-1:111122223333:cluster/prod"}),
        "spec.adopt.serviceArn",
    ),
    "alarms without a name": (
        spec_field("strategy.rollingUpdate.alarms", {"alarmNames": [], "enable": True, "rollback": True}),
        "spec.strategy.rollingUpdate.alarms.alarmNames: enable needs at least one name",
    ),
    "unknown field": (spec_field("replica", 3), "spec.replica: is not a field that this version"),
    "no image": (
        deployment(template={"spec": {"containers": [{"name": "app"}]}}),
        "spec.template.spec.containers[0].image: is required",
    ),
}
BAD_ROUTES: dict[str, tuple[dict[str, Any], str]] = {
    "no parent": (route(parentRefs=[{}]), "spec.parentRefs[0]: exactly one of"),
    "name without port": (
        route(parentRefs=[{"loadBalancerName": "a"}]),
        "spec.parentRefs[0]: port goes with",
    ),
    "all weights 0": (
        route(rules=[{"name": "a", "backendRefs": [{"name": "web", "port": 80, "weight": 0}]}]),
        "spec.rules[0].backendRefs: at least one backend needs a weight",
    ),
    "weight above ALB's": (
        route(rules=[{"name": "a", "backendRefs": [{"name": "web", "port": 80, "weight": 1000}]}]),
        "spec.rules[0].backendRefs[0].weight",
    ),
    "bad address": (
        route(
            rules=[
                {"name": "a", "matches": [{"sourceIPs": ["x"]}], "backendRefs": [{"name": "w", "port": 1}]}
            ]
        ),
        "spec.rules[0].matches[0].sourceIPs[0]",
    ),
    "rules without parents": (route(parentRefs=None), "spec: parentRefs and rules go together"),
    "nothing": (route(parentRefs=None, rules=None), "spec: a route needs parentRefs and rules, or discovery"),
    "hostnames of a name alone": (
        _with(discovery_route(), hostnames=["a.example.com"]),
        "spec: hostnames and test go with rules",
    ),
    "alias without parents": (
        discovery_route(mode="Alias", backendRef=None),
        "spec.discovery: discovery mode Alias points at",
    ),
    "tasks of nobody": (discovery_route(backendRef=None), "spec.discovery: mode Tasks and mode ECS need"),
    "records of an HTTP namespace": (
        discovery_route(namespaceRef={"name": "corp", "create": {"type": "HTTP"}}),
        "spec.discovery.dns: an HTTP namespace has no DNS",
    ),
    "no records": (discovery_route(dns=None), "spec.discovery: a namespace with DNS needs dns.records"),
    "alias with SRV": (
        discovery_route(mode="Alias", backendRef=None, dns={"records": [{"type": "SRV", "ttlSeconds": 5}]}),
        "spec.discovery: mode Alias needs dns.records of type A or AAAA",
    ),
    "alias with many answers": (
        discovery_route(
            mode="Alias",
            backendRef=None,
            dns={"records": [{"type": "A", "ttlSeconds": 5}], "routingPolicy": "MULTIVALUE"},
        ),
        "spec.discovery.dns: mode Alias has routingPolicy WEIGHTED only",
    ),
    "attributes of ECS": (
        discovery_route(mode="ECS", attributes={"a": "b"}),
        "spec.discovery.attributes: ECS registers",
    ),
    "reserved attribute": (
        discovery_route(attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"}),
        "spec.discovery.attributes: attributes that start with AWS_",
    ),
    "name and id": (
        discovery_route(namespaceRef={"name": "corp.local", "id": "ns-1"}),
        "spec.discovery.namespaceRef: exactly one of name and id",
    ),
    "make an id": (
        discovery_route(namespaceRef={"id": "ns-1", "create": {"type": "DNS_PUBLIC"}}),
        "spec.discovery.namespaceRef: create goes with name",
    ),
    "no VPC": (
        discovery_route(namespaceRef={"name": "corp.local", "create": {"type": "DNS_PRIVATE"}}),
        "spec.discovery.namespaceRef.create: vpc goes with type DNS_PRIVATE",
    ),
}


@pytest.mark.parametrize(("obj", "text"), BAD_DEPLOYMENTS.values(), ids=BAD_DEPLOYMENTS)
def test_a_bad_deployment_is_refused_at_its_field(obj: dict[str, Any], text: str) -> None:
    """The refusal is InvalidSpec and names the field and what to do, even past an older CRD."""
    with pytest.raises(Refused) as refusal:
        parse_deployment(obj)
    assert refusal.value.reason == "InvalidSpec"
    assert text in refusal.value.message


@pytest.mark.parametrize(("obj", "text"), BAD_ROUTES.values(), ids=BAD_ROUTES)
def test_a_bad_route_is_refused_at_its_field(obj: dict[str, Any], text: str) -> None:
    """The refusal is InvalidSpec and names the field and what to do."""
    with pytest.raises(Refused) as refusal:
        parse_route(obj)
    assert refusal.value.reason == "InvalidSpec"
    assert text in refusal.value.message


FARGATE: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing said": ({}, True),
    "launch type": ({"launchType": "FARGATE"}, True),
    "spot": ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}, True),
    "EC2": ({"launchType": "EC2"}, False),
    "own provider": ({"capacityProviderStrategy": [{"capacityProvider": "mine"}]}, False),
}


@pytest.mark.parametrize(("ecs", "expected"), FARGATE.values(), ids=FARGATE)
def test_fargate_is_the_default_capacity(ecs: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a column
    """Without launch type and providers tasks run on Fargate; providers of one's own do not."""
    assert parse_deployment(deployment(ecs=ecs)).settings.fargate is expected


def test_a_selector_is_checked_with_its_expressions() -> None:
    """Both matchLabels and matchExpressions must hold for the template's labels."""
    labelled = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
    terms = [
        {"key": "app", "operator": "In", "values": ["web"]},
        {"key": "tier", "operator": "DoesNotExist"},
    ]
    obj = deployment(template=labelled, selector={"matchLabels": {"app": "web"}, "matchExpressions": terms})
    assert parse_deployment(obj).labels == {"app": "web"}
    terms.append({"key": "app", "operator": "NotIn", "values": ["web"]})
    with pytest.raises(Refused, match=r"spec\.selector"):
        parse_deployment(obj)


def test_a_parsed_route_has_gateway_apis_defaults() -> None:
    """A backend without a weight has weight 1, a path without a type is a prefix by its absence."""
    rules = [{"name": "a", "matches": [{"path": {"value": "/x"}}], "backendRefs": [{"name": "w", "port": 1}]}]
    rule = (parse_route(route(rules=rules)).rules or [])[0]
    assert rule.backend_refs[0].weight == 1
    assert rule.matches is not None
    assert rule.matches[0].path is not None
    assert rule.matches[0].path.type is None


def test_a_route_may_have_a_name_alone() -> None:
    """`discovery` is valid without parentRefs and rules, and beside them."""
    alone = parse_route(discovery_route())
    assert (alone.parent_refs, alone.rules) == (None, None)
    both = parse_route(route(discovery=discovery_route()["spec"]["discovery"]))
    assert both.discovery == alone.discovery
