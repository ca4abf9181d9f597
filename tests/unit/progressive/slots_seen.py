"""Slot b as AWS answers for it: two tasks of one revision behind two target groups, and what may differ."""

from __future__ import annotations

import dataclasses
from typing import Any

from sluice.model.desired import Desired
from sluice.model.observed import Observed, ServiceId
from sluice.model.ownership import to_ecs
from sluice.plan.deployment import slots
from sluice.plan.deployment.service import service_tags
from sluice.plan.deployment.state import Live, Slot, State, TargetGroup
from sluice.plan.progressive.look import Look
from sluice.plan.progressive.slot import body_of
from unit.deployment import wishes

WISH: Desired = wishes.desired()
DEFINITION = f"{wishes.ARN}:task-definition/web:1"
OTHER_DEFINITION = f"{wishes.ARN}:task-definition/web:0"
SLOT: Slot = dataclasses.replace(
    slots.numbered(WISH, "b", 1), revision=WISH.revision.name, task_definition=DEFINITION
)
PLACE = ServiceId(SLOT.cluster, SLOT.service_name)
HTTP, ADMIN = (f"{wishes.ELB}:targetgroup/{name}/1" for name in ("web-b-http", "web-b-admin"))
GROUPS = tuple(
    TargetGroup(
        slot="b",
        port=arn.split("-")[-1].split("/")[0],
        container_port=8080 + number,
        load_balancer_arn=wishes.BALANCER,
        name=arn.split("/")[1],
        arn=arn,
    )
    for number, arn in enumerate((HTTP, ADMIN))
)
STATE = State(
    slot=SLOT, target_groups=GROUPS, live=Live(slot="a", revision="r0", task_definition="", since=100.0)
)


def deployment(status: str = "PRIMARY", **changes: Any) -> dict[str, Any]:
    """Return an ECS deployment with two tasks."""
    return {
        "id": "ecs-svc/1",
        "status": status,
        "taskDefinition": DEFINITION,
        "runningCount": 2,
        "pendingCount": 1,
        "rolloutState": "IN_PROGRESS",
    } | changes


def service(**changes: Any) -> dict[str, Any]:
    """Return the slot's service: three tasks wanted, two run, one pending; None leaves a member out."""
    found = {
        **body_of(WISH, DEFINITION, balancers=None, count=3),
        "serviceName": SLOT.service_name,
        "serviceArn": f"{wishes.ARN}:service/main/{SLOT.service_name}",
        "status": "ACTIVE",
        "launchType": "FARGATE",
        "runningCount": 2,
        "pendingCount": 1,
        "loadBalancers": [
            {"targetGroupArn": arn, "containerName": "app", "containerPort": 8080} for arn in (HTTP, ADMIN)
        ],
        "deployments": [deployment()],
        "tags": to_ecs(service_tags(WISH, SLOT)),
    } | changes
    return {name: value for name, value in found.items() if value is not None}


def forward(*groups: tuple[str, int], arn: str = "r1", **members: Any) -> dict[str, Any]:
    """Return a rule that forwards to groups with weights."""
    entries = [{"TargetGroupArn": group, "Weight": weight} for group, weight in groups]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": entries}}
    return {"RuleArn": arn, "Priority": "7", "Actions": [action], "Tags": {}} | members


def look(
    *, seen: dict[str, Any] | None = None, observed: dict[str, Any] | None = None, **changes: Any
) -> Look:
    """Return a look at which everything was read; `seen` is the service."""
    members: dict[str, Any] = {
        "services": {PLACE: service() if seen is None else seen},
        "target_groups": {
            GROUPS[0].name: {"Attributes": {"deregistration_delay.timeout_seconds": "30"}},
            GROUPS[1].name: {"Attributes": {"deregistration_delay.timeout_seconds": "20"}},
        },
        "healthy": {HTTP: frozenset({"10.0.0.1", "10.0.0.2"}), ADMIN: frozenset({"10.0.0.1"})},
    } | (observed or {})
    return Look(
        **{
            "observed": Observed(**members),
            "revisions": {WISH.revision.name: WISH.revision},
            "health_read": frozenset({HTTP, ADMIN}),
            "proof": {wishes.LISTENER: [forward((HTTP, 5), ("other", 95)), forward(("other", 1))]},
        }
        | changes
    )
