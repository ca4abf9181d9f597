"""Which images the candidate's tasks run, out of what ECS tells of the slot's tasks."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.plan.progressive.facts import images

ADDED = (
    {"name": "aws-guardduty-agent-Xy3Zq", "imageDigest": "sha256:g"},
    {"name": "ecs-service-connect-q8N", "imageDigest": "sha256:p"},
)
"""What AWS puts beside them."""
MINE, OTHER = "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:2", "arn:…:task-definition/web:1"


def task(digest: str, *, status: str = "RUNNING", definition: str = MINE) -> dict[str, Any]:
    """Return a task with a container of an image and one whose image is not known."""
    container = {"name": "app"} | ({"imageDigest": digest} if digest else {})
    return {
        "lastStatus": status,
        "taskDefinitionArn": definition,
        "containers": [container, {"name": "sidecar"}, *ADDED],
    }


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([], (), id="none"),
        pytest.param([task("sha256:a"), task("sha256:a")], ("app@sha256:a",), id="each once"),
        pytest.param(
            [task("sha256:b"), task("sha256:a")], ("app@sha256:a", "app@sha256:b"), id="two images, sorted"
        ),
        pytest.param([task("")], (), id="not pulled yet, or not told"),
        pytest.param([task("sha256:a", status="PENDING")], (), id="does not run yet"),
        pytest.param([task("sha256:a", definition=OTHER)], (), id="of the revision before"),
    ],
)
def test_the_images_of_a_definitions_running_tasks(
    tasks: list[dict[str, Any]], expected: tuple[str, ...]
) -> None:
    """What runs something else, or does not run, says nothing of the candidate."""
    assert images(tasks, definition=MINE, containers={"app", "sidecar"}) == expected
