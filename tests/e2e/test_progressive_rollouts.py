"""Healthy progressive rollouts under load: what clients, testers and kubectl see on the way."""

from __future__ import annotations

import time

import pytest

from e2e.desk import DEPLOYMENT, ROUTE, Desk
from e2e.progressive import (
    ALL,
    GOOD,
    NEXT,
    PERSON,
    assert_unharmed,
    image,
    latest,
    progressive,
    rollout,
    verb,
    wait_step,
    weight,
)
from e2e.traffic import Talk
from e2e.waiting import until

pytestmark = pytest.mark.e2e


def test_a_canary_takes_its_share_and_then_all(desk: Desk) -> None:
    """No request fails on either listener, the share is what the step says, a person lets it go on.

    A WebSocket that began on the old revision talks on at weight 0, until the old tasks drain.
    """
    steps = (weight(10), {"pause": {"duration": "2s"}}, weight(50), PERSON, ALL)
    standby = {"duration": "0s"}
    first, route = progressive(desk, *steps, standby=standby), desk.route(ports=(80, 443))
    desk.apply_and_wait(first, route)
    with (
        Talk(desk.aws.url(80), host=desk.host) as talk,
        desk.load(rate=60) as plain,
        desk.load(port=443, rate=20) as tls,
    ):
        until(lambda: talk.echoes > 3, "the task echoes")
        desk.apply(progressive(desk, *steps, standby=standby, image=NEXT))
        moving = wait_step(desk, 4)
        columns = desk.kubectl("get", "ecsdeployment", "web", "--no-headers").split()
        half = plain.share(image(NEXT))
        verb(desk, "promote")
        until(lambda: rollout(desk).get("stage") == "Draining", "the old slot drains")
        weightless, alive = time.monotonic(), talk.alive
        desk.wait_ready(first, route)
        until(lambda: not talk.alive, "the WebSocket's task ends")
    for load in (plain, tls):
        assert_unharmed(load)
        assert set(load.images) == {image(GOOD), image(NEXT)}
        assert set(load.report.seconds[-1].images) == {image(NEXT)}
    assert alive
    assert talk.last_echo > weightless
    assert (moving["weight"], moving["provenWeight"]) == (500, 500)
    assert columns[1:6] == ["False", "Paused", moving["source"], "4/5", "50%"]
    assert 0.3 < half < 0.7
    ended = latest(desk)
    assert (ended["outcome"], ended["revision"]) == ("Succeeded", moving["candidate"])
    (backend,) = desk.status(ROUTE)["backends"]
    assert set(backend["configured"]) == {desk.status(DEPLOYMENT)["live"]["slot"]}


def test_blue_green_is_tested_promoted_and_undone(desk: Desk) -> None:
    """Only the test listener reaches green before a person promotes; undo goes back to warm blue at once."""
    members = {"blueGreen": {"autoPromote": False}, "standby": {"duration": "10m"}}
    first, route = progressive(desk, **members), desk.route()
    balancer = desk.aws.estate["loadBalancer"]["name"]
    route["spec"]["test"] = {"parentRefs": [{"loadBalancerName": balancer, "port": 8080}]}
    desk.apply_and_wait(first, route)
    blue = desk.status(DEPLOYMENT)["live"]
    with desk.load() as load:
        desk.apply(progressive(desk, image=NEXT, **members))
        moving = wait_step(desk, 1)
        with desk.load(port=8080, rate=20) as test:
            test.wait_for_image(image(NEXT))
        assert set(load.images) == {image(GOOD)}
        verb(desk, "promote")
        load.wait_for_image(image(NEXT))
        desk.wait_ready(first, route)
        green = desk.status(DEPLOYMENT)
        verb(desk, "undo")
        until(lambda: desk.status(DEPLOYMENT)["live"]["slot"] == blue["slot"], "blue is live again")
    assert_unharmed(load)
    assert test.failures == {}
    assert set(test.images) == {image(NEXT)}
    assert green["live"]["revision"] == moving["candidate"]
    assert green["standby"]["revision"] == blue["revision"]
    assert set(load.report.seconds[-1].images) == {image(GOOD)}
    undone = latest(desk)
    assert (undone["outcome"], undone["revision"]) == ("Succeeded", blue["revision"])
    assert desk.condition(DEPLOYMENT)["reason"] == "RolledBack"
