"""Stories of names in Cloud Map: what a person does, step by step, and what each step must lead to.

Told by several laws (crashes at every call, clients at every moment, rest). `picture` is what must be equal
at the end however often the process died on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.discovery_observer import Guard
from sim.names import Name
from sim.observer import Observer
from sim.progressive_stories import at_step, said, web
from sim.progressive_stories import picture as progressive_picture
from sim.stories import Step, Story, apply, delete_both
from sim.universe import ROUTE, WEB, Crashes, Universe, deployment, route
from sluice.model import ownership
from sluice_sandbox.aws.estate import VPC_ID

TTL = 10
DOMAIN = "corp.local"
CANARY = {
    "type": "Progressive",
    "progressive": {
        "steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}, {"setWeight": 100}],
        "bake": {"duration": "5s"},
        "drain": {"propagationDelaySeconds": 1},
    },
}
REPLICAS = 4
SETTLING = 120.0
"""Seconds that a story's end is left alone: entries and tasks that were let go leave in that time."""


def discovery(mode: str = "Tasks", *, kind: str = "DNS_PRIVATE", **changes: Any) -> dict[str, Any]:
    """Return `spec.discovery` of web.corp.local, whose namespace is made if need be."""
    create = {"type": kind} | ({"vpc": VPC_ID} if kind == "DNS_PRIVATE" else {})
    found: dict[str, Any] = {
        "mode": mode,
        "serviceName": "web",
        "namespaceRef": {"name": DOMAIN, "create": create},
    }
    if mode != "Alias":
        found["backendRef"] = {"name": "web", "port": "http"}
    if kind != "HTTP":
        found["dns"] = {"records": [{"type": "A", "ttlSeconds": TTL}]}
    return found | changes


def named(mode: str = "Tasks", *, rules: bool = False, **changes: Any) -> dict[str, Any]:
    """Return the route with a name: with its rules, too, or with nothing else."""
    made = route(discovery=discovery(mode, **changes))
    if not rules and mode != "Alias":
        del made["spec"]["parentRefs"], made["spec"]["rules"]
    return made


def rolling(image: str = "web:1", *, replicas: int = REPLICAS, **spec: Any) -> dict[str, Any]:
    """Return the Deployment whose tasks ECS replaces."""
    return deployment(image=image, replicas=replicas, **spec)


def canary(image: str = "web:1") -> dict[str, Any]:
    """Return the Deployment with two slots."""
    return web(image, strategy=CANARY, replicas=REPLICAS)


def ready(universe: Universe) -> bool:
    """Tell whether Deployment and route are Ready."""
    return universe.ready(WEB, ROUTE)


def complete(image: str, *, count: int = REPLICAS) -> Callable[[Universe], bool]:
    """Return whether all is Ready, `image` is all that runs, and each of its tasks has a healthy entry."""

    def done(universe: Universe) -> bool:
        if not ready(universe):
            return False
        name = Name(universe)
        there = {task.address for task in name.eligible().values()}
        entries = [entry for entry in name.entries() if entry.healthy]
        return len(there) == count and {e.address for e in entries} == there and _images(universe) == {image}

    return done


def _images(universe: Universe) -> set[str]:
    name = Name(universe)
    wanted = {task.id for task in name.eligible().values()}
    return {
        task.containers[0].image
        for scope in universe.world.services["ecs"].state.scopes.values()
        for task in scope.tasks.values()
        if task.id in wanted
    }


def shares(**wanted: int) -> Callable[[Universe], bool]:
    """Return whether clients get so many healthy entries of each slot."""
    return lambda universe: Name(universe).shares() == wanted


def proved(index: int, **wanted: int) -> Callable[[Universe], bool]:
    """Return whether the rollout stands at a step, proved, and clients get these shares."""
    return lambda universe: at_step(index)(universe) and shares(**wanted)(universe)


def rolled_back(universe: Universe) -> bool:
    """Tell whether the candidate was rolled back, its entries and tasks are gone, and nothing moves."""
    return universe.reason() == "RolledBack" and "rollout" not in universe.status() and universe.ready(ROUTE)


def gone(universe: Universe) -> bool:
    """Tell whether nothing of the route is left in Cloud Map."""
    region = universe.world.services["servicediscovery"].state.region(universe.world.caller)
    return not region.services and not region.namespaces


def all_gone(universe: Universe) -> bool:
    """Tell whether Deployment, route and everything in Cloud Map are gone."""
    return universe.gone(WEB, ROUTE) and gone(universe)


def _moved(universe: Universe) -> bool:
    """Tell whether the new name has all entries and the old one is gone."""
    return len(Name(universe, "shop").entries()) == REPLICAS and Name(universe).found() is None


def delete_route(universe: Universe) -> None:
    """Delete the route alone."""
    universe.cluster.delete(ROUTE)


def picture(universe: Universe) -> dict[str, Any]:
    """Return everything that must not depend on crashes, what clients get included."""
    region = universe.world.services["servicediscovery"].state.region(universe.world.caller)
    return progressive_picture(universe) | {
        "namespaces": sorted((n.name, n.kind, n.ready) for n in region.namespaces.values()),
        "names": sorted(
            (service.name, str(service.dns), service.custom_health is not None, len(service.instances))
            for service in region.services.values()
        ),
        "shares": Name(universe).shares(),
        "protected": sum(
            task.protected_until > universe.clock.now()
            for scope in universe.world.services["ecs"].state.scopes.values()
            for task in scope.tasks.values()
            if task.desired_status == "RUNNING"
        ),
    }


def litter(universe: Universe) -> list[str]:
    """Return what is left in Cloud Map of objects that are gone."""
    owners = {(key.kind, key.namespace, key.name) for key in universe.cluster.objects}
    region = universe.world.services["servicediscovery"].state.region(universe.world.caller)
    found = []
    for service in region.services.values():
        owner = tuple(service.tags.get(name, "") for name in _OWNER)
        if ownership.INSTALLATION in service.tags and owner not in owners:
            found.append(f"orphan {service.name}")
        found += [f"entry {item} of {service.name}" for item in service.instances if owner not in owners]
    used = {service.namespace_id for service in region.services.values()}
    found += [f"empty {item.name}" for item in region.namespaces.values() if item.id not in used]
    return found


_OWNER = (ownership.KIND, ownership.NAMESPACE, ownership.NAME)


def universe_with(hook: Crashes | None = None, **settings: Any) -> Universe:
    """Return a universe whose operator's writes are watched by a guard of the name."""
    universe = Universe(seed=7, hook=hook, settings=settings or None)
    name = Name(universe)
    guard = Guard(name, excused=lambda: _goes(universe))
    universe.seen_world = Observer(
        universe.world,
        installation="sim",
        leads=lambda: not universe.operator.lease.lost,
        guards=[guard],
    )
    universe.restart()
    return universe


def _goes(universe: Universe) -> bool:
    """Tell whether all entries are asked to go: route, discovery or backend deleted, or scaled to nothing."""
    made, backend = universe.cluster.objects.get(ROUTE), universe.cluster.objects.get(WEB)
    if made is None or backend is None:
        return True
    deleted = any("deletionTimestamp" in obj["metadata"] for obj in (made, backend))
    asked = made["spec"].get("discovery") or {}
    return deleted or asked.get("serviceName") != "web" or backend["spec"].get("replicas") == 0


def tell(
    story: Story, hook: Crashes | None = None, *, universe: Universe | None = None, settling: float = SETTLING
) -> Universe:
    """Tell a story in a new universe (or in `universe`) and let it come to rest; return it."""
    universe = universe or universe_with(hook)
    for change, done in story.steps:
        change(universe)
        universe.settle(lambda done=done: done(universe), within=3600)  # type: ignore[misc]
    universe.run(settling)
    return universe


def _begin(*manifests: dict[str, Any], count: int = REPLICAS) -> Step:
    return (apply(*manifests), complete("web:1", count=count))


STAYS = [
    Story("name of a rolling Deployment", (_begin(rolling(), named()),)),
    Story("rolling update", (_begin(rolling(), named()), (apply(rolling("web:2")), complete("web:2")))),
    Story(
        "scaled out and in",
        (
            _begin(rolling(), named()),
            (apply(rolling(replicas=6)), complete("web:1", count=6)),
            (apply(rolling(replicas=2)), complete("web:1", count=2)),
        ),
    ),
    Story(
        "canary by name",
        (
            _begin(canary(), named()),
            (apply(canary("web:2")), proved(1, a=3, b=1)),
            (said("promote", "/1"), proved(3, a=3, b=3)),
            (said("promote", "/3"), complete("web:2")),
        ),
    ),
    Story(
        "canary by name and rules, rolled back",
        (
            _begin(canary(), named(rules=True)),
            (apply(canary("web:2")), proved(1, a=3, b=1)),
            (said("abort"), rolled_back),
        ),
    ),
    Story(
        "other TTL",
        (
            _begin(rolling(), named()),
            (apply(named(dns={"records": [{"type": "A", "ttlSeconds": 5}]})), complete("web:1")),
        ),
    ),
]
"""Stories in which the name has an answer from the first step's end to the last one's."""


def alias(**changes: Any) -> dict[str, Any]:
    """Return the route whose name points at its load balancer."""
    return named("Alias", rules=True, **changes)


def handed_over(universe: Universe) -> bool:
    """Tell whether ECS has registered every task itself, and none of Sluice's entries is left."""
    entries = Name(universe).entries()
    return ready(universe) and len(entries) == REPLICAS and not any(entry.ours for entry in entries)


def points(universe: Universe) -> bool:
    """Tell whether the name is answered with the load balancer."""
    return ready(universe) and len(Name(universe).resolved()) == 1


HANDED = [
    Story(
        "handed over to ECS",
        (_begin(rolling(), named()), (apply(named("ECS")), handed_over)),
    ),
    Story(
        "taken back from ECS",
        ((apply(rolling(), named("ECS")), handed_over), (apply(named()), complete("web:1"))),
    ),
]
"""Stories in which the name stays, and ECS stops tasks as it does for anybody."""
ALIASES = [
    Story("alias", ((apply(rolling(), alias()), points),)),
    Story("alias deleted", ((apply(rolling(), alias()), points), (delete_both, all_gone))),
]
ENDS = [
    Story("route deleted", (_begin(rolling(), named()), (delete_route, lambda u: u.gone(ROUTE) and gone(u)))),
    Story("all deleted", (_begin(rolling(), named()), (delete_both, all_gone))),
    Story("all of a canary deleted", (_begin(canary(), named()), (delete_both, all_gone))),
    Story(
        "discovery taken out of the spec",
        (_begin(rolling(), named(rules=True)), (apply(route()), lambda u: ready(u) and gone(u))),
    ),
    Story(
        "another name",
        (_begin(rolling(), named()), (apply(named(serviceName="shop")), lambda u: ready(u) and _moved(u))),
    ),
]
"""Stories in which the name goes."""

STORIES = STAYS + HANDED + ALIASES + ENDS
BY_NAME = {story.name: story for story in STORIES}
