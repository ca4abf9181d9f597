"""Twenty healthy rollouts and twenty that are taken back, one after another under one load (make soak)."""

from __future__ import annotations

import itertools

import pytest

from e2e.desk import DEPLOYMENT, Desk
from e2e.progressive import (
    ALL,
    PERSON,
    RETURN_S,
    assert_unharmed,
    image,
    latest,
    progressive,
    rollout,
    verb,
    wait_rolled_back,
    wait_step,
    weight,
)
from e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.soak]
EACH = 20
WAYS = (
    {"blueGreen": {}},
    {"canary": {"weight": 10, "duration": "2s"}},
    {"linear": {"stepWeight": 25, "stepDuration": "1s"}},
    {"steps": [weight(0.5), weight(33.3), {"pause": {"duration": "1s"}}, ALL]},
)


def test_twenty_rollouts_and_twenty_ways_back_fail_no_request(desk: Desk) -> None:
    """Presets and steps by turns, each followed by one that crashes at its start or is aborted half-way."""
    bad = (weight(50), PERSON, ALL)
    route = desk.route()
    desk.apply_and_wait(progressive(desk, ALL, image="0"), route)
    with desk.load(rate=30) as load:
        for number, how in zip(range(1, EACH + 1), itertools.cycle(WAYS), strict=False):
            good = progressive(desk, image=f"{number}", **how)
            desk.apply_and_wait(good, seconds=90)
            ended, live = latest(desk), desk.status(DEPLOYMENT)["live"]
            assert (ended["outcome"], ended["revision"]) == ("Succeeded", live["revision"])
            crashes = {"SANDBOX_EXIT": "1"} if number % 2 else {}
            desk.apply(progressive(desk, *bad, image=f"{number}-bad", env=crashes))
            if not crashes:
                wait_step(desk, 2)
                verb(desk, "abort")
            ended = wait_rolled_back(desk, seconds=90)
            assert ended["outcome"] == ("RolledBack" if crashes else "Aborted")
            assert ended["rollbackSeconds"] < RETURN_S
            assert desk.status(DEPLOYMENT)["live"] == live
            until(lambda: not rollout(desk), "nothing moves")
    assert_unharmed(load)
    assert {image(f"{number}") for number in range(EACH + 1)} <= set(load.images)
