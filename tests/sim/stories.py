"""The stories that several laws are told with: changes by a person, and what each must lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.legacy import adopter, make
from sim.universe import LEDGER, ROUTE, WEB, Crashes, Universe, deployment, route

Step = tuple[Callable[[Universe], None], Callable[[Universe], bool]]


@dataclass(frozen=True)
class Story:
    """What happens, step by step."""

    name: str
    steps: tuple[Step, ...]


def apply(*manifests: dict[str, Any]) -> Callable[[Universe], None]:
    """Return the step of applying manifests."""

    def change(universe: Universe) -> None:
        for manifest in manifests:
            universe.cluster.apply(manifest)

    return change


def ready(universe: Universe) -> bool:
    """Tell whether the Deployment is Ready."""
    return universe.ready(WEB)


def both_ready(universe: Universe) -> bool:
    """Tell whether Deployment and route are Ready."""
    return universe.ready(WEB, ROUTE)


def undo_to_first(universe: Universe) -> None:
    """Ask for the first revision again, as `kubectl edit` of rollback.toRevision would."""
    oldest = min(universe.cluster.revisions.values(), key=lambda revision: int(revision["revision"]))
    name = oldest["metadata"]["name"]
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(rollback={"toRevision": name}))


def delete_both(universe: Universe) -> None:
    """Delete the route and the Deployment at once, as `kubectl delete -f` does."""
    universe.cluster.delete(WEB)
    universe.cluster.delete(ROUTE)


def delete_web(universe: Universe) -> None:
    """Delete the Deployment alone."""
    universe.cluster.delete(WEB)


def all_ready(universe: Universe) -> bool:
    """Tell whether both Deployments and the route are Ready."""
    return universe.ready(WEB, LEDGER, ROUTE)


def on_port(number: int) -> dict[str, Any]:
    """Return the Deployment with another number of its port."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = number
    return manifest


def one_group_and_ready(universe: Universe) -> bool:
    """Tell whether all is Ready and no target group is left that nobody needs."""
    return both_ready(universe) and len(universe.target_groups()) == 1


def adopt(universe: Universe) -> None:
    """Take over a service that is there, as `kubectl apply` of its ARN would."""
    universe.cluster.apply(adopter(make(universe)))


CREATED: Step = (apply(deployment(), route()), both_ready)
ON_8080 = [{"loadBalancerName": "sandbox", "port": 8080}]
RECREATE = {"type": "Recreate"}
STORIES = [
    Story("create", (CREATED,)),
    Story("create without a route", ((apply(deployment()), ready),)),
    Story("update", (CREATED, (apply(deployment(image="web:2")), both_ready))),
    Story("scale", (CREATED, (lambda u: u.cluster.scale(WEB, 4), both_ready))),
    Story("undo", (CREATED, (apply(deployment(image="web:2")), both_ready), (undo_to_first, both_ready))),
    Story("replace", (CREATED, (apply(deployment(ecs={"cluster": "second"})), both_ready))),
    Story(
        "two backends",
        (
            (apply(deployment(), deployment("ledger"), route(backends={"web": 9, "ledger": 1})), all_ready),
            (apply(route(backends={"web": 1, "ledger": 1})), all_ready),
        ),
    ),
    Story("another match", (CREATED, (apply(route(hostnames=["shop.example.com"])), both_ready))),
    Story("another port", (CREATED, (apply(on_port(9090)), one_group_and_ready))),
    Story("another listener", (CREATED, (apply(route(parentRefs=ON_8080)), both_ready))),
    Story(
        "delete while creating",
        (
            (apply(deployment(), route()), lambda u: bool(u.services())),
            (delete_both, lambda u: u.gone(WEB, ROUTE)),
        ),
    ),
    Story(
        "retain",
        ((apply(deployment(deletionPolicy="Retain")), ready), (delete_web, lambda u: u.gone(WEB))),
    ),
    Story("delete", (CREATED, (delete_both, lambda u: u.gone(WEB, ROUTE)))),
    Story("adopt", ((adopt, ready), (apply(route()), both_ready))),
    Story(
        "recreate",
        (
            (apply(deployment(strategy=RECREATE), route()), both_ready),
            (apply(deployment(image="web:2", strategy=RECREATE), route()), both_ready),
        ),
    ),
]
BY_NAME = {story.name: story for story in STORIES}


def tell(story: Story, hook: Crashes | None = None, *, universe: Universe | None = None) -> Universe:
    """Tell a story in a new universe (or in `universe`); return it at its end."""
    universe = universe or Universe(seed=7, hook=hook)
    for change, done in story.steps:
        change(universe)
        universe.settle(lambda done=done: done(universe))  # type: ignore[misc]
    return universe
