"""The ServiceRoute resource: which requests of a load balancer go to which Deployments, and under which name.

The words are Gateway API's (HTTPRoute) where it has them; parents are AWS load balancers, or single
listeners, instead of Gateways. A route may have rules on listeners, a name in AWS Cloud Map
(`discovery`), or both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from sluice.api.v1alpha1.container import DNS_LABEL, Port
from sluice.api.v1alpha1.discovery import Discovery, discovery_problems
from sluice.api.v1alpha1.parse import Problem, parse_spec
from sluice.api.v1alpha1.schema import Cel, IntOrString, Schema, Typed, atomic, list_map, unique

HOSTNAME = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LISTENER_ARN = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/.+$"
CIDR = r"^[0-9a-fA-F:.]+/[0-9]{1,3}$"
_TEST_PARENTS = "a test listener appears once and carries no production rules; choose another listener"
_TOGETHER = "parentRefs and rules go together; add the other one"
_SOMETHING = "a route needs parentRefs and rules, or discovery, or both"
_ALIAS_PARENTS = "discovery mode Alias points at the load balancers of parentRefs; add parentRefs and rules"
_OF_RULES = "hostnames and test go with rules; remove them, or add parentRefs and rules"
Methods = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]


class ParentRef(Typed):
    """A listener of a load balancer."""

    load_balancer_name: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    """Name of an Application Load Balancer."""
    port: Port | None = None
    """Port of its listener."""
    listener_arn: Annotated[str, Field(max_length=2048, pattern=LISTENER_ARN)] | None = None
    """ARN of a listener, instead of loadBalancerName and port."""
    cel = (
        Cel(
            rule="has(self.listenerArn) != has(self.loadBalancerName)",
            message="exactly one of listenerArn and loadBalancerName is needed; keep one",
        ),
        Cel(
            rule="has(self.loadBalancerName) == has(self.port)",
            message="port goes with loadBalancerName, and loadBalancerName needs it",
        ),
    )


class PathMatch(Typed):
    """Condition on the path."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] | None = None
    """How the value is read; absent: PathPrefix (by path elements, as Gateway API has it)."""
    value: Annotated[str, Field(min_length=1, max_length=128)]
    """The path, its prefix or an expression."""
    cel = (
        Cel(
            rule="has(self.type) && self.type == 'RegularExpression' || self.value.startsWith('/')",
            message="a path starts with /",
            field_path=".value",
        ),
    )


class HeaderMatch(Typed):
    """Condition on a header."""

    type: Literal["Exact", "RegularExpression"] | None = None
    """How the value is read; absent: Exact."""
    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~`-]+$")]
    """Name, in any case."""
    value: Annotated[str, Field(min_length=1, max_length=128)]
    """Value."""


class QueryParamMatch(Typed):
    """Condition on a query parameter."""

    type: Literal["Exact"] | None = None
    """How the value is read; absent: Exact, the only one that ALB has."""
    name: Annotated[str, Field(min_length=1, max_length=128)]
    """Name."""
    value: Annotated[str, Field(min_length=1, max_length=128)]
    """Value."""


class RouteMatch(Typed):
    """Conditions that must all hold."""

    path: PathMatch | None = None
    """Condition on the path."""
    headers: Annotated[list[HeaderMatch], list_map("name", most=5)] | None = None
    """Conditions on headers."""
    query_params: Annotated[list[QueryParamMatch], list_map("name", most=5)] | None = None
    """Conditions on query parameters."""
    method: Methods | None = None
    """HTTP method."""
    source_ips: Annotated[list[Annotated[str, Field(max_length=49, pattern=CIDR)]], unique(most=5)] | None = (
        Field(default=None, alias="sourceIPs")
    )
    """CIDR blocks of clients, one of which must hold."""


class BackendRef(Typed):
    """A Deployment of the same namespace."""

    name: Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
    """Name of a Deployment (sluice.dev)."""
    port: Annotated[IntOrString, Schema({"maxLength": 63})]
    """Name or number of its container port."""
    weight: Annotated[int, Field(ge=0, le=999)] = 1
    """Share among the rule's backends; absent: 1."""


class SessionPersistence(Typed):
    """Keep a client on the target group that it met first (ALB's target-group stickiness)."""

    duration_seconds: Annotated[int, Field(ge=1, le=604_800)]
    """How long after its last request. A Progressive backend needs a bake at least as long."""


class TestListeners(Typed):
    """Listeners on which a candidate can be reached before any request of production is."""

    __test__ = False
    parent_refs: Annotated[list[ParentRef], atomic(most=8, least=1)]
    """Listeners; none of spec.parentRefs."""


class RouteRule(Typed):
    """Requests and where they go."""

    name: Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
    """Identity of its ALB rules."""
    matches: Annotated[list[RouteMatch], atomic(most=16)] | None = None
    """Conditions, one of which must hold; absent: every request for the hostnames."""
    backend_refs: Annotated[list[BackendRef], atomic(most=5, least=1)]
    """Where the requests go, by weight."""
    session_persistence: SessionPersistence | None = None
    """Keep clients on one target group; absent: each request goes by weight."""
    priority: Annotated[int, Field(ge=1, le=50_000)] | None = None
    """Priority of its first ALB rule; absent: by Gateway API's precedence inside the reserved range."""
    cel = (
        Cel(
            rule="self.backendRefs.exists(b, !has(b.weight) || b.weight > 0)",
            message="at least one backend needs a weight above 0",
            field_path=".backendRefs",
        ),
        Cel(
            rule="self.backendRefs.all(b, self.backendRefs.exists_one(o, o.name == b.name && o.port == "
            "b.port))",
            message="a backend and port may appear once in a rule; add the weights up",
            field_path=".backendRefs",
        ),
    )


class ServiceRouteSpec(Typed):
    """Listeners, host names and rules; a name in Cloud Map."""

    parent_refs: Annotated[list[ParentRef], atomic(most=8, least=1)] | None = None
    """Listeners that carry the rules; none for a route with discovery alone."""
    hostnames: (
        Annotated[list[Annotated[str, Field(max_length=128, pattern=HOSTNAME)]], unique(most=16)] | None
    ) = None
    """Host names, *.example.com for all below; absent: every host."""
    rules: Annotated[list[RouteRule], list_map("name", most=32), Schema({"minItems": 1})] | None = None
    """Which requests go where."""
    test: TestListeners | None = None
    """Listeners that carry the same rules but reach the candidate of a progressive rollout, and what is
    live when there is none."""
    discovery: Discovery | None = None
    """A name in AWS Cloud Map for the tasks of a Deployment or for the load balancers."""
    cel = (
        Cel(rule="has(self.parentRefs) == has(self.rules)", message=_TOGETHER),
        Cel(rule="has(self.rules) || has(self.discovery)", message=_SOMETHING),
        Cel(
            rule="!has(self.discovery) || self.discovery.mode != 'Alias' || has(self.parentRefs)",
            message=_ALIAS_PARENTS,
            field_path=".discovery",
        ),
        Cel(rule="has(self.rules) || !has(self.hostnames) && !has(self.test)", message=_OF_RULES),
        Cel(
            rule="!has(self.test) || !has(self.parentRefs) || self.test.parentRefs.all(t, "
            "self.test.parentRefs.exists_one(o, o == t) && !self.parentRefs.exists(p, "
            "has(p.listenerArn) == has(t.listenerArn) && (has(p.listenerArn) ? "
            "p.listenerArn == t.listenerArn : "
            "p.port == t.port && p.loadBalancerName == t.loadBalancerName)))",
            message=_TEST_PARENTS,
            field_path=".test",
        ),
        Cel(
            rule="!has(self.parentRefs) || self.parentRefs.all(p, self.parentRefs.exists_one(o, o == p))",
            message="each parent may appear once; remove the repetition",
            field_path=".parentRefs",
        ),
    )


def parse_route(obj: Mapping[str, Any]) -> ServiceRouteSpec:
    """Return the spec of a ServiceRoute object as the API server gives it.

    Raises Refused("InvalidSpec") with one message for all problems.
    """
    spec, problems = parse_spec(ServiceRouteSpec, obj)
    if spec is not None:
        problems.extend(_across_fields(spec))
    return Problem.none_or_refuse(spec, problems)


def _across_fields(spec: ServiceRouteSpec) -> list[Problem]:
    """Check what the CEL rules check, for objects that an older CRD let through."""
    parents, discovery = spec.parent_refs or [], spec.discovery
    whole = (
        (bool(parents) != bool(spec.rules), _TOGETHER),
        (not spec.rules and discovery is None, _SOMETHING),
        (not spec.rules and bool(spec.hostnames or spec.test), _OF_RULES),
    )
    problems = [Problem("spec", text) for wrong, text in whole if wrong]
    if discovery is not None:
        problems += discovery_problems(discovery)
        if discovery.mode == "Alias" and not parents:
            problems.append(Problem("spec.discovery", _ALIAS_PARENTS))
    for index, parent in enumerate(parents):
        if (parent.listener_arn is None) == (parent.load_balancer_name is None):
            text = "exactly one of listenerArn and loadBalancerName is needed; keep one"
            problems.append(Problem(f"spec.parentRefs[{index}]", text))
        elif (parent.load_balancer_name is None) != (parent.port is None):
            text = "port goes with loadBalancerName, and loadBalancerName needs it"
            problems.append(Problem(f"spec.parentRefs[{index}]", text))
    for index, rule in enumerate(spec.rules or ()):
        if not any(ref.weight for ref in rule.backend_refs):
            text = "at least one backend needs a weight above 0"
            problems.append(Problem(f"spec.rules[{index}].backendRefs", text))
    tests = spec.test.parent_refs if spec.test else []
    if any(ref in parents or tests.count(ref) > 1 for ref in tests):
        problems.append(Problem("spec.test", _TEST_PARENTS))
    return problems
