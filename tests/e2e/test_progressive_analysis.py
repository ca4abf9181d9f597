"""Analysis by what the load balancer counts, in AWS's own time: CloudWatch's minutes are the operator's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.progressive import (
    ALL,
    BAD,
    GOOD,
    NEXT,
    RETURN_S,
    assert_unharmed,
    image,
    progressive,
    rollout,
    wait_rolled_back,
    wait_step,
    weight,
)
from e2e.traffic import Sticky
from e2e.world import World

pytestmark = pytest.mark.e2e
STEPS = (weight(50), {"analysis": {"duration": "12s"}}, ALL)
STICKY_S = 4
MEMBERS = {
    "bake": {"duration": f"{STICKY_S}s"},
    "analysis": {
        "interval": "10s",
        "metrics": [
            {
                "name": "errors",
                "loadBalancer": {"metric": "TargetErrorRate"},
                "failureCondition": "> 0.05",
                "minRequests": 20,
            }
        ],
    },
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of its own, whose clock runs as ours does."""
    with World(tmp_path_factory.mktemp("real-time"), speed=1) as made:
        yield made


def test_counts_of_the_load_balancer_pass_a_good_revision_and_return_a_bad_one(desk: Desk) -> None:
    """The good one goes through with no failure; the bad one goes back, and only its own answers failed.

    A client with a cookie stays on the revision that it met until that has no weight, and none is lost.
    """
    route = desk.route()
    route["spec"]["rules"][0]["sessionPersistence"] = {"durationSeconds": STICKY_S}
    good = progressive(desk, *STEPS, **MEMBERS)
    desk.apply_and_wait(good, route)
    with desk.load(rate=60) as load, Sticky(desk.aws.url(80), host=desk.host, clients=6) as sticky:
        desk.apply(progressive(desk, *STEPS, image=NEXT, **MEMBERS))
        wait_step(desk, 2)
        gates = rollout(desk)["gates"]
        desk.wait_ready(good, route, seconds=90)
    assert_unharmed(load)
    assert set(load.report.seconds[-1].images) == {image(NEXT)}
    assert any("errors" in gate["name"] for gate in gates)
    assert sticky.failures == []
    # Once on the candidate, never back; without a cookie, half of the answers would be the other's.
    for seen in sticky.images:
        assert [name for name, _ in runs(seen)] in ([image(GOOD), image(NEXT)], [image(NEXT)])
    live = desk.status(DEPLOYMENT)["live"]

    # CloudWatch counts by whole minutes: the revision before may have answered from this slot in this one.
    with desk.load(rate=60) as load:
        desk.apply(progressive(desk, *STEPS, image=BAD, env={"SANDBOX_FAIL_PERCENT": "90"}, **MEMBERS))
        ended = wait_rolled_back(desk, seconds=90)
        assert load.share(image(NEXT), seconds=1) == 1
    assert_unharmed(load, candidates=[image(BAD)])
    assert load.failed_by[image(BAD)] > 20
    assert ended["reason"].startswith("Analysis: metric errors: 1 samples failed, 0 tolerated")
    assert ended["rollbackSeconds"] < RETURN_S
    assert desk.status(DEPLOYMENT)["live"] == live
    (backend,) = desk.status(ROUTE)["backends"]
    assert backend["configured"][live["slot"]] == sum(backend["configured"].values())


def runs(seen: list[str]) -> list[tuple[str, int]]:
    """Return the images that a client heard in order, each run of the same once, with its length."""
    found: list[tuple[str, int]] = []
    for name in seen:
        if found and found[-1][0] == name:
            found[-1] = name, found[-1][1] + 1
        else:
            found.append((name, 1))
    return found
