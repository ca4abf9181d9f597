"""Asks AWS which listener a parentRef means; the rule itself is pure, in `plan.parents`."""

from __future__ import annotations

from sluice.model.binding import CallContext
from sluice.plan.parents import Parent, ParentRef, choose_listener, load_balancer_of
from sluice.ports import Facts


def resolve_parent(facts: Facts, context: CallContext, ref: ParentRef) -> Parent:
    """Return the listener of `ref`. Raises Refused(ListenerNotFound); it heals when it is back."""
    wanted = load_balancer_of(ref.listener_arn) if ref.listener_arn else ref.load_balancer
    balancer = facts.load_balancer(context, wanted)
    listeners = facts.listeners(context, balancer["LoadBalancerArn"]) if balancer else ()
    return choose_listener(ref, balancer, listeners)
