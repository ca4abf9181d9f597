"""Every version of every object that stories of the simulation leave behind: what GitOps tools get to see.

`versions` keeps each stored object, in order, from `kubectl apply` to its end. The stories reach every phase
and most reasons; `PHASES` and `told_reasons` of the tests that use them say which.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any

from sim.progressive_stories import (
    BLUE_GREEN,
    BROKEN,
    CANARY,
    THREE_STEPS,
    at_step,
    ready,
    rolled_back,
    serves,
    verb,
    web,
)
from sim.stories import apply, delete_both
from sim.universe import ROUTE, WEB, Universe, deployment, route
from sluice.model.keys import Key

Told = Callable[[Universe], None]
Versions = tuple[Mapping[str, Any], ...]


def versions(story: Told) -> Versions:
    """Tell a story in a new universe; return every object that was stored, in order."""
    universe = Universe(seed=7)
    kept: list[Mapping[str, Any]] = []
    store = universe.cluster._store

    def keep(key: Key, new: dict[str, Any]) -> None:
        store(key, new)
        kept.append(copy.deepcopy(new))

    universe.cluster._store = keep  # type: ignore[method-assign]  # the one door of every version
    story(universe)
    return tuple(kept)


@functools.cache
def histories() -> Mapping[str, Versions]:
    """Return the versions of every story by its name; told once per process."""
    return {story.__name__.replace("_", " "): versions(story) for story in STORIES}


def rolling(universe: Universe) -> None:
    """A first rollout, an update, a pause with a change, a broken update, the deletion."""
    apply(deployment(), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(deployment(image="web:2"))(universe)
    universe.settle(lambda: ready(universe))
    apply(deployment(image="web:3", paused=True))(universe)
    universe.run(30)
    apply(deployment(image="web:3", env=BROKEN))(universe)
    universe.settle(lambda: universe.reason() in ("RolledBack", "ProgressDeadlineExceeded"), within=3600)
    delete_both(universe)
    universe.settle(lambda: universe.gone(WEB, ROUTE))


def first_failed(universe: Universe) -> None:
    """A first revision that never runs."""
    apply(deployment(env=BROKEN))(universe)
    universe.settle(lambda: universe.reason() == "FirstRolloutFailed", within=3600)


def suspended(universe: Universe) -> None:
    """Hands off, with a change that is not made."""
    apply(deployment())(universe)
    universe.settle(lambda: universe.ready(WEB))
    apply(deployment(image="web:2", suspend=True))(universe)
    universe.run(30)


def refused(universe: Universe) -> None:
    """A spec that cannot be, a route to a Deployment and to a load balancer that do not exist."""
    apply(deployment(rollback={"toRevision": "web-gone"}))(universe)
    universe.run(10)
    apply(route(backends={"nobody": 1}))(universe)
    universe.run(10)
    apply(route(parentRefs=[{"loadBalancerName": "nowhere", "port": 80}]))(universe)
    universe.run(10)


def canary(universe: Universe) -> None:
    """Steps, a timed pause, a pause for a person, promote, bake, standby, undo, retry."""
    apply(web(strategy=CANARY), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2"))(universe)
    universe.settle(lambda: at_step(3)(universe))
    universe.run(20)
    verb(universe, "promote", "/3")
    universe.settle(lambda: serves("web:2")(universe))
    verb(universe, "undo")
    universe.settle(lambda: rolled_back(universe))
    verb(universe, "retry")
    universe.run(20)


def aborted(universe: Universe) -> None:
    """A person's pause, resume and abort."""
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    verb(universe, "pause", "/1")
    universe.run(10)
    verb(universe, "resume", "/1")
    universe.run(10)
    verb(universe, "abort")
    universe.settle(lambda: rolled_back(universe))


def crash_loop(universe: Universe) -> None:
    """A candidate that never becomes healthy, and the deletion in the middle of the next one."""
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=BLUE_GREEN, env=BROKEN))(universe)
    universe.settle(lambda: rolled_back(universe))
    apply(web("web:3", strategy=BLUE_GREEN))(universe)
    universe.run(5)
    delete_both(universe)
    universe.settle(lambda: universe.gone(WEB, ROUTE))


def frozen(universe: Universe) -> None:
    """A freeze window that never ends."""
    apply(web(strategy=BLUE_GREEN), route())(universe)
    universe.settle(lambda: ready(universe))
    always = {"name": "always", "schedule": "0 * * * *", "duration": "2h"}
    held = {"type": "Progressive", "progressive": {**BLUE_GREEN["progressive"], "freezeWindows": [always]}}
    apply(web("web:2", strategy=held))(universe)
    universe.run(30)


def drifted(universe: Universe) -> None:
    """Somebody changes weights in the middle; the route's last word comes before its rollout ends."""
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: ready(universe))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe))
    rule = next(r for r in universe.rules() if r["Conditions"][0]["Field"] == "path-pattern")
    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
    edited = [{**group, "Weight": 7} for group in groups]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": edited}}]
    universe.aws("elbv2", "ModifyRule", RuleArn=rule["RuleArn"], Actions=actions)
    universe.settle(lambda: universe.reason(ROUTE) == "DriftHalted", within=600)
    verb(universe, "promote", "/1")
    universe.run(60)


STORIES = (rolling, first_failed, suspended, refused, canary, aborted, crash_loop, frozen, drifted)
