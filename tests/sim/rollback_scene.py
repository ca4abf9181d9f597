"""A Deployment with many routes that goes back while others roll out, under the published budgets.

Both sides keep them: the operator's own buckets, and the stand-in that refuses who is beyond its.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sim.operator_process import CALLER
from sim.stories import apply
from sim.universe import WEB, Universe, deployment, route
from sluice.model.keys import DEPLOYMENT, Key

BALANCERS = ("second", "third")
"""Rules and target groups of a load balancer are limited: the others' are on these."""


def strategy(*steps: dict[str, Any]) -> dict[str, Any]:
    """Return a progressive strategy that is quick to drain."""
    drain = {"propagationDelaySeconds": 1}
    return {"type": "Progressive", "progressive": {"steps": [*steps, {"setWeight": 100}], "drain": drain}}


WAITING = strategy({"setWeight": 20}, {"pause": {}})
BUSY = strategy(
    *(step for weight in range(1, 60) for step in ({"setWeight": weight}, {"pause": {"duration": "2s"}}))
)


def routed(name: str, backend: str, *, rules: int, balancer: str = "sandbox") -> dict[str, Any]:
    """Return a route of some rules to one backend."""
    return route(
        name,
        parentRefs=[{"loadBalancerName": balancer, "port": 80}],
        rules=[
            {
                "name": f"r{number}",
                "matches": [{"path": {"value": f"/{name}/{number}"}}],
                "backendRefs": [{"name": backend, "port": "http", "weight": 1}],
            }
            for number in range(rules)
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """What one rollback took."""

    hearing: float
    """Seconds from the annotation to the decision."""
    seconds: float
    """Seconds from the decision to the last rule that was read back."""
    calls: Counter[str]
    """The operator's calls in between, by operation, of whatever object."""
    refused: int
    """How many of them AWS throttled."""


def at_its_pause(*, routes: int, each: int, others: int = 0) -> Universe:
    """Return a universe in which web:2 has a fifth of the requests and waits, and the others are busy."""
    universe = Universe(seed=7)
    for name in BALANCERS if others else ():
        universe.add_balancer(name)
    apply(
        deployment(strategy=WAITING, replicas=1),
        *(routed(f"web-{number}", "web", rules=each) for number in range(routes)),
    )(universe)
    names = [f"other-{number}" for number in range(others)]
    for number, name in enumerate(names):
        manifest = deployment(name, image=f"{name}:1", strategy=BUSY, replicas=1)
        apply(manifest, routed(name, name, rules=1, balancer=BALANCERS[number % 2]))(universe)
    universe.settle(lambda: universe.ready(*universe.cluster.objects), within=3600)
    apply(deployment(image="web:2", strategy=WAITING, replicas=1))(universe)
    universe.settle(lambda: (universe.status().get("rollout") or {}).get("stepIndex") == 1)
    for service in ("ecs", "elbv2"):
        universe.fault("buckets", service=service)
    _begin(universe, names)
    return universe


def _begin(universe: Universe, names: Sequence[str]) -> None:
    for name in names:
        apply(deployment(name, image=f"{name}:2", strategy=BUSY, replicas=1))(universe)
    universe.run(40)
    moving = [name for name in names if universe.status(Key(DEPLOYMENT, "shop", name)).get("rollout")]
    assert moving == list(names), "the others do not roll out"


def abort(universe: Universe, *, within: float = 60.0) -> Rollback:
    """Abort web's rollout and return what the way back took."""
    universe.world.calls.clear()
    began = universe.clock.now()
    universe.cluster.annotate(WEB, abort=universe.status()["rollout"]["id"])
    memory: dict[str, Any] = {}
    while not memory.get("verifiedAt"):
        assert universe.clock.now() - began < within, universe.told()
        universe.run(0.05)
        memory = (universe.status().get("rollout") or {}).get("memory") or memory
    calls: Counter[str] = Counter()
    refused = 0
    for call in universe.world.calls.find():
        if call.principal == CALLER.principal and call.time <= memory["verifiedAt"]:
            calls[call.operation] += 1
            refused += "Throttl" in call.outcome
    return Rollback(
        hearing=memory["decidedAt"] - began,
        seconds=memory["verifiedAt"] - memory["decidedAt"],
        calls=calls,
        refused=refused,
    )
