"""Killed before or after any call, the operator ends in the same state: no orphan, no duplicate.

Each story is told once without a crash, which gives the list of its writes to AWS and to Kubernetes and
the picture at its end. Then it is told again for every one of these writes twice: the process ends right
before it, and right after it took place but before anybody heard the answer (architecture.md,
"Invariants"). The picture has to be equal each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sim.universe import LEDGER, ROUTE, WEB, Crashes, Universe, deployment, route

Step = tuple[Callable[[Universe], None], Callable[[Universe], bool]]


@dataclass(frozen=True)
class Story:
    """What happens, step by step: a change and what it must lead to."""

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
    first = universe.status()["history"][0]["revision"]
    oldest = min(universe.cluster.revisions.values(), key=lambda revision: int(revision["revision"]))
    name = oldest["metadata"]["name"] or first
    universe.cluster.edit(WEB, lambda obj: obj["spec"].update(rollback={"toRevision": name}))


def delete_both(universe: Universe) -> None:
    """Delete the route and the Deployment at once, as `kubectl delete -f` does."""
    universe.cluster.delete(WEB)
    universe.cluster.delete(ROUTE)


def delete_web(universe: Universe) -> None:
    """Delete the Deployment alone."""
    universe.cluster.delete(WEB)


CREATED: Step = (apply(deployment(), route()), both_ready)
STORIES = [
    Story("create", (CREATED,)),
    Story("create without a route", ((apply(deployment()), ready),)),
    Story("update", (CREATED, (apply(deployment(image="web:2")), both_ready))),
    Story("scale", (CREATED, (lambda u: u.cluster.scale(WEB, 4), both_ready))),
    Story(
        "undo",
        (CREATED, (apply(deployment(image="web:2")), both_ready), (undo_to_first, both_ready)),
    ),
    Story("replace", (CREATED, (apply(deployment(ecs={"cluster": "second"})), both_ready))),
    Story(
        "two backends",
        (
            (
                apply(deployment(), deployment("ledger"), route(backends={"web": 9, "ledger": 1})),
                lambda u: u.ready(WEB, LEDGER, ROUTE),
            ),
            (apply(route(backends={"web": 1, "ledger": 1})), lambda u: u.ready(WEB, LEDGER, ROUTE)),
        ),
    ),
    Story(
        "another match",
        (CREATED, (apply(route(hostnames=["shop.example.com"])), both_ready)),
    ),
    Story(
        "another listener",
        (CREATED, (apply(route(parentRefs=[{"loadBalancerName": "sandbox", "port": 8080}])), both_ready)),
    ),
    Story(
        "delete while creating",
        (
            (apply(deployment(), route()), lambda u: bool(u.services())),
            (delete_both, lambda u: u.gone(WEB, ROUTE)),
        ),
    ),
    Story(
        "retain", ((apply(deployment(deletionPolicy="Retain")), ready), (delete_web, lambda u: u.gone(WEB)))
    ),
    Story("delete", (CREATED, (delete_both, lambda u: u.gone(WEB, ROUTE)))),
    Story(
        "recreate",
        (
            (apply(deployment(strategy={"type": "Recreate"}), route()), both_ready),
            (apply(deployment(image="web:2", strategy={"type": "Recreate"}), route()), both_ready),
        ),
    ),
]


def tell(story: Story, crashes: Crashes) -> Universe:
    """Tell the story with the given crash; return the universe at its end."""
    universe = Universe(seed=7, hook=crashes)
    for change, done in story.steps:
        change(universe)
        universe.settle(lambda done=done: done(universe))  # type: ignore[misc]
    return universe


def _cases() -> list[Any]:
    return [pytest.param(story, id=story.name) for story in STORIES]


@pytest.mark.parametrize("story", _cases())
def test_same_end_whatever_call_it_dies_at(story: Story) -> None:
    """Every write of the story is the last of its process once before and once after it took place."""
    plain = tell(story, Crashes())
    expected, calls = plain.picture(), plain.calls()
    assert calls, "a story without writes proves nothing"
    for at in range(1, len(calls) + 1):
        for when in ("before", "after"):
            universe = tell(story, Crashes(at=at, when=when))
            assert universe.crashes == 1, f"no crash {when} call {at}"
            assert universe.picture() == expected, f"crash {when} call {at} ({calls[at - 1]})"


@pytest.mark.parametrize("story", _cases())
def test_rest_writes_nothing(story: Story) -> None:
    """Fixpoint: ten minutes of drift passes after a story make no write, to AWS or to Kubernetes."""
    universe = tell(story, Crashes())
    before = len(universe.calls())
    universe.run(600)
    assert universe.calls()[before:] == []
