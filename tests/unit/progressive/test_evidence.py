"""The black box of a rollback: short, bounded, and never in the way."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.model.rollout import MetricRun, Rollout
from sluice.plan.progressive import evidence
from unit.deployment import wishes

ROLLOUT = Rollout(
    id="r",
    kind="Rollout",
    candidate="web-2",
    slot="b",
    metrics=(MetricRun(id="errors", since=1.0, last=0.42, failed=1, passed=2, message="97 requests"),),
)
STOPPED: list[dict[str, Any]] = [
    {
        "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/main/abc",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "app", "exitCode": 3}],
    }
]


def test_every_kind_of_evidence_is_a_line() -> None:
    """Metric, task, target, rule and log, each as a person would search for it."""
    target = {"Target": {"Id": "10.0.0.1", "Port": 8080}, "TargetHealth": {"State": "unhealthy"}}
    target["TargetHealth"] |= {"Reason": "Target.ResponseCodeMismatch", "Description": "with codes: [500]"}
    fine = {"Target": {"Id": "10.0.0.2", "Port": 8080}, "TargetHealth": {"State": "healthy"}}
    rule = {
        "Priority": "7",
        "Actions": [
            {"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "a:targetgroup/web-a/1", "Weight": 95}]}}
        ],
    }
    lines = evidence.lines(
        ROLLOUT, stopped=STOPPED, targets=[target, fine], rules=[rule], logs={"app": ["boom\n"]}
    )
    assert lines[0] == "metric errors: last 0.42; 2 passed, 1 failed, 0 inconclusive; 97 requests"
    assert lines[1].startswith("stopped task: ")
    assert lines[2:] == (
        "target 10.0.0.1:8080 unhealthy Target.ResponseCodeMismatch with codes: [500]",
        'rule 7 {"targetgroup/web-a/1":95}',
        "log app: boom",
    )


def test_evidence_fits_into_a_status() -> None:
    """However much there is: 32 lines of 300 characters."""
    logs = {f"c{number}": ["x" * 5_000, "y" * 5_000] for number in range(40)}
    lines = evidence.lines(None, logs=logs)
    assert (len(lines), max(map(len, lines))) == (evidence.LINES, evidence.WIDTH)


def test_a_hundred_rules_do_not_crowd_out_the_last_words() -> None:
    """The longest kind gives way to the others, and how much is missing is said."""
    rules = [{"Priority": str(number), "Actions": []} for number in range(256)]
    targets = [
        {"Target": {"Id": f"10.0.0.{number}"}, "TargetHealth": {"State": "unhealthy"}} for number in range(99)
    ]
    lines = evidence.lines(ROLLOUT, stopped=STOPPED, targets=targets, rules=rules, logs={"app": ["boom"]})
    kinds = [line.split()[0] for line in lines]
    assert len(lines) == evidence.LINES
    assert {"metric", "stopped", "target", "rule", "log"} <= set(kinds)
    shown = kinds.count("rule")
    assert f"and {256 - shown} more rules" in lines
    assert f"and {99 - kinds.count('target')} more targets" in lines


def test_a_tag_that_was_moved_is_evidence() -> None:
    """Both digests, short."""
    rollout = dataclasses.replace(ROLLOUT, images=("app@sha256:" + "a" * 64, "app@sha256:" + "b" * 64))
    assert f"image app: sha256:{'a' * 12} then sha256:{'b' * 12}" in evidence.lines(rollout)


def test_logs_are_found_where_awslogs_puts_them() -> None:
    """`<prefix>/<container>/<task id>`; other drivers keep theirs to themselves."""
    own = wishes.desired().revision
    (container,) = own.definition["containerDefinitions"]
    options = {"awslogs-group": "/ecs/shop/web", "awslogs-stream-prefix": "web"}
    logging = {"logDriver": "awslogs", "options": options}
    revision = dataclasses.replace(
        own, definition={"containerDefinitions": [{**container, "logConfiguration": logging}]}
    )
    (stream,) = evidence.streams(revision, STOPPED)
    assert (stream.group, stream.stream) == ("/ecs/shop/web", "web/app/abc")
    assert evidence.streams(own, STOPPED) == ()
    assert evidence.streams(None, STOPPED) == ()
