"""Clusters: create (idempotent), describe, list, update, delete.

Capacity providers are FARGATE and FARGATE_SPOT only: the stand-in has no container instances, and
says so instead of placing tasks on EC2.
"""

from __future__ import annotations

import re
from typing import Any

from sluice_sandbox.aws.ecs import refusals, tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, last_segment
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.state import Cluster, Task
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_PENDING = {"PROVISIONING", "PENDING", "ACTIVATING"}
MAX_DESCRIBE = 100


class ClusterCalls:
    """The cluster operations."""

    def __init__(self, core: Core) -> None:
        """Work on `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "CreateCluster": self.create_cluster,
            "DescribeClusters": self.describe_clusters,
            "ListClusters": self.list_clusters,
            "UpdateCluster": self.update_cluster,
            "UpdateClusterSettings": self.update_cluster_settings,
            "PutClusterCapacityProviders": self.put_cluster_capacity_providers,
            "DeleteCluster": self.delete_cluster,
            "DescribeCapacityProviders": self.describe_capacity_providers,
            "ListContainerInstances": self.list_container_instances,
            "DescribeContainerInstances": self.describe_container_instances,
        }

    def create_cluster(self, caller: Caller, params: Params) -> Response:
        """Create, or return the ACTIVE one of that name unchanged (known behaviour: idempotent)."""
        name = params.get("clusterName") or "default"
        if not _NAME.fullmatch(name):
            raise refusals.invalid_parameter("Invalid cluster name.")
        scope = self._core.scope(caller)
        found = scope.clusters.get(name)
        if found is None or found.status != "ACTIVE":
            chosen = tags.parse(params.get("tags"))
            spec: dict[str, Any] = {
                key: params[key] for key in ("configuration", "serviceConnectDefaults") if key in params
            }
            spec["settings"] = params.get("settings") or [{"name": "containerInsights", "value": "disabled"}]
            spec["capacityProviders"] = params.get("capacityProviders") or []
            spec["defaultCapacityProviderStrategy"] = params.get("defaultCapacityProviderStrategy") or []
            _check_providers(spec["capacityProviders"], spec["defaultCapacityProviderStrategy"])
            found = Cluster(arn=arn(caller, "cluster", name), name=name, tags=chosen, spec=spec)
            scope.clusters[name] = found
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def describe_clusters(self, caller: Caller, params: Params) -> Response:
        """Describe by name or ARN (`default` if none are named); unknown ones are failures."""
        names = params.get("clusters") or ["default"]
        if len(names) > MAX_DESCRIBE:
            raise refusals.invalid_parameter("Clusters cannot have more than 100 elements.")
        include = set(params.get("include") or ())
        shown, failures = [], []
        for name in names:
            try:
                found = self._core.cluster(caller, name, inactive=True)
            except AwsError:
                missing = name if name.startswith("arn:") else arn(caller, "cluster", name)
                failures.append({"arn": missing, "reason": "MISSING"})
            else:
                shown.append(self._render(caller, found, include))
        return {"clusters": shown, "failures": failures}

    def list_clusters(self, caller: Caller, params: Params) -> Response:
        """List the ARNs of ACTIVE clusters."""
        found = [item.arn for item in self._core.scope(caller).clusters.values() if item.status == "ACTIVE"]
        arns, token = page(found, params)
        return {"clusterArns": arns, **token}

    def update_cluster(self, caller: Caller, params: Params) -> Response:
        """Replace settings, configuration or Service Connect defaults where given."""
        found = self._core.cluster(caller, params["cluster"])
        for member in ("settings", "configuration", "serviceConnectDefaults"):
            if member in params:
                found.spec[member] = params[member]
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def update_cluster_settings(self, caller: Caller, params: Params) -> Response:
        """Replace the settings."""
        found = self._core.cluster(caller, params["cluster"])
        found.spec["settings"] = params["settings"]
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS"})}

    def put_cluster_capacity_providers(self, caller: Caller, params: Params) -> Response:
        """Replace the cluster's capacity providers and its default strategy."""
        found = self._core.cluster(caller, params["cluster"])
        providers, strategy = params["capacityProviders"], params["defaultCapacityProviderStrategy"]
        _check_providers(providers, strategy)
        found.spec["capacityProviders"] = providers
        found.spec["defaultCapacityProviderStrategy"] = strategy
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS"})}

    def delete_cluster(self, caller: Caller, params: Params) -> Response:
        """Make an empty cluster INACTIVE (botocore, DeleteCluster's errors; texts: public issues)."""
        found = self._core.cluster(caller, params["cluster"])
        if found.service_arns:
            raise AwsError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(task.last_status != "STOPPED" for task in self._tasks(caller, found)):
            raise AwsError(
                "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."
            )
        found.status = "INACTIVE"
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS"})}

    def describe_capacity_providers(self, caller: Caller, params: Params) -> Response:
        """Describe FARGATE and FARGATE_SPOT; any other name is a failure."""
        names = params.get("capacityProviders") or list(FARGATE_PROVIDERS)
        shown = [
            {
                "capacityProviderArn": arn(caller, "capacity-provider", last_segment(name)),
                "name": last_segment(name),
                "status": "ACTIVE",
                "tags": [],
            }
            for name in names
            if last_segment(name) in FARGATE_PROVIDERS
        ]
        failures = [
            {"arn": name, "reason": "MISSING"}
            for name in names
            if last_segment(name) not in FARGATE_PROVIDERS
        ]
        return {"capacityProviders": shown, "failures": failures}

    def list_container_instances(self, caller: Caller, params: Params) -> Response:
        """List the cluster's container instances: this estate has none."""
        self._core.cluster(caller, params.get("cluster"))
        return {"containerInstanceArns": []}

    def describe_container_instances(self, caller: Caller, params: Params) -> Response:
        """Describe container instances: all are MISSING."""
        self._core.cluster(caller, params.get("cluster"))
        return {
            "containerInstances": [],
            "failures": [{"arn": name, "reason": "MISSING"} for name in params["containerInstances"]],
        }

    def _tasks(self, caller: Caller, cluster: Cluster) -> list[Task]:
        return [task for task in self._core.scope(caller).tasks.values() if task.cluster_arn == cluster.arn]

    def _render(self, caller: Caller, cluster: Cluster, include: set[str]) -> dict[str, Any]:
        scope = self._core.scope(caller)
        tasks = self._tasks(caller, cluster)
        running = [task for task in tasks if task.last_status == "RUNNING"]
        pending = [task for task in tasks if task.last_status in _PENDING]
        shown: dict[str, Any] = {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": len(running),
            "pendingTasksCount": len(pending),
            "activeServicesCount": len(cluster.service_arns),
            "statistics": [],
            "tags": tags.render(cluster.tags) if "TAGS" in include else [],
            "settings": cluster.spec["settings"] if "SETTINGS" in include else [],
            "capacityProviders": cluster.spec["capacityProviders"],
            "defaultCapacityProviderStrategy": cluster.spec["defaultCapacityProviderStrategy"],
        }
        if "serviceConnectDefaults" in cluster.spec:
            shown["serviceConnectDefaults"] = cluster.spec["serviceConnectDefaults"]
        if "CONFIGURATIONS" in include and "configuration" in cluster.spec:
            shown["configuration"] = cluster.spec["configuration"]
        if "STATISTICS" in include:
            services = [
                scope.services[item]
                for item in scope.services
                if scope.services[item].cluster_arn == cluster.arn
            ]
            counts: dict[str, int] = {}
            for launch in ("EC2", "Fargate"):
                of = {"EC2": "EC2", "Fargate": "FARGATE"}[launch]
                counts[f"running{launch}TasksCount"] = sum(task.launch_type == of for task in running)
                counts[f"pending{launch}TasksCount"] = sum(task.launch_type == of for task in pending)
                for status in ("ACTIVE", "DRAINING"):
                    counts[f"{status.lower()}{launch}ServiceCount"] = sum(
                        item.status == status and item.spec.get("launchType", "FARGATE") == of
                        for item in services
                    )
            shown["statistics"] = [{"name": name, "value": str(value)} for name, value in counts.items()]
        return shown


def check_strategy(strategy: list[dict[str, Any]]) -> None:
    """Refuse an impossible capacity provider strategy (botocore, CapacityProviderStrategyItem)."""
    if sum(1 for item in strategy if item.get("base")) > 1:
        raise refusals.invalid_parameter("Only one capacity provider in a strategy can have a base defined.")
    if len(strategy) > 1 and not any(item.get("weight", 0) for item in strategy):
        raise refusals.invalid_parameter(
            "At least one capacity provider in a strategy must have a weight greater than zero."
        )
    if len(strategy) > 20:
        raise refusals.invalid_parameter(
            "A capacity provider strategy can contain a maximum of 20 capacity providers."
        )


def _check_providers(providers: list[str], strategy: list[dict[str, Any]]) -> None:
    for name in providers:
        if last_segment(name) not in FARGATE_PROVIDERS:
            raise refusals.invalid_parameter(f"The specified capacity provider '{name}' was not found.")
    for item in strategy:
        if item["capacityProvider"] not in providers:
            raise refusals.invalid_parameter(
                "The capacity providers of the default strategy must be associated with the cluster."
            )
    if strategy:
        check_strategy(strategy)
