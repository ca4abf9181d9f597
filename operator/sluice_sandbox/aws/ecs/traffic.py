"""Which target group each revision of a service uses, and the listener rules that share traffic among them.

A load balancer of a native deployment has two groups, targetGroupArn and alternateTargetGroupArn. A new
revision takes the one that the production revision does not use, and the rules' weights move from one
to the other (ECS developer guide, "Application Load Balancer resources for blue/green"). A rolling
deployment stays in the group that carries production.
"""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import owner
from sluice_sandbox.aws.ecs.narration import Narrator
from sluice_sandbox.aws.ecs.stages import is_native
from sluice_sandbox.aws.ecs.state import Deployment, Service

TENTHS = 1000
"""Weights are percents; where a percent has a tenth, parts of a thousand (999 is the largest)."""


def pair_of(balancer: dict[str, Any]) -> tuple[str, str]:
    """Return a load balancer's own and its alternate target group, '' where it has no alternate."""
    advanced = balancer.get("advancedConfiguration") or {}
    return str(balancer.get("targetGroupArn", "")), str(advanced.get("alternateTargetGroupArn") or "")


def production_deployment(service: Service) -> Deployment | None:
    """Return the deployment that production traffic belongs to: the last completed one, else the oldest."""
    for deployment in service.deployments:
        if deployment.revision_arn == service.completed_revision_arn:
            return deployment
    return service.deployments[-1] if service.deployments else None


def choose_groups(service: Service) -> dict[str, str]:
    """Return, for a service's present spec, the group in use by each targetGroupArn that has an alternate."""
    before = production_deployment(service)
    used: set[str] = set()
    if before is not None:
        for balancer in before.spec.get("loadBalancers") or ():
            own = str(balancer.get("targetGroupArn", ""))
            used.add(before.groups.get(own, own))
    native = is_native(service.spec["deploymentConfiguration"])
    chosen = {}
    for balancer in service.spec.get("loadBalancers") or ():
        own, alternate = pair_of(balancer)
        if not alternate:
            continue
        swap = own in used if native else alternate in used and own not in used
        chosen[own] = alternate if swap else own
    return chosen


def same_groups(one: Deployment, other: Deployment) -> bool:
    """Tell whether two deployments use the same group of each pair that both have."""
    return all(other.groups.get(own, group) == group for own, group in one.groups.items())


def weights(pair: tuple[str, str], *, to: str, percent: float) -> dict[str, int]:
    """Return the weights that give `percent` of the traffic to group `to` and the rest to the other."""
    scale = 100 if float(percent).is_integer() else TENTHS
    share = round(percent * scale / 100)
    return {group: share if group == to else scale - share for group in pair}


class Traffic:
    """Writes the rules."""

    def __init__(self, core: Core, narrator: Narrator) -> None:
        """Reach the rules through `core`'s ports."""
        self._core = core
        self._narrator = narrator

    def shift(self, service: Service, deployment: Deployment, percent: float, *, test: bool) -> bool:
        """Give a deployment `percent` of the traffic; False when a rule could not be written.

        `test` moves the test rules, otherwise the production rules; balancers without are passed over.
        """
        rules = self._core.ports.traffic_rules
        member = "testListenerRule" if test else "productionListenerRule"
        done = True
        for balancer in deployment.spec.get("loadBalancers") or ():
            pair = pair_of(balancer)
            arn = (balancer.get("advancedConfiguration") or {}).get(member)
            if rules is None or not arn or not pair[1]:
                continue
            to = deployment.groups.get(pair[0], pair[0])
            wanted = weights(pair, to=to, percent=percent)
            error = rules.set_weights(owner(service.arn), arn, wanted)
            if error:
                done = False
                # Wording from memory.
                self._narrator.say_once(
                    service, "rules", f"failed to modify (listener-rule {arn}) with (error {error})."
                )
        if done:
            self._narrator.forget(service, "rules")
        return done

    def has_test_rule(self, deployment: Deployment) -> bool:
        """Tell whether test traffic can be shifted at all."""
        return any(
            (balancer.get("advancedConfiguration") or {}).get("testListenerRule")
            for balancer in deployment.spec.get("loadBalancers") or ()
        )
