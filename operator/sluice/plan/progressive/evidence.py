"""The black box of a rollback: what will be gone once the candidate is, in short lines for the history.

Metrics as they were judged, why tasks stopped, what targets lacked, what the rules said, and the last
words of the containers. At most 32 lines of 300 characters: it is kept in the object's status.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.model.desired import Revision
from sluice.model.observed import Structure
from sluice.model.rollout import Rollout
from sluice.plan.deployment.progress import stopped_reasons
from sluice.plan.progressive.facts import weighted

LINES: Final = 32
WIDTH: Final = 300
LOG_LINES: Final = 5
_TASKS: Final = 2  # whose logs are worth reading


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStream:
    """Where a container of a stopped task wrote."""

    container: str
    group: str
    stream: str


def streams(revision: Revision | None, stopped: Sequence[Structure]) -> tuple[LogStream, ...]:
    """Return the log streams of the newest stopped tasks; only what `awslogs` keeps can be found."""
    if revision is None:
        return ()
    found: list[LogStream] = []
    for task in _newest(stopped)[:_TASKS]:
        number = str(task.get("taskArn", "")).rsplit("/", 1)[-1]
        for container in revision.definition.get("containerDefinitions") or ():
            logging = container.get("logConfiguration") or {}
            options = logging.get("options") or {}
            group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
            if logging.get("logDriver") == "awslogs" and group and prefix and number:
                stream = f"{prefix}/{container['name']}/{number}"
                found.append(LogStream(container=container["name"], group=group, stream=stream))
    return tuple(found)


def lines(
    rollout: Rollout | None,
    *,
    stopped: Sequence[Structure] = (),
    targets: Sequence[Structure] = (),
    rules: Sequence[Structure] = (),
    logs: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Return the evidence; `logs` is container → its last lines."""
    every = [
        *_metrics(rollout),
        *(f"stopped task: {reason}" for reason in stopped_reasons(stopped)),
        *_targets(targets),
        *_rules(rules),
        *_logs(logs or {}),
    ]
    return tuple(dict.fromkeys(line[:WIDTH] for line in every))[:LINES]


def _metrics(rollout: Rollout | None) -> Iterator[str]:
    for run in rollout.metrics if rollout else ():
        last = "no value" if run.last is None else f"{run.last:g}"
        counts = f"{run.passed} passed, {run.failed} failed, {run.inconclusive} inconclusive"
        yield f"metric {run.id}: last {last}; {counts}{f'; {run.message}' if run.message else ''}"


def _targets(targets: Sequence[Structure]) -> Iterator[str]:
    for entry in targets:
        health, target = entry["TargetHealth"], entry["Target"]
        if health["State"] not in ("healthy", "draining"):
            why = " ".join(filter(None, (health.get("Reason"), health.get("Description"))))
            yield f"target {target['Id']}:{target.get('Port', '')} {health['State']} {why}".strip()


def _rules(rules: Sequence[Structure]) -> Iterator[str]:
    for rule in rules:
        weights = {arn.split(":")[-1]: weight for arn, weight in sorted(weighted(rule).items())}
        yield f"rule {rule.get('Priority')} {json.dumps(weights, separators=(',', ':'))}"


def _logs(logs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for container, texts in logs.items():
        for text in texts[-LOG_LINES:]:
            yield f"log {container}: {text.strip()}"


def _newest(stopped: Sequence[Structure]) -> list[Structure]:
    return sorted(stopped, key=lambda task: str(task.get("stoppedAt", "")), reverse=True)
