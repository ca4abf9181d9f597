"""A rollback that is held, because its source is dead: a person can end it, both ways.

Weights are not moved onto a slot that can't take them (rollout.md §5). But the source may be dead for good,
with an image that is gone, and no other revision begins before the rollback is over.
"""

from __future__ import annotations

import pytest

from sim.progressive_stories import THREE_STEPS, at_step, production, serves, verb, web
from sim.stories import apply
from sim.universe import ROUTE, WEB, Universe, route
from sluice_sandbox.aws.ecr.pulls import EcrImages
from sluice_sandbox.aws.ecs.images import Pull

GONE = "CannotPullContainerError: manifest unknown"


def dying(patch: pytest.MonkeyPatch, *images: str) -> Universe:
    """Return a universe at the first pause, in which the tasks of these images end and can't start again."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(web("web:2", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: at_step(1)(universe), within=300)
    lose(universe, patch, *images)
    universe.run(60)
    return universe


def lose(universe: Universe, patch: pytest.MonkeyPatch, *images: str) -> None:
    """Take images out of their registry, and end their tasks."""
    whole = EcrImages.pull

    def pull(self: EcrImages, caller: object, image: str) -> Pull:
        return Pull(error=GONE) if image in images else whole(self, caller, image)  # type: ignore[arg-type]

    patch.setattr(EcrImages, "pull", pull)
    slots = {"web:1": "a", "web:2": "b"}
    for entry in universe.status()["slots"]:
        if entry["name"] in {slots[image] for image in images}:
            listed = universe.aws("ecs", "ListTasks", cluster="sandbox", serviceName=entry["serviceName"])
            for arn in listed["taskArns"]:
                universe.aws("ecs", "StopTask", cluster="sandbox", task=arn)


def held(universe: Universe) -> bool:
    """Tell whether the way back is held, with both ways out of it in the text."""
    message = str(universe.condition("Ready")["message"])
    return (
        "is held: the source has 0 of 2" in message and "promote-full" in message and "abort once" in message
    )


def test_the_cure_is_promoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aborted too early: the source is dead, and the candidate serves well."""
    universe = dying(monkeypatch, "web:1")
    verb(universe, "abort")
    universe.settle(lambda: held(universe), within=60)
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:2")(universe), within=900)
    assert list(production(universe).values()) == [1]


def test_the_cure_of_the_source_comes_after_the_one_that_is_promoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer revision took the candidate back; it begins when the candidate has everything."""
    universe = dying(monkeypatch, "web:1")
    apply(web("web:3", strategy=THREE_STEPS))(universe)
    universe.settle(lambda: held(universe), within=60)
    verb(universe, "promote-full")
    universe.settle(lambda: at_step(1)(universe), within=900)
    assert universe.status()["history"][0]["outcome"] == "Succeeded"


def test_both_are_dead_and_another_revision_is_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody serves, so nothing is lost: abort once more, and the newer one begins and is promoted."""
    universe = dying(monkeypatch, "web:1", "web:2")
    universe.settle(lambda: held(universe), within=120)
    apply(web("web:3", strategy=THREE_STEPS))(universe)
    universe.run(120)
    assert held(universe), universe.told()
    verb(universe, "abort")
    universe.settle(lambda: "no step forward meanwhile" in universe.told(), within=900)
    verb(universe, "promote-full")
    universe.settle(lambda: serves("web:3")(universe), within=900)


def test_no_route_is_left_and_both_are_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to shift: it ends."""
    universe = dying(monkeypatch, "web:1", "web:2")
    universe.settle(lambda: held(universe), within=120)
    universe.cluster.delete(ROUTE)
    universe.settle(lambda: "rollout" not in universe.status(), within=900)
    assert universe.status()["history"][0]["outcome"] == "RolledBack"


@pytest.mark.parametrize("end", ["newer", "abort"])
def test_a_candidate_that_loses_a_target_while_its_source_drains(end: str) -> None:
    """It has everything, and never all its targets again: the cure does not wait behind it for ever."""
    universe = Universe(seed=7)
    apply(web(strategy=THREE_STEPS), route())(universe)
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    apply(web("web:2", strategy=THREE_STEPS, progressDeadlineSeconds=60))(universe)
    universe.settle(lambda: at_step(1)(universe), within=300)
    verb(universe, "promote-full")
    universe.settle(lambda: universe.status()["rollout"]["stage"] == "Draining", within=300)
    (group,) = (g for g in universe.target_groups() if g["TargetGroupName"] in production(universe))
    found = universe.aws("elbv2", "DescribeTargetHealth", TargetGroupArn=group["TargetGroupArn"])
    target = found["TargetHealthDescriptions"][0]["Target"]
    universe.aws("elbv2", "DeregisterTargets", TargetGroupArn=group["TargetGroupArn"], Targets=[target])
    universe.settle(lambda: "; abort goes back to" in universe.told(), within=900)
    assert "1 of 2 targets healthy" in universe.told()
    if end == "abort":
        verb(universe, "abort")
    else:
        apply(web("web:3", strategy=THREE_STEPS, progressDeadlineSeconds=60))(universe)
    outcome = "Aborted" if end == "abort" else "Superseded"
    universe.settle(lambda: universe.status()["history"][0]["outcome"] == outcome, within=900)
