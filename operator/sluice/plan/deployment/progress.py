"""How far an ECS deployment is, from what DescribeServices and the service deployments tell.

| PRIMARY | tells |
|---|---|
| ours, COMPLETED (or no state and steady), counts as desired | Complete |
| ours, FAILED | Failed: the circuit breaker gave up and has nothing to roll back to, or may not |
| not ours, and ECS's own service deployment of ours ended in a rollback | RolledBack |
| anything else | Progressing |

"Ours" is decided by the planner: no difference of the revision. The nine statuses of a service
deployment: ECS API, ServiceDeploymentStatus.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sluice.model.desired import Desired
from sluice.model.errors import stable
from sluice.model.observed import Structure
from sluice.plan.deployment.service import primary

ROLLBACK_STATUSES: Final = frozenset(
    {"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
)
_REASONS_SHOWN: Final = 2
_LEAVING: Final = " once their entries left Cloud Map"
_CLOCK_SKEW: Final = 5.0  # seconds between AWS's clock and ours that are taken for equal
_TROUBLE: Final = ("unable to", "failed to", "throttled")
_WHICH: Final = re.compile(r"\((container-instance|instance|task) [^)]*\)")
"""Which one it was this time differs from event to event: each would be another status to write."""
_RELIEF: Final = ("has started", "has reached a steady state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What to tell about the slot."""

    state: Literal["Progressing", "Complete", "Failed"]
    message: str
    ready_at: float | None = None
    """When minReadySeconds will be over, if only that is missing."""
    leaving: bool = False
    """The revision runs completely; only tasks are left that ECS keeps until their entries left Cloud Map
    (they are protected until then). No time in which the revision makes no progress."""
    failing: bool = False
    """Tasks of the revision fail."""


def evaluate(
    desired: Desired,
    service: Structure,
    *,
    count: int | None,
    stopped: Sequence[Structure],
    now: float,
    alarms: Sequence[str] = (),
) -> Progress:
    """Judge a service that runs our revision; `count` is what desiredCount should be, None: anything.

    `alarms` are those that failed its deployment, where one did.
    """
    deployment = primary(service)
    want = int(service.get("desiredCount", 0))
    running, pending = int(service.get("runningCount", 0)), int(service.get("pendingCount", 0))
    updated = int(deployment.get("runningCount", 0))
    state = deployment.get("rolloutState")
    name = desired.revision.name
    text = f"{updated} of {want} tasks of revision {name} run"
    reasons = stopped_reasons(stopped)
    if state == "FAILED":
        why = with_alarms(str(deployment.get("rolloutStateReason") or "the deployment failed"), alarms)
        return Progress(state="Failed", message=_with(f"{text}; {why}", reasons))
    failing = int(deployment.get("failedTasks", 0) or 0)
    alone = len(service.get("deployments") or ()) <= 1
    steady = running == want and pending == 0 and alone
    finished = state == "COMPLETED" or (state is None and steady)
    # Where the spec owns the count, tasks beyond it are still on their way out.
    off = running < want or (count is not None and (want != count or running != want))
    if not finished or off:
        if failing:
            text = _with(f"{text}, {failing} failed", reasons)
        elif running < want and (why := trouble(service)):
            text = f"{text}; ECS {why}"
        elif not alone and updated >= want:
            text = f"{text}; tasks of the old revision stop{_LEAVING if desired.listed else ''}"
        elif finished and running > want:
            text = f"{text}; {running - want} more stop{_LEAVING if desired.listed else ''}"
        elif updated >= want and desired.strategy.alarms.get("enable"):
            text = f"{text}; ECS watches {_named(desired.strategy.alarms.get('alarmNames') or ())}"
        leaving = desired.listed and not failing and updated >= want and running > want
        return Progress(state="Progressing", message=text, leaving=leaving, failing=bool(failing))
    since = epoch(deployment.get("updatedAt"))
    ready_at = since + desired.strategy.min_ready_seconds if since is not None else now
    if desired.strategy.min_ready_seconds and now < ready_at:
        return Progress(
            state="Progressing", message=f"{text}; waiting for minReadySeconds", ready_at=ready_at
        )
    return Progress(state="Complete", message=text)


def trouble(service: Structure) -> str:
    """Return why ECS starts no task, as its newest service event says, '' when it does not say so.

    A task that was never placed is no stopped task: only the event tells (no container instance, no capacity,
    a role that can't be assumed, a target group that takes no targets). What was started since, and events
    of an earlier deployment, end it. Texts: ECS developer guide, "Viewing service event messages".
    """
    since = epoch(primary(service).get("createdAt"))
    for event in service.get("events") or ():
        text, at = str(event.get("message") or ""), epoch(event.get("createdAt"))
        if any(word in text for word in _RELIEF):
            return ""
        if since is not None and at is not None and at < since - _CLOCK_SKEW:
            return ""
        if any(word in text for word in _TROUBLE):
            text = text.removeprefix(f"(service {service.get('serviceName')})")
            return stable(_WHICH.sub(r"\1", text)).rstrip(".")
    return ""


def rolled_back(
    deployments: Sequence[Structure], *, task_definition: str, given: bool, since: float | None
) -> Structure | None:
    """Return ECS's service deployment of ours that ended in a rollback, None when there is none.

    `given`: the service is known to have got the revision; otherwise only a service deployment that
    began after `since` counts, because an older one tells of an earlier attempt.
    """
    for deployment in deployments:
        target = deployment.get("targetServiceRevision") or {}
        if not isinstance(target, dict) or target.get("taskDefinition") != task_definition:
            continue
        if deployment.get("status") not in ROLLBACK_STATUSES:
            return None
        created = epoch(deployment.get("createdAt"))
        fresh = since is not None and created is not None and created >= since - _CLOCK_SKEW
        return deployment if given or fresh else None
    return None


def triggered(deployments: Sequence[Structure], *, task_definition: str) -> tuple[str, ...]:
    """Return the CloudWatch alarms that failed the newest service deployment, if it is the definition's.

    ECS API, ServiceDeploymentAlarms.
    """
    for deployment in deployments[:1]:
        target = deployment.get("targetServiceRevision") or {}
        if isinstance(target, Mapping) and target.get("taskDefinition") == task_definition:
            return alarms_of(deployment)
    return ()


def alarms_of(deployment: Structure) -> tuple[str, ...]:
    """Return the CloudWatch alarms that failed a service deployment, () where none did."""
    return tuple((deployment.get("alarms") or {}).get("triggeredAlarmNames") or ())


def with_alarms(why: str, alarms: Sequence[str]) -> str:
    """Name the alarms in ECS's reason, which does not always."""
    unnamed = [name for name in alarms if name not in why]
    if not unnamed:
        return why
    return f"{why.rstrip('.')}: {_named(unnamed)}".removeprefix(": ")


ATTACHED: Final[Mapping[str, str]] = {"loadBalancers": "targetGroupArn", "serviceRegistries": "registryArn"}
"""Members of a service that follow the routes → what names one of their entries."""


def detached_again(
    deployments: Sequence[Structure], member: str, wanted: Sequence[Mapping[str, Any]]
) -> Structure | None:
    """Return the newest service deployment if it tried exactly `wanted` and ECS rolled it back.

    Attaching target groups or a registry is an ECS deployment of the same revision: when its tasks never
    become healthy ECS detaches them again, and asking again would go on for ever.
    """
    name = ATTACHED[member]
    for deployment in deployments[:1]:
        target = deployment.get("targetServiceRevision")
        if not isinstance(target, Mapping) or deployment.get("status") not in ROLLBACK_STATUSES:
            return None
        tried = {entry.get(name) for entry in target.get(member) or ()}
        if tried and tried == {entry[name] for entry in wanted}:
            return deployment
    return None


def stopped_reasons(tasks: Sequence[Structure]) -> tuple[str, ...]:
    """Return why the newest stopped tasks stopped, without repetition, newest first.

    A scale-in is no failure. Containers tell more than the task where they have a reason or exit code.
    """
    ordered = sorted(tasks, key=lambda task: epoch(task.get("stoppedAt")) or 0, reverse=True)
    found: dict[str, None] = {}
    for task in ordered:
        reason = str(task.get("stoppedReason") or "")
        if not reason or reason.startswith("Scaling activity initiated by"):
            continue
        details = [
            f"container {container.get('name')}: "
            + (str(container["reason"]) if container.get("reason") else f"exit code {container['exitCode']}")
            for container in task.get("containers") or ()
            if container.get("reason") or container.get("exitCode")
        ]
        found[_with(reason, tuple(details[:1]))] = None
    return tuple(found)[:_REASONS_SHOWN]


def epoch(value: Any) -> float | None:  # noqa: ANN401 - AWS's time in either form
    """Return epoch seconds of a time in AWS's answer (a datetime or a number), None when absent."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else None


def _with(text: str, reasons: tuple[str, ...]) -> str:
    return f"{text} ({'; '.join(reasons)})" if reasons else text


def _named(alarms: Sequence[str]) -> str:
    return f"CloudWatch {'alarms' if len(alarms) > 1 else 'alarm'} {', '.join(alarms)}"
