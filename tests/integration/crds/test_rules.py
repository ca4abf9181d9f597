"""Every rule of the CRDs in the real API server: what passes, what is refused, and how that reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api_samples import deployment, discovery_route, route, sample_of, schema_at, spec_field, with_field
from progressive_samples import CASES as PROGRESSIVE
from progressive_samples import MISSPELT
from sluice.api.crdgen.crds import crds
from sluice.api.crdgen.table import lines
from sluice.model.keys import API_VERSION, PLURALS
from sluice_sandbox.controlplane.cluster import Cluster

pytestmark = pytest.mark.integration

Json = dict[str, Any]
_EC2 = {"launchType": "EC2", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}
_DEFINITION = {"containerDefinitions": [{"name": "a", "image": "b"}]}
_BACKEND = {"name": "web", "port": "http", "weight": 1}


def _rule(**members: Any) -> Json:
    return route(rules=[{"name": "main", "backendRefs": [_BACKEND]} | members])


_A = {"records": [{"type": "A", "ttlSeconds": 10}]}
_NAMED = {"name": "corp.local"}
_HTTP = _NAMED | {"create": {"type": "HTTP"}}


def _alias(**members: Any) -> Json:
    discovery = {"mode": "Alias", "namespaceRef": _NAMED, "serviceName": "web", "dns": _A} | members
    return route(discovery={key: value for key, value in discovery.items() if value is not None})


def _container(**members: Any) -> Json:
    return deployment(template={"spec": {"containers": [{"name": "app", "image": "nginx"} | members]}})


def _named(name: str) -> Json:
    obj = deployment()
    obj["metadata"]["name"] = name
    return obj


def _pod(obj: Json, **members: Any) -> Json:
    obj["spec"]["template"]["spec"] |= members
    return obj


_LABELLED = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "nginx"}]},
}
_ELEVEN = [{"name": f"c{index}", "image": "nginx"} for index in range(6)]
_INIT = [{"name": f"i{index}", "image": "nginx"} for index in range(5)]

# id: (object that passes, object that is refused, what a person reads)
CASES: dict[str, tuple[Json, Json, str]] = {
    "name": (_named("web-1"), _named("web.1"), "metadata.name must be a DNS label"),
    "template or taskDefinition": (
        deployment(template=None, taskDefinition=_DEFINITION),
        deployment(taskDefinition=_DEFINITION),
        "exactly one of template and taskDefinition is needed; keep one",
    ),
    "selector": (
        deployment(template=_LABELLED, selector={"matchLabels": {"app": "web"}}),
        deployment(template=_LABELLED, selector={"matchLabels": {"app": "other"}}),
        "spec.selector: Invalid value: selector does not match the labels of template.metadata",
    ),
    "hostNetwork on Fargate": (
        _pod(deployment(ecs=_EC2), hostNetwork=True),
        _pod(deployment(), hostNetwork=True),
        "Fargate tasks have their own address; remove template.spec.hostNetwork",
    ),
    "hostPID on Fargate": (
        _pod(deployment(ecs=_EC2), hostPID=True),
        _pod(deployment(), hostPID=True),
        "Fargate shares no host; remove template.spec.hostPID and hostIPC",
    ),
    "grace period on Fargate": (
        _pod(deployment(ecs=_EC2), terminationGracePeriodSeconds=600),
        _pod(deployment(), terminationGracePeriodSeconds=121),
        "Fargate waits 120 seconds at most",
    ),
    "privileged on Fargate": (
        with_field("spec.initContainers[].securityContext.privileged", True, deployment(ecs=_EC2)),
        with_field("spec.initContainers[].securityContext.privileged", True),
        "Fargate runs no privileged containers",
    ),
    "ecs.volumes with taskDefinition": (
        spec_field("ecs.volumes", [{"name": "a"}]),
        deployment(template=None, taskDefinition=_DEFINITION, ecs={"volumes": [{"name": "a"}]}),
        "ecs.volumes goes with template",
    ),
    "eleven containers": (
        deployment(template={"spec": {"containers": _ELEVEN, "initContainers": _INIT[:4]}}),
        deployment(template={"spec": {"containers": _ELEVEN, "initContainers": _INIT}}),
        "ECS runs at most 10 containers in a task",
    ),
    "same name twice": (
        with_field("spec.initContainers[].name", "init"),
        with_field("spec.initContainers[].name", "app"),
        "containers and initContainers share one list in ECS",
    ),
    "probe of an init container": (
        with_field(
            "spec.initContainers[].livenessProbe",
            {"exec": {"command": ["a"]}},
            with_field("spec.initContainers[].restartPolicy", "Always"),
        ),
        with_field("spec.initContainers[].livenessProbe", {"exec": {"command": ["a"]}}),
        "an init container that ends takes no probes",
    ),
    "two handlers of a probe": (
        _container(readinessProbe={"httpGet": {"port": 80}}),
        _container(readinessProbe={"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}),
        "a probe asks in exactly one way: keep one of exec, httpGet, tcpSocket and grpc",
    ),
    "no handler of a probe": (
        _container(livenessProbe={"exec": {"command": ["a"]}, "periodSeconds": 5}),
        _container(livenessProbe={"periodSeconds": 5}),
        "a probe asks in exactly one way: keep one of exec, httpGet, tcpSocket and grpc",
    ),
    "value and valueFrom": (
        _container(
            env=[{"name": "A", "value": "", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
        ),
        _container(
            env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
        ),
        "value and valueFrom exclude each other; keep one",
    ),
    "launchType and providers": (
        spec_field("ecs.launchType", "FARGATE"),
        deployment(ecs={"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "a"}]}),
        "launchType and capacityProviderStrategy exclude each other; keep one",
    ),
    "reserved tags": (
        spec_field("ecs.tags", {"team": "shop"}),
        spec_field("ecs.tags", {"aws:x": "y"}),
        "tag keys that start with aws: or sluice.dev/ are reserved",
    ),
    "placement on Fargate": (
        deployment(ecs=_EC2 | {"placementStrategy": [{"type": "random"}]}),
        spec_field("ecs.placementStrategy", [{"type": "random"}]),
        "Fargate takes no placementConstraints or placementStrategy",
    ),
    "surge amount": (
        spec_field("strategy.rollingUpdate", {"maxSurge": "150%", "maxUnavailable": 1}),
        spec_field("strategy.rollingUpdate", {"maxSurge": "half"}),
        "a number of tasks (2) or a percentage (50%), not negative",
    ),
    "surge and unavailable": (
        spec_field("strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": "25%"}),
        spec_field("strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": "0%"}),
        "maxSurge and maxUnavailable can't both be 0",
    ),
    "rollingUpdate with Recreate": (
        spec_field("strategy", {"type": "RollingUpdate", "rollingUpdate": {}}),
        spec_field("strategy", {"type": "Recreate", "rollingUpdate": {}}),
        "rollingUpdate goes with type RollingUpdate only; remove it",
    ),
    "parent": (
        route(),
        route(parentRefs=[{"port": 80}]),
        "exactly one of listenerArn and loadBalancerName is needed; keep one",
    ),
    "parent's port": (
        route(
            parentRefs=[
                {"listenerArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/a/b/c"}
            ]
        ),
        route(parentRefs=[{"loadBalancerName": "sandbox"}]),
        "port goes with loadBalancerName, and loadBalancerName needs it",
    ),
    "test listener": (
        route(test={"parentRefs": [{"loadBalancerName": "sandbox", "port": 8443}]}),
        route(test={"parentRefs": [{"loadBalancerName": "sandbox", "port": 80}]}),
        "a test listener appears once and carries no production rules; choose another listener",
    ),
    "parent twice": (
        route(parentRefs=[{"loadBalancerName": "a", "port": 80}, {"loadBalancerName": "a", "port": 443}]),
        route(parentRefs=[{"loadBalancerName": "a", "port": 80}, {"loadBalancerName": "a", "port": 80}]),
        "each parent may appear once; remove the repetition",
    ),
    "path": (
        _rule(matches=[{"path": {"type": "RegularExpression", "value": "^/a"}}]),
        _rule(matches=[{"path": {"value": "a"}}]),
        "a path starts with /",
    ),
    "weights": (
        _rule(backendRefs=[_BACKEND, _BACKEND | {"name": "other", "weight": 0}]),
        _rule(backendRefs=[_BACKEND | {"weight": 0}]),
        "at least one backend needs a weight above 0",
    ),
    "backend twice": (
        _rule(backendRefs=[_BACKEND, _BACKEND | {"port": 8080}]),
        _rule(backendRefs=[_BACKEND, _BACKEND]),
        "a backend and port may appear once in a rule; add the weights up",
    ),
    "parents and rules": (
        discovery_route(),
        route(rules=None),
        "parentRefs and rules go together; add the other one",
    ),
    "something": (
        route(),
        route(parentRefs=None, rules=None),
        "a route needs parentRefs and rules, or discovery, or both",
    ),
    "hostnames of rules": (
        route(hostnames=["a.example.com"], discovery=discovery_route()["spec"]["discovery"]),
        route(
            parentRefs=None,
            rules=None,
            hostnames=["a.example.com"],
            discovery=discovery_route()["spec"]["discovery"],
        ),
        "hostnames and test go with rules; remove them, or add parentRefs and rules",
    ),
    "alias without a load balancer": (
        _alias(),
        route(parentRefs=None, rules=None, discovery=_alias()["spec"]["discovery"]),
        "discovery mode Alias points at the load balancers of parentRefs; add parentRefs and rules",
    ),
    "backend of the mode": (
        discovery_route(mode="ECS"),
        discovery_route(backendRef=None),
        "mode Tasks and mode ECS need backendRef; mode Alias points at the load balancers of parentRefs",
    ),
    "DNS in an HTTP namespace": (
        discovery_route(namespaceRef=_HTTP, dns=None),
        discovery_route(namespaceRef=_HTTP),
        "an HTTP namespace has no DNS; remove dns, or create a DNS_PRIVATE or DNS_PUBLIC namespace",
    ),
    "no record in a DNS namespace": (
        discovery_route(namespaceRef=_NAMED, dns=None),
        discovery_route(dns=None),
        "a namespace with DNS needs dns.records; add them, for instance {type: A, ttlSeconds: 10}",
    ),
    "SRV beside another record": (
        discovery_route(dns={"records": [{"type": "SRV", "ttlSeconds": 10}]}),
        discovery_route(dns={"records": [{"type": "A", "ttlSeconds": 9}, {"type": "SRV", "ttlSeconds": 9}]}),
        "AWS Cloud Map has SRV records in a service of their own; keep SRV alone, or A and AAAA",
    ),
    "records of an alias": (
        _alias(dns={"records": [{"type": "A", "ttlSeconds": 10}, {"type": "AAAA", "ttlSeconds": 10}]}),
        _alias(dns={"records": [{"type": "SRV", "ttlSeconds": 10}]}),
        "mode Alias needs dns.records of type A or AAAA; AWS points no SRV record at a load balancer",
    ),
    "routing of an alias": (
        _alias(dns=_A | {"routingPolicy": "WEIGHTED"}),
        _alias(dns=_A | {"routingPolicy": "MULTIVALUE"}),
        "mode Alias has routingPolicy WEIGHTED only (AWS Cloud Map); remove dns.routingPolicy",
    ),
    "attributes of ECS's entries": (
        discovery_route(attributes={"team": "shop"}),
        discovery_route(mode="ECS", attributes={"team": "shop"}),
        "ECS registers its tasks with attributes of its own; use mode Tasks or remove attributes",
    ),
    "reserved attributes": (
        discovery_route(attributes={"region": "eu"}),
        discovery_route(attributes={"slot": "a"}),
        "and AVAILABILITY_ZONE, revision and slot are reserved; choose others",
    ),
    "names of attributes": (
        discovery_route(attributes={"a/b": "c d"}),
        discovery_route(attributes={"a b": "c"}),
        "names of attributes have 1 to 255 printable characters without spaces",
    ),
    "namespace by name or id": (
        discovery_route(namespaceRef={"id": "ns-abc123"}),
        discovery_route(namespaceRef=_NAMED | {"id": "ns-abc123"}),
        "exactly one of name and id is needed; keep one",
    ),
    "a namespace is made by name": (
        discovery_route(namespaceRef=_NAMED | {"create": {"type": "DNS_PUBLIC"}}),
        discovery_route(namespaceRef={"id": "ns-abc123", "create": {"type": "DNS_PUBLIC"}}),
        "create goes with name: AWS chooses the id of a new namespace",
    ),
    "VPC of a private namespace": (
        discovery_route(),
        discovery_route(namespaceRef=_NAMED | {"create": {"type": "DNS_PRIVATE"}}),
        "vpc goes with type DNS_PRIVATE, which needs it",
    ),
}
CASES |= PROGRESSIVE
REFUSED = [line for line in lines() if line.answer.kind == "refused" and not line.answer.when]


def _create(cluster: Cluster, namespace: str, obj: Json) -> tuple[int, str]:
    """Send a dry-run create as kubectl does (strict), return status and the message."""
    plural = PLURALS[obj["kind"]]
    body = obj | {"metadata": obj["metadata"] | {"namespace": namespace}}
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}?dryRun=All&fieldValidation=Strict"
    status, text = cluster.exchange("POST", path, payload=json.dumps(body))
    return status, json.loads(text).get("message", "")


@pytest.mark.parametrize("case", CASES)
def test_a_rule_lets_the_good_object_pass(case: str, control_plane: Cluster, namespace: str) -> None:
    """The object that keeps the rule is created."""
    assert _create(control_plane, namespace, CASES[case][0]) == (201, "")


@pytest.mark.parametrize("case", CASES)
def test_a_rule_refuses_the_bad_object(case: str, control_plane: Cluster, namespace: str) -> None:
    """The object that breaks the rule is refused, and a person reads what to do."""
    _, bad, text = CASES[case]
    status, message = _create(control_plane, namespace, bad)
    assert (status, text in message) == (422, True), message


def test_a_field_without_translation_is_refused_where_it_is(control_plane: Cluster, namespace: str) -> None:
    """What docs/translation.md refuses the API server refuses, at its path and in those words."""
    wrong = {}
    for line in REFUSED:
        path = line.path.removeprefix("spec.template.")
        status, message = _create(control_plane, namespace, with_field(path, sample_of(schema_at(path))))
        where = line.path.removesuffix("[]").replace("[]", "[0]")
        if status != 422 or line.answer.text not in message or where not in message:
            wrong[line.path] = (status, message)
    assert wrong == {}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_value_out_of_shape_is_refused_where_it_is(
    name: str, control_plane: Cluster, namespace: str
) -> None:
    """Patterns, enums and ranges are the API server's too, with the field's path in the answer."""
    obj, where = MISSPELT[name]
    status, message = _create(control_plane, namespace, obj)
    assert (status, where in message) == (422, True), message


def test_every_rule_has_a_case() -> None:
    """No rule is in the CRDs whose text no test reads."""
    read = {text for _, _, text in CASES.values()} | {line.answer.text for line in REFUSED}
    unread = {
        message
        for message in _messages(list(crds().values()))
        if not any(_about(text, message) for text in read)
    }
    assert unread == set()


def _about(text: str, message: str) -> bool:
    return message in text or text.rsplit("Invalid value: ", maxsplit=1)[-1] in message


def _messages(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for rule in node.get("x-kubernetes-validations", ()):
            yield rule["message"]
        for child in node.values():
            yield from _messages(child)
    elif isinstance(node, list):
        for child in node:
            yield from _messages(child)
