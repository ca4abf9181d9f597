"""Where a rollout can stand, what can go wrong there, and what people do to end it.

For the law that every rollout can be ended: `stand` brings a universe to a stage, a trouble is a plain
function of a universe, `mend` ends each of them, and `over` tells whether the rollout that stood there has
gone. An observer asks AWS at every write of the operator whether somebody would be sent to a slot without a
healthy target, or tasks be taken from under a rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim import console
from sim.operator_process import BINDING
from sim.progressive_chaos import TAKEN, ProgressiveObserver
from sim.progressive_stories import BLUE_GREEN, QUICK, verb, web
from sim.stories import apply
from sim.universe import LEDGER, ROUTE, WEB, Universe, deployment, route
from sluice.model import ownership
from sluice.model.tenancy import Tenancy, permissive_rule

Do = Callable[[Universe], None]
_FOREIGN = 77
"""Priority of the rule that a person makes by hand."""


class Watcher(ProgressiveObserver):
    """A hook's task is of no service: no requests reach it, so there is nothing to judge."""

    def _judge(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation not in ("RunTask", "StopTask"):
            super()._judge(service, operation, params)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stage, and the strategy (and spec) that stands there until somebody does something."""

    stage: str
    strategy: Mapping[str, Any] = field(default_factory=lambda: BLUE_GREEN)
    step: int | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)


def _strategy(*steps: dict[str, Any], **members: Any) -> dict[str, Any]:
    body = {"steps": [*steps, {"setWeight": 100}], "drain": QUICK}
    return {"type": "Progressive", "progressive": body | members}


def _hook(stage: str) -> dict[str, Any]:
    task = {"container": "app", "command": ["wait"]}
    return {"hooks": [{"name": "check", "stage": stage, "timeout": "6h", "runTask": task}]}


def _hooked(stage: str) -> Place:
    return Place(stage=stage, strategy=_strategy(**_hook(stage)))


_PAUSE: dict[str, Any] = {"pause": {}}
PLACES: Mapping[str, Place] = {
    "paused before it starts": Place(stage="Starting", spec={"paused": True}),
    "PreScaleUp": _hooked("PreScaleUp"),
    "tasks that do not start": Place(stage="ScalingUp", spec={"env": {"SANDBOX_START_DELAY_S": "9000"}}),
    "PostScaleUp": _hooked("PostScaleUp"),
    "PreTraffic": _hooked("PreTraffic"),
    "0 %": Place(stage="Stepping", step=1, strategy=_strategy({"setWeight": 0}, _PAUSE)),
    "a header": Place(
        stage="Stepping",
        step=1,
        strategy=_strategy({"setHeaderRoute": {"header": "x-canary", "value": "1"}}, _PAUSE),
    ),
    "50 %": Place(stage="Stepping", step=1, strategy=_strategy({"setWeight": 50}, _PAUSE)),
    "PostTraffic": _hooked("PostTraffic"),
    "Baking": Place(stage="Baking", strategy=_strategy(bake={"duration": "5h"})),
    "PostBake": _hooked("PostBake"),
    "Draining": Place(stage="Draining", strategy=_strategy(drain={"propagationDelaySeconds": 300})),
}


def begin(*, routed: bool = True) -> Universe:
    """Return a universe in which web:1 is live, with a route to it or with none."""
    universe = Universe(seed=7)
    universe.seen_world = Watcher(universe)
    universe.restart()
    console.add_bystanders(universe)
    apply(web(strategy=BLUE_GREEN), *([route()] if routed else []))(universe)
    universe.settle(lambda: universe.ready(*([WEB, ROUTE] if routed else [WEB])))
    return universe


def stand(place: str, *, routed: bool = True, **spec: Any) -> Universe:
    """Return a universe whose rollout to web:2 stands at a place."""
    universe = begin(routed=routed)
    go(universe, place, **spec)
    return universe


def go(universe: Universe, place: str, **spec: Any) -> None:
    """Ask for web:2 and wait until its rollout stands at a place."""
    there = PLACES[place]
    apply(web("web:2", strategy=dict(there.strategy), **{**there.spec, **spec}))(universe)

    def stands() -> bool:
        rollout = universe.status().get("rollout") or {}
        return rollout.get("stage") == there.stage and rollout.get("stepIndex", 0) >= (there.step or 0)

    universe.settle(stands, within=120)


# What goes wrong.


def misspell(universe: Universe) -> None:
    """Let the route name a backend that is not there, beside the one that is."""
    apply(route(backends={"web": 1, "wbe": 1}))(universe)


def _new_match(*refs: dict[str, Any]) -> Do:
    manifest = route()
    manifest["spec"]["rules"][0]["matches"].append({"path": {"value": "/more"}})
    manifest["spec"]["rules"][0]["backendRefs"] = list(refs)
    return apply(manifest)


def match_to_nobody(universe: Universe) -> None:
    """Let the route's rule have another match, and beside web a backend that is not there."""
    _new_match({"name": "web", "port": "http"}, {"name": "wbe", "port": "http"})(universe)


def unknown_port(universe: Universe) -> None:
    """Let the route have another match, and ask for a port that no container has."""
    _new_match({"name": "web", "port": "admin"})(universe)


def other_listener(universe: Universe) -> None:
    """Move the route to a listener that is not there."""
    apply(route(parentRefs=[{"loadBalancerName": "sandbox", "port": 81}]))(universe)


def taken_priority(universe: Universe) -> None:
    """Let the route ask for the number of somebody else's rule."""
    manifest = route()
    manifest["spec"]["rules"][0]["priority"] = TAKEN
    apply(manifest)(universe)


def backend_in_deletion(universe: Universe) -> None:
    """Give the route a second backend that is being deleted when the rule shall be written."""
    apply(deployment("ledger", strategy=BLUE_GREEN))(universe)
    universe.settle(lambda: universe.ready(LEDGER))
    universe.cluster.delete(LEDGER)
    apply(route(backends={"web": 1, "ledger": 1}))(universe)


def tenancy_taken(universe: Universe) -> None:
    """Let the tenancy allow no listener any more."""
    rule = dataclasses.replace(permissive_rule(), listeners=())
    universe.options["settings"] = {"tenancy": Tenancy(rules=(rule,), default_binding=BINDING)}
    universe.restart()


def another_balancer(universe: Universe) -> None:
    """Give the route a second load balancer, as valid as the first."""
    universe.add_balancer("second")
    apply(route(parentRefs=[{"loadBalancerName": name, "port": 80} for name in ("sandbox", "second")]))(
        universe
    )


def groups_deleted(universe: Universe) -> None:
    """Delete our rules and the target groups that they kept in use at the console."""
    for rule in universe.rules():
        if ownership.INSTALLATION in console.elb_tags(universe, rule["RuleArn"]):
            universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    for group in universe.target_groups():
        if ownership.INSTALLATION in console.elb_tags(universe, group["TargetGroupArn"]):
            universe.aws("elbv2", "DeleteTargetGroup", TargetGroupArn=group["TargetGroupArn"])


def rule_deleted(universe: Universe) -> None:
    """Delete the production rule at the console."""
    universe.aws("elbv2", "DeleteRule", RuleArn=console.own_rule(universe, "rule")["RuleArn"])


def route_made_again(universe: Universe) -> None:
    """`kubectl replace --force` of the route."""
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=120)
    apply(route())(universe)


def route_made_again_misspelt(universe: Universe) -> None:
    """The same, and a backend is misspelt in the new one: it never proves anything."""
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: universe.gone(ROUTE), within=120)
    misspell(universe)


def route_status_lost(universe: Universe) -> None:
    """Restore the route from a backup."""
    universe.cluster.lose_status(ROUTE)


def route_deleted(universe: Universe) -> None:
    """Delete the only route."""
    universe.cluster.delete(ROUTE)


def definitions_deregistered(universe: Universe) -> None:
    """Deregister every task definition."""
    for definition in universe.definitions():
        universe.aws("ecs", "DeregisterTaskDefinition", taskDefinition=definition)


def candidate_deleted(universe: Universe) -> None:
    """Delete the candidate's ECS service at the console."""
    slot = universe.status()["rollout"]["slot"]
    arn = next(entry["serviceArn"] for entry in universe.status()["slots"] if entry["name"] == slot)
    universe.aws("ecs", "DeleteService", cluster="sandbox", service=arn, force=True)


def foreign_rule(universe: Universe) -> None:
    """Make a rule by hand that sends to the candidate."""
    slot = universe.status()["rollout"]["slot"]
    group = next(entry["arn"] for entry in universe.status()["targetGroups"] if entry["slot"] == slot)
    universe.aws(
        "elbv2",
        "CreateRule",
        ListenerArn=universe.listeners[80],
        Priority=_FOREIGN,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/mine"]}}],
        Actions=[
            {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]}}
        ],
    )


def health_denied(universe: Universe) -> None:
    """Let nobody read target health."""
    universe.fault("deny", operation="DescribeTargetHealth")


def mend(universe: Universe) -> None:
    """End whatever of these goes wrong: what a person would do who reads the message."""
    universe.heal()
    if universe.options["settings"] is not None:
        universe.options["settings"] = None
        universe.restart()
    for rule in universe.rules():
        if rule["Priority"] == str(_FOREIGN):
            universe.aws("elbv2", "DeleteRule", RuleArn=rule["RuleArn"])
    apply(route())(universe)


# What ends it.


def abort(universe: Universe) -> None:
    """Say it."""
    verb(universe, "abort")


def supersede(universe: Universe) -> None:
    """Ask for another revision."""
    apply(web("web:3", strategy=BLUE_GREEN))(universe)


def source_again(universe: Universe) -> None:
    """Ask for what is live."""
    apply(web(strategy=BLUE_GREEN))(universe)


def delete_both(universe: Universe) -> None:
    """`kubectl delete -f`: the Deployment and its route."""
    universe.cluster.delete(WEB)
    universe.cluster.delete(ROUTE)


def over(universe: Universe, rollout: str) -> bool:
    """Tell whether that rollout has gone, with its Deployment or without."""
    return universe.gone(WEB) or universe.status().get("rollout", {}).get("id") != rollout


def astray(universe: Universe) -> list[str]:
    """Return the target groups of a slot that is not live to which a rule of ours sends at rest."""
    status = universe.status()
    live = (status.get("live") or {}).get("slot")
    slots = {group.get("arn"): group["slot"] for group in status.get("targetGroups", ())}
    if "rollout" in status:
        return []
    return [
        group["TargetGroupArn"]
        for port in universe.listeners
        for rule in universe.rules(port)
        if console.elb_tags(universe, rule["RuleArn"]).get(ownership.ROLE) == "rule"
        for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
        if slots.get(group["TargetGroupArn"], live) != live
    ]
