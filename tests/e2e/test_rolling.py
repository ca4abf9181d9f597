"""An update under load, as clients of the load balancer see it: over HTTP, over TLS, and over a WebSocket."""

from __future__ import annotations

import pytest

from e2e.desk import REPOSITORY, Desk
from e2e.traffic import Talk
from e2e.waiting import until

pytestmark = pytest.mark.e2e
OLD, NEW = f"{REPOSITORY}:1.0.0", f"{REPOSITORY}:2.0.0"
GOING_AWAY = 1001


def test_an_update_under_load_fails_no_request(desk: Desk) -> None:
    """Both listeners answer all through the update: first the old image, at the end the new one alone.

    A WebSocket stays on its task while the new revision already serves, and ends with the task's goodbye.
    """
    draining = {"port": "http", "deregistrationDelaySeconds": 30}
    ecs = {"launchType": "FARGATE", "targetGroups": [draining]}
    route = desk.route(ports=(80, 443))
    desk.apply_and_wait(desk.deployment(ecs=ecs), route)
    with (
        Talk(desk.aws.url(80), host=desk.host) as talk,
        desk.load(port=80) as plain,
        desk.load(port=443, rate=20) as tls,
    ):
        assert talk.status == 101
        until(lambda: talk.echoes > 3, "the task echoes")
        desk.apply(desk.deployment(image="2.0.0", ecs=ecs))
        for load in (plain, tls):
            load.wait_for_image(NEW)
        desk.wait_ready(desk.deployment(), route)
        until(lambda: not talk.alive, "the WebSocket's task ends")
    for load in (plain, tls):
        assert load.failures == {}
        assert load.sent > 60
        assert set(load.images) == {OLD, NEW}
        assert set(load.report.seconds[-1].images) == {NEW}
    assert talk.last_echo > plain.images[NEW]
    assert talk.goodbye == GOING_AWAY
