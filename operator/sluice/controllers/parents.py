"""Asks AWS which listeners a route's parentRefs mean; the rule itself is `sluice.plan.parents`."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.model.binding import CallContext
from sluice.plan.parents import Parent, ParentRef, choose_listener, load_balancer_of
from sluice.ports import Facts


def resolve(facts: Facts, context: CallContext, ref: ParentRef) -> Parent:
    """Return the listener that `ref` means; raises Refused `ListenerNotFound`.

    Load balancers and listeners come from the collectors' ten-minute cache.
    """
    wanted = ref.load_balancer or load_balancer_of(ref.listener_arn)
    load_balancer = facts.load_balancer(context, wanted)
    listeners = facts.listeners(context, load_balancer["LoadBalancerArn"]) if load_balancer else ()
    return choose_listener(ref, load_balancer, listeners)


def resolve_all(facts: Facts, context: CallContext, refs: Iterable[ParentRef]) -> tuple[Parent, ...]:
    """Return the listeners of all `refs`, without repetitions, ordered as given."""
    return tuple(dict.fromkeys(resolve(facts, context, ref) for ref in refs))
