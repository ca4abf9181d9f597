"""What ECS says: service events in its own words and state-change events for EventBridge.

Texts of service events as public issues, runbooks and aws/copilot-cli's tests quote them; shapes of
the state-change events as the ECS developer guide ("Amazon ECS events") shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, owner, uuid_id
from sluice_sandbox.aws.ecs.state import Deployment, HookRun, Service, Task

MAX_EVENTS = 100
_SOURCE = "aws.ecs"
_OF_PROVIDERS = frozenset({"CAPACITY_PROVIDER_STEADY_STATE", "SERVICE_TASK_PLACEMENT_FAILURE"})
"""Service actions that name the capacity providers (the developer guide's examples)."""


def iso(seconds: float) -> str:
    """Return a time as EventBridge's details spell it: `2026-01-01T00:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def mention(tasks: Iterable[Task]) -> str:
    """Return `(task <id>) (task <id>)`."""
    return " ".join(f"(task {task.id})" for task in tasks)


class Narrator:
    """Writes both kinds of events."""

    def __init__(self, core: Core) -> None:
        """Write into `core`'s state and to its emitter."""
        self._core = core

    def say(self, service: Service, text: str) -> None:
        """Add a service event: `(service <name>) <text>`."""
        self._append(service, f"(service {service.name}) {text}")

    def say_of_set(self, service: Service, deployment_id: str, text: str) -> None:
        """Add a service event of a deployment: `(service <name>, taskSet <id>) <text>`."""
        self._append(service, f"(service {service.name}, taskSet {deployment_id}) {text}")

    def say_once(self, service: Service, topic: str, text: str) -> bool:
        """Say `text` unless it was the last said of `topic`; tell whether it was said."""
        if service.remarks.get(topic) == text:
            return False
        service.remarks[topic] = text
        self.say(service, text)
        return True

    def forget(self, service: Service, topic: str) -> None:
        """Let `topic` be said again."""
        service.remarks.pop(topic, None)

    def _append(self, service: Service, message: str) -> None:
        event = {"id": uuid_id(self._core.rng), "createdAt": self._core.now(), "message": message}
        service.events.insert(0, event)
        del service.events[MAX_EVENTS:]

    def deployment_changed(self, service: Service, deployment: Deployment, name: str) -> None:
        """Emit ECS Deployment State Change (SERVICE_DEPLOYMENT_*), and the same as a service action.

        Both are documented: "Amazon ECS service deployment state change events" and, for IN_PROGRESS and
        COMPLETED, "Amazon ECS service action events".
        """
        self._core.ports.emitter.emit(
            owner(service.arn),
            source=_SOURCE,
            detail_type="ECS Deployment State Change",
            detail={
                "eventType": "ERROR" if name.endswith("FAILED") else "INFO",
                "eventName": name,
                "deploymentId": deployment.id,
                "updatedAt": iso(self._core.now()),
                "reason": deployment.rollout_state_reason,
            },
            resources=[service.arn],
        )
        if not name.endswith("FAILED"):
            self.service_acted(service, name)

    def hook_waits(self, service: Service, service_deployment_arn: str, hook: HookRun) -> None:
        """Emit ECS Hook State Change, HOOK_AWAITING_ACTION.

        ECS developer guide, "Pause hooks for Amazon ECS service deployments", names type and event; what is
        in the detail is from memory.
        """
        self._core.ports.emitter.emit(
            owner(service.arn),
            source=_SOURCE,
            detail_type="ECS Hook State Change",
            detail={
                "eventType": "INFO",
                "eventName": "HOOK_AWAITING_ACTION",
                "serviceDeploymentArn": service_deployment_arn,
                "hookId": hook.id,
                "lifecycleStage": hook.stage,
                "expiresAt": iso(hook.expires_at),
                "updatedAt": iso(self._core.now()),
            },
            resources=[service.arn],
        )

    def service_acted(self, service: Service, name: str, *, kind: str = "INFO", reason: str = "") -> None:
        """Emit ECS Service Action (eventName SERVICE_STEADY_STATE, ...)."""
        detail: dict[str, Any] = {
            "eventType": kind,
            "eventName": name,
            "clusterArn": service.cluster_arn,
            "createdAt": iso(self._core.now()),
        }
        providers = [item["capacityProvider"] for item in service.spec.get("capacityProviderStrategy") or ()]
        if providers and name in _OF_PROVIDERS:
            caller = owner(service.arn)
            detail["capacityProviderArns"] = [arn(caller, "capacity-provider", item) for item in providers]
        if reason:
            detail["reason"] = reason
        self._core.ports.emitter.emit(
            owner(service.arn),
            source=_SOURCE,
            detail_type="ECS Service Action",
            detail=detail,
            resources=[service.arn],
        )

    def task_changed(self, task: Task, shown: dict[str, Any]) -> None:
        """Emit ECS Task State Change with the task as DescribeTasks shows it, times as text."""
        self._core.ports.emitter.emit(
            owner(task.arn),
            source=_SOURCE,
            detail_type="ECS Task State Change",
            detail=_timed(shown) | {"updatedAt": iso(self._core.now())},
            resources=[task.arn],
        )


def _timed(shown: dict[str, Any]) -> dict[str, Any]:
    return {
        key: iso(value) if key.endswith("At") and isinstance(value, int | float) else value
        for key, value in shown.items()
    }
