"""How much the black box of a rollback keeps: of which tasks, of how many words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.plan.progressive import evidence
from unit.deployment import wishes


def test_the_words_of_the_two_newest_tasks_are_read() -> None:
    """More would be more of the same; the order in which ECS lists them says nothing."""
    own = wishes.desired().revision
    (container,) = own.definition["containerDefinitions"]
    options = {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "web"}
    logging = {"logDriver": "awslogs", "options": options}
    revision = dataclasses.replace(
        own, definition={"containerDefinitions": [{**container, "logConfiguration": logging}]}
    )
    stopped = [
        {"taskArn": f"{wishes.ARN}:task/main/{name}", "stoppedAt": at}
        for name, at in (("old", 100.0), ("newest", 300.0), ("newer", 200.0))
    ]
    found = evidence.streams(revision, stopped)
    assert [stream.stream for stream in found] == ["web/app/newest", "web/app/newer"]
    assert evidence.streams(revision, [{"stoppedAt": 1.0}]) == ()


@pytest.mark.parametrize(
    "logging",
    [
        None,
        {"logDriver": "awslogs"},
        {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web"}},
        {"logDriver": "awslogs", "options": {"awslogs-stream-prefix": "web"}},
        {
            "logDriver": "splunk",
            "options": {"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "web"},
        },
    ],
    ids=["none", "no options", "no prefix", "no group", "another driver"],
)
def test_words_that_cannot_be_found_are_not_looked_for(logging: dict[str, Any] | None) -> None:
    """A stream's name needs the prefix, and only `awslogs` writes to CloudWatch."""
    own = wishes.desired().revision
    containers = [{"name": "app", "logConfiguration": logging}]
    revision = dataclasses.replace(own, definition={"containerDefinitions": containers})
    assert evidence.streams(revision, [{"taskArn": "task/main/x", "stoppedAt": 1.0}]) == ()
    assert evidence.streams(dataclasses.replace(own, definition={}), [{"taskArn": "task/x"}]) == ()


def test_a_container_has_its_last_five_words_of_three_hundred_letters() -> None:
    """32 lines in all: the rest of a longer kind is counted, however its lines end."""
    said = [f"{number} {'x' * 400}" for number in range(7)]
    assert evidence.lines(None, logs={"app": said}) == tuple(f"log app: {text}"[:300] for text in said[-5:])
    crowd = {f"c{number}": [f"{number} more log lines"] for number in range(34)}
    found = evidence.lines(None, logs=crowd)
    assert len(found) == 32
    assert found[:2] == ("log c0: 0 more log lines", "log c1: 1 more log lines")
    assert found[31] == "and 3 more log lines"
