"""A parentRef becomes a listener: by its ARN, or by the load balancer's name and the port."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.model.binding import CallContext
from sluice.model.errors import AwsFailure, Refused
from sluice.ports import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listener that a parentRef names."""

    name: str
    """`<load balancer>:<port>`, for people."""
    arn: str
    port: int
    load_balancer_arn: str
    load_balancer_name: str
    vpc_id: str


def resolve_listener(
    facts: Facts, context: CallContext, *, load_balancer: str, port: int | None, listener_arn: str
) -> Listener:
    """Return the listener. Raises Refused(ListenerNotFound), which heals when it comes back.

    Either `listener_arn`, or `load_balancer` (name) and `port`.
    """
    if listener_arn:
        found = facts.listener(context, listener_arn)
        if found is None:
            raise Refused(
                "ListenerNotFound",
                f"spec.parentRefs: listener {listener_arn} does not exist; create it or correct the ARN",
            )
        balancer = facts.load_balancer(context, found["LoadBalancerArn"])
    else:
        balancer = facts.load_balancer(context, load_balancer)
        if balancer is None:
            raise Refused(
                "ListenerNotFound",
                f"spec.parentRefs: load balancer {load_balancer} does not exist in {context.binding};"
                " create it or correct the name",
            )
        found = next(
            (
                listener
                for listener in facts.listeners(context, balancer["LoadBalancerArn"])
                if int(listener["Port"]) == port
            ),
            None,
        )
        if found is None:
            raise Refused(
                "ListenerNotFound",
                f"spec.parentRefs: load balancer {load_balancer} has no listener on port {port};"
                " create it or correct the port",
            )
    if balancer is None:
        raise AwsFailure(
            service="elbv2",
            operation="DescribeLoadBalancers",
            code="LoadBalancerNotFound",
            message=f"the load balancer of listener {listener_arn} is gone",
            kind="not-found",
        )
    name = str(balancer["LoadBalancerName"])
    return Listener(
        name=f"{name}:{found['Port']}",
        arn=found["ListenerArn"],
        port=int(found["Port"]),
        load_balancer_arn=balancer["LoadBalancerArn"],
        load_balancer_name=name,
        vpc_id=str(balancer.get("VpcId", "")),
    )
