"""What a pipeline does: apply, wait at once, and believe what the wait says."""

from __future__ import annotations

import pytest

from e2e.desk import DEPLOYMENT, REPOSITORY, ROUTE, Desk

pytestmark = pytest.mark.e2e


def test_kubectl_wait_right_after_apply_is_right(desk: Desk) -> None:
    """The first time and after a change: when it returns, AWS runs what was applied."""
    route = desk.route()
    for tag in ("1.0.0", "2.0.0"):
        desk.apply(desk.deployment(image=tag), route)
        waited = desk.kubectl(
            "wait", "--for=condition=Ready", f"{DEPLOYMENT}/web", f"{ROUTE}/web", "--timeout=90s"
        )
        assert waited.count("condition met") == 2
        service = desk.service()
        assert service["runningCount"] == service["desiredCount"] == 2
        definition = desk.aws.ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
        images = {c["image"] for c in definition["taskDefinition"]["containerDefinitions"]}
        assert images == {f"{REPOSITORY}:{tag}"}
        assert len(service["deployments"]) == 1
