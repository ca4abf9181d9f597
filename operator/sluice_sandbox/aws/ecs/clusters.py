"""Clusters: create (idempotent), describe, list, update, delete.

Settings, configuration, tags and statistics as DescribeClusters includes them when asked (botocore).
"""

from __future__ import annotations

import re
from typing import Any

from sluice_sandbox.aws.ecs import refusals, tags
from sluice_sandbox.aws.ecs.account_settings import effective
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, last_segment
from sluice_sandbox.aws.ecs.launch_rules import FARGATE_PROVIDERS, check_strategy, filled, launch_type_of
from sluice_sandbox.aws.ecs.namespaces import default_of
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.state import Cluster, Task
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

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
            spec["settings"] = params.get("settings") or [
                {"name": "containerInsights", "value": effective(scope, caller, "containerInsights")}
            ]
            spec["capacityProviders"] = params.get("capacityProviders") or []
            spec["defaultCapacityProviderStrategy"] = filled(
                params.get("defaultCapacityProviderStrategy") or []
            )
            self._check(caller, spec)
            self._check_providers(
                caller, spec["capacityProviders"], spec["defaultCapacityProviderStrategy"], strict=False
            )
            self._find_namespace(caller, spec)
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
        changed: dict[str, Any] = {
            member: params[member]
            for member in ("settings", "configuration", "serviceConnectDefaults")
            if member in params
        }
        self._check(caller, changed)
        self._find_namespace(caller, changed)
        found.spec.update(changed)
        if (found.spec.get("serviceConnectDefaults") or {}).get("namespace") == "":
            # botocore, ClusterServiceConnectDefaultsRequest.namespace: an empty string removes it.
            del found.spec["serviceConnectDefaults"]
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS", "CONFIGURATIONS"})}

    def update_cluster_settings(self, caller: Caller, params: Params) -> Response:
        """Replace the settings."""
        found = self._core.cluster(caller, params["cluster"])
        self._check(caller, {"settings": params["settings"]})
        found.spec["settings"] = params["settings"]
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS"})}

    def put_cluster_capacity_providers(self, caller: Caller, params: Params) -> Response:
        """Replace the cluster's capacity providers and its default strategy."""
        found = self._core.cluster(caller, params["cluster"])
        providers, strategy = params["capacityProviders"], params["defaultCapacityProviderStrategy"]
        self._check_providers(caller, providers, strategy)
        dropped = {last_segment(name) for name in found.spec["capacityProviders"]} - {
            last_segment(name) for name in providers
        }
        if any(task.capacity_provider in dropped for task in self._live(caller, found)):
            # botocore: only a provider that no existing task uses can be disassociated.
            raise AwsError(
                "ResourceInUseException", "The specified capacity provider is in use and cannot be removed."
            )
        found.spec["capacityProviders"] = providers
        found.spec["defaultCapacityProviderStrategy"] = filled(strategy)
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS"})}

    def delete_cluster(self, caller: Caller, params: Params) -> Response:
        """Make an empty cluster INACTIVE (botocore, DeleteCluster's errors; texts: public issues)."""
        found = self._core.cluster(caller, params["cluster"])
        if found.service_arns:
            raise AwsError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if self._live(caller, found):
            raise AwsError(
                "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."
            )
        if self._instances(caller, found):
            raise AwsError(
                "ClusterContainsContainerInstancesException",
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            )
        if any(
            item.cluster == found.name and item.status == "ACTIVE"
            for item in self._core.scope(caller).capacity_providers.values()
        ):
            raise AwsError(
                "ClusterContainsCapacityProviderException",
                "The Cluster cannot be deleted while it contains capacity providers.",
            )
        found.status = "INACTIVE"
        return {"cluster": self._render(caller, found, {"TAGS", "SETTINGS"})}

    def _tasks(self, caller: Caller, cluster: Cluster) -> list[Task]:
        return [task for task in self._core.scope(caller).tasks.values() if task.cluster_arn == cluster.arn]

    def _live(self, caller: Caller, cluster: Cluster) -> list[Task]:
        return [task for task in self._tasks(caller, cluster) if task.last_status != "STOPPED"]

    def _instances(self, caller: Caller, cluster: Cluster) -> int:
        return sum(
            item.cluster_arn == cluster.arn and item.status != "INACTIVE"
            for item in self._core.scope(caller).instances.values()
        )

    def _check(self, caller: Caller, spec: dict[str, Any]) -> None:
        """Refuse impossible settings, an unknown namespace ARN and OVERRIDE without a log configuration."""
        for item in spec.get("settings") or ():
            if item.get("name") and item.get("value") not in {"enabled", "disabled", "enhanced"}:
                raise refusals.invalid_parameter(f"Invalid value of the setting {item['name']}.")
        execute = (spec.get("configuration") or {}).get("executeCommandConfiguration") or {}
        if (execute.get("logging") == "OVERRIDE") != bool(execute.get("logConfiguration")):
            # botocore, ExecuteCommandConfiguration.logging (text from memory).
            raise refusals.invalid_parameter("logConfiguration is required with, and only with, OVERRIDE.")
        namespace = (spec.get("serviceConnectDefaults") or {}).get("namespace") or ""
        registries = self._core.ports.registries
        if (
            namespace.startswith("arn:")
            and registries is not None
            and not registries.namespace_exists(caller, namespace)
        ):
            raise refusals.namespace_not_found(namespace)

    def _find_namespace(self, caller: Caller, spec: dict[str, Any]) -> None:
        """Turn a default namespace's name into its ARN; a new name makes the namespace."""
        name = (spec.get("serviceConnectDefaults") or {}).get("namespace")
        if name:
            arn_of = default_of(self._core.ports.namespaces, caller, name)
            spec["serviceConnectDefaults"] = {"namespace": arn_of}

    def _check_providers(
        self, caller: Caller, providers: list[str], strategy: list[dict[str, Any]], *, strict: bool = True
    ) -> None:
        """Refuse unknown providers, and (`strict`) a default strategy of others than the cluster's own."""
        scope = self._core.scope(caller)
        names = [last_segment(name) for name in providers]
        for name in names:
            known = scope.capacity_providers.get(name)
            if name not in FARGATE_PROVIDERS and (known is None or known.status != "ACTIVE"):
                raise refusals.invalid_parameter(f"The specified capacity provider '{name}' was not found.")
        for item in strategy:
            if (strict or names) and last_segment(item["capacityProvider"]) not in names:
                raise refusals.invalid_parameter(
                    "The capacity providers of the default strategy must be associated with the cluster."
                )
        if strategy:
            check_strategy(strategy, scope)

    def _render(self, caller: Caller, cluster: Cluster, include: set[str]) -> dict[str, Any]:
        scope = self._core.scope(caller)
        tasks = self._tasks(caller, cluster)
        running = [task for task in tasks if task.last_status == "RUNNING"]
        pending = [task for task in tasks if task.last_status in _PENDING]
        shown: dict[str, Any] = {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": self._instances(caller, cluster),
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
        if "ATTACHMENTS" in include:
            shown["attachments"] = []
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
                        item.status == status and launch_type_of(item.spec) == of for item in services
                    )
            shown["statistics"] = [{"name": name, "value": str(value)} for name, value in counts.items()]
        return shown
