"""An image that never starts: ECS's circuit breaker takes it back, and kubectl tells it everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, Desk
from e2e.waiting import until
from sluice_sandbox.controlplane.errors import CommandFailed

pytestmark = pytest.mark.e2e


def broken(desk: Desk) -> dict[str, Any]:
    """Return the Deployment with an image whose container exits at once."""
    obj = desk.deployment(image="3.0.0")
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "SANDBOX_EXIT", "value": "1"}]
    return obj


def test_a_rollback_is_stalled_and_never_a_success(desk: Desk) -> None:
    """Get, wait and describe tell the rollback; clients see the old image alone; the old spec is Ready."""
    good = desk.deployment()
    desk.apply_and_wait(good, desk.route())
    revision = desk.status(DEPLOYMENT)["live"]["revision"]
    with desk.load() as load:
        desk.apply(broken(desk))
        with pytest.raises(CommandFailed, match="timed out"):
            desk.kubectl("wait", "ecsdeployment/web", "--for=condition=Ready", "--timeout=1s")
        desk.kubectl("wait", "ecsdeployment/web", "--for=condition=Stalled", "--timeout=60s")
        with pytest.raises(CommandFailed, match="timed out"):
            desk.kubectl("wait", "ecsdeployment/web", "--for=condition=Ready", "--timeout=1s")
    assert load.failures == {}
    assert set(load.images) == {f"{REPOSITORY}:1.0.0"}

    stalled = desk.condition(DEPLOYMENT, kind="Stalled")
    assert stalled["reason"] == "RolledBack"
    assert "exit code 1" in stalled["message"]
    assert "circuit breaker" in stalled["message"]
    assert desk.status(DEPLOYMENT)["live"]["revision"] == revision
    columns = desk.kubectl("get", "ecsdeployment", "web", "-o", "wide", "--no-headers").split()
    assert columns[1:4] == ["False", "Degraded", revision]
    assert columns[-1] == "RolledBack"

    until(lambda: desk.events("RolledBack"), "the event is there")
    text = desk.kubectl("describe", "ecsdeployment", "web")
    events = text[text.index("\nEvents:") :]
    for reason in ("RolloutStarted", "RolloutCompleted", "RolledBack"):
        assert f" {reason} " in events
    history = json.dumps(desk.status(DEPLOYMENT)["history"][0])
    assert "RolledBack" in history

    desk.apply_and_wait(good)
    assert desk.status(DEPLOYMENT)["live"]["revision"] == revision
