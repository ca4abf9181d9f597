"""A service as DescribeServices shows it; counts are taken from its tasks when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_sandbox.aws.ecs import tags
from sluice_sandbox.aws.ecs.connected import resources
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import owner, service_linked_role
from sluice_sandbox.aws.ecs.state import Deployment, Service
from sluice_sandbox.aws.ecs.task_factory import resolved_platform
from sluice_sandbox.aws.ecs.task_set_view import Counts
from sluice_sandbox.aws.ecs.task_set_view import render as render_task_set

_OPTIONAL = (
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
)
_DEPLOYMENT_MEMBERS = (
    "taskDefinition",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)


def render(core: Core, service: Service, *, with_tags: bool) -> dict[str, Any]:
    """Return the service in botocore's Service shape."""
    account = service.arn.split(":")[4]
    total = Counts()
    by_deployment = {deployment.id: Counts() for deployment in service.deployments}
    tasks = core.state.scope(owner(service.arn)).tasks
    for task in filter(None, map(tasks.get, service.live)):
        total.add(task)
        by_deployment.get(task.deployment_id, Counts()).add(task)
    spec = service.spec
    shown: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "loadBalancers": spec.get("loadBalancers", []),
        "serviceRegistries": spec.get("serviceRegistries", []),
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": total.running,
        "pendingCount": total.pending,
        "deploymentConfiguration": spec["deploymentConfiguration"],
        "deployments": [
            _deployment(deployment, by_deployment[deployment.id]) | resources(service, deployment.spec)
            for deployment in service.deployments
        ],
        "events": list(service.events),
        "createdAt": service.created_at,
        "createdBy": service.created_by,
        "placementConstraints": spec.get("placementConstraints", []),
        "placementStrategy": spec.get("placementStrategy", []),
        "schedulingStrategy": spec["schedulingStrategy"],
        "deploymentController": spec["deploymentController"],
        "enableECSManagedTags": spec["enableECSManagedTags"],
        "propagateTags": spec["propagateTags"],
        "enableExecuteCommand": spec["enableExecuteCommand"],
        "availabilityZoneRebalancing": spec["availabilityZoneRebalancing"],
        "resourceManagementType": "CUSTOMER",
    }
    for member in _OPTIONAL:
        if spec.get(member) is not None:
            shown[member] = spec[member]
    if "taskDefinition" in spec:
        shown["taskDefinition"] = spec["taskDefinition"]
    if spec["deploymentController"]["type"] == "EXTERNAL":
        shown["taskSets"] = [
            render_task_set(core, service, item, with_tags=False) for item in service.task_sets.values()
        ]
    linked = any(
        spec.get(member) for member in ("networkConfiguration", "loadBalancers", "serviceRegistries")
    )
    if spec.get("role") or linked:
        shown["roleArn"] = spec.get("role") or service_linked_role(account)
    if service.deployments and service.status == "ACTIVE":
        _add_revisions(shown, service, by_deployment)
    if with_tags and service.status == "ACTIVE":
        shown["tags"] = tags.render(service.tags)
    return shown


def _add_revisions(shown: dict[str, Any], service: Service, counts: dict[str, Counts]) -> None:
    primary = service.deployments[0]
    if primary.rollout_state == "IN_PROGRESS":
        shown["currentServiceDeployment"] = primary.service_deployment_arn
    shown["currentServiceRevisions"] = [
        {
            "arn": deployment.revision_arn,
            "requestedTaskCount": deployment.desired_count,
            "runningTaskCount": counts[deployment.id].running,
            "pendingTaskCount": counts[deployment.id].pending,
        }
        for deployment in service.deployments
    ]


def _deployment(deployment: Deployment, counts: Counts) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": deployment.id,
        "status": deployment.status,
        "desiredCount": deployment.desired_count,
        "pendingCount": counts.pending,
        "runningCount": counts.running,
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "rolloutState": deployment.rollout_state,
        "rolloutStateReason": deployment.rollout_state_reason,
    }
    for member in _DEPLOYMENT_MEMBERS:
        if deployment.spec.get(member) is not None:
            shown[member] = deployment.spec[member]
    return shown | resolved_members(deployment.spec)


def resolved_members(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what deployments and revisions tell otherwise than the service: the platform LATEST came to.

    The service itself tells LATEST (botocore, Service.platformVersion; that these two name the version
    is from memory of DescribeServices' answers).
    """
    platform = spec.get("platformVersion")
    return {"platformVersion": resolved_platform(platform)} if platform else {}
