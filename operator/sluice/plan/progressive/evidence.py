"""The black box of a rollback: what will be gone once the candidate is, in short lines for the history.

Metrics as they were judged, why tasks stopped, what targets lacked, what the rules said, and the last
words of the containers. At most 32 lines of 300 characters: it is kept in the object's status. Where there is
more, the longest kind gives way and says how much more there was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        number = str(task.get("taskArn", "")).rpartition("/")[-1]
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
    parts: tuple[tuple[str, Iterable[str]], ...] = (
        ("metrics", _metrics(rollout)),
        ("images", (f"image {moved}" for moved in (rollout.moved_tags if rollout else ()))),
        ("stopped tasks", (f"stopped task: {reason}" for reason in stopped_reasons(stopped))),
        ("targets", _targets(targets)),
        ("rules", _rules(rules)),
        ("log lines", _logs(logs or {})),
    )
    every = [(what, list(dict.fromkeys(line[:WIDTH] for line in found))) for what, found in parts]
    while sum(len(found) for _, found in every) > LINES:
        _shorten(every)
    return tuple(line for _, found in every for line in found)


def _shorten(parts: list[tuple[str, list[str]]]) -> None:
    """Take a line of the longest part: a hundred rules must not crowd out why the tasks stopped."""
    what, longest = max(parts, key=lambda part: len(part[1]))
    last = longest.pop()
    more = int(last.split()[1]) if last.startswith("and ") else 1  # each line of a part begins with its kind
    longest[-1] = f"and {more + 1} more {what}"


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
