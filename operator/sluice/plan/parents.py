"""Where a ServiceRoute hangs: its parentRefs, and the listeners that they mean.

Both controllers must see the same (load balancer, listener) for a route, or a Deployment would make
target groups that no rule of the route can use. So the rule is here once, pure; who asks AWS is
`sluice.controllers.parents`.

A parent is named by `loadBalancerName` and `port`, or by `listenerArn`. A listener's ARN contains its
load balancer's (Elastic Load Balancing, "Resource types": `listener/app/<name>/<lb id>/<listener id>`),
so the second form needs no search.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.model.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ParentRef:
    """One entry of a route's `spec.parentRefs`; either the name and port or the ARN is set."""

    load_balancer: str = ""
    port: int = 0
    listener_arn: str = ""

    @property
    def name(self) -> str:
        """Return the text that names this parent in status: `shop-public:443` or the ARN."""
        return self.listener_arn or f"{self.load_balancer}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Parent:
    """A listener that a parentRef means, and its load balancer."""

    name: str
    """The parentRef's name."""
    listener_arn: str
    load_balancer_arn: str
    load_balancer_name: str
    vpc_id: str
    port: int
    protocol: str = "HTTP"


def parent_refs(route: Mapping[str, Any]) -> tuple[ParentRef, ...]:
    """Return the parentRefs of a raw ServiceRoute in the order of its spec, without repetitions.

    Entries that the CRD would refuse are left out: the route's own controller tells about them.
    """
    return _refs(route.get("spec", {}))


def tested_refs(route: Mapping[str, Any]) -> tuple[ParentRef, ...]:
    """Return the parentRefs of a raw ServiceRoute's test listeners."""
    return _refs(route.get("spec", {}).get("test") or {})


def _refs(block: Mapping[str, Any]) -> tuple[ParentRef, ...]:
    seen: dict[ParentRef, None] = {}
    for entry in block.get("parentRefs") or ():
        ref = ParentRef(
            load_balancer=entry.get("loadBalancerName") or "",
            port=int(entry.get("port") or 0),
            listener_arn=entry.get("listenerArn") or "",
        )
        if ref.listener_arn or (ref.load_balancer and ref.port):
            seen[ref] = None
    return tuple(seen)


def load_balancer_of(listener_arn: str) -> str:
    """Return the load balancer's ARN that a listener's (or a rule's) ARN contains."""
    head, _, path = listener_arn.partition(":listener")
    if not path:
        raise Refused(
            "ListenerNotFound",
            f"spec.parentRefs: {listener_arn} is not the ARN of a listener; "
            "use arn:aws:elasticloadbalancing:<region>:<account>:listener/app/<name>/<id>/<id>",
        )
    parts = path.removeprefix("-rule").strip("/").split("/")
    return f"{head}:loadbalancer/{'/'.join(parts[:3])}"


def choose_listener(
    ref: ParentRef, load_balancer: Mapping[str, Any] | None, listeners: Sequence[Mapping[str, Any]]
) -> Parent:
    """Return the listener that `ref` means, given its load balancer and that one's listeners.

    Raises Refused `ListenerNotFound` with what there is instead.
    """
    if load_balancer is None:
        what = ref.load_balancer or load_balancer_of(ref.listener_arn)
        raise Refused(
            "ListenerNotFound",
            f"parentRef {ref.name}: load balancer {what} does not exist in this account and region; "
            "create it or correct spec.parentRefs",
        )
    for listener in listeners:
        if listener["ListenerArn"] == ref.listener_arn or (
            not ref.listener_arn and listener.get("Port") == ref.port
        ):
            return Parent(
                name=ref.name,
                listener_arn=listener["ListenerArn"],
                load_balancer_arn=load_balancer["LoadBalancerArn"],
                load_balancer_name=load_balancer.get("LoadBalancerName", ""),
                vpc_id=load_balancer.get("VpcId", ""),
                port=int(listener.get("Port", 0)),
                protocol=listener.get("Protocol", "HTTP"),
            )
    known = ", ".join(str(port) for port in sorted(int(entry.get("Port", 0)) for entry in listeners))
    raise Refused(
        "ListenerNotFound",
        f"parentRef {ref.name}: load balancer {load_balancer.get('LoadBalancerName', '')} has no such "
        f"listener (its ports: {known or 'none'}); create the listener or correct spec.parentRefs",
    )


def backend_ports(route: Mapping[str, Any], deployment: str) -> tuple[str, ...]:
    """Return the `port` of each backendRef of a raw route that names `deployment`, '' when absent."""
    ports: dict[str, None] = {}
    for rule in route.get("spec", {}).get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            if backend.get("name") == deployment:
                ports[str(backend.get("port") or "")] = None
    return tuple(ports)


def deployments_of(routes: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the Deployments that raw routes send traffic to, or give a name in Cloud Map."""
    return frozenset(
        backend["name"]
        for route in routes
        for backend in (
            *(
                backend
                for rule in route.get("spec", {}).get("rules") or ()
                for backend in rule.get("backendRefs") or ()
            ),
            (route.get("spec", {}).get("discovery") or {}).get("backendRef") or {},
        )
        if backend.get("name")
    )
