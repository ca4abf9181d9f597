"""Capacity providers: FARGATE and FARGATE_SPOT, which everybody has, and the account's own.

A provider of Auto Scaling groups or managed instances is kept, described and used in strategies; it
brings no instances, so tasks on it wait as they do on AWS when a group cannot grow. Rules: botocore,
CreateCapacityProviderRequest and its neighbours; texts from public issues or, where marked, memory.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import partial
from typing import Any

from sluice_sandbox.aws.ecs import tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, last_segment, owner
from sluice_sandbox.aws.ecs.launch_rules import FARGATE_PROVIDERS
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.refusals import client_exception, invalid_parameter
from sluice_sandbox.aws.ecs.state import CapacityProvider
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

_NAME = re.compile(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", re.IGNORECASE)
MAX_PAGE = 10
MAX_DESCRIBE = 100
_SCALING = {
    "status": "DISABLED",
    "targetCapacity": 100,
    "minimumScalingStepSize": 1,
    "maximumScalingStepSize": 10000,
    "instanceWarmupPeriod": 300,
}
"""botocore, ManagedScaling; that it is off unless asked for is from memory."""


class CapacityProviderCalls:
    """The capacity provider operations."""

    def __init__(self, core: Core) -> None:
        """Work on `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "CreateCapacityProvider": self.create_capacity_provider,
            "DescribeCapacityProviders": self.describe_capacity_providers,
            "UpdateCapacityProvider": self.update_capacity_provider,
            "DeleteCapacityProvider": self.delete_capacity_provider,
        }

    def create_capacity_provider(self, caller: Caller, params: Params) -> Response:
        """Keep a provider of an Auto Scaling group or of managed instances."""
        name = params["name"]
        if not _NAME.fullmatch(name):
            raise invalid_parameter(
                "Invalid capacity provider name: up to 255 letters, numbers, underscores and hyphens, and no "
                "'aws', 'ecs' or 'fargate' in front."
            )
        kinds = [key for key in ("autoScalingGroupProvider", "managedInstancesProvider") if params.get(key)]
        if len(kinds) != 1:
            raise invalid_parameter(
                "Specify either autoScalingGroupProvider or managedInstancesProvider of a capacity provider."
            )
        cluster = ""
        if kinds == ["managedInstancesProvider"]:
            if not params.get("cluster"):
                raise invalid_parameter("A managed instances capacity provider needs a cluster.")
            cluster = self._core.cluster(caller, params["cluster"]).name
        scope = self._core.scope(caller)
        there = scope.capacity_providers.get(name)
        if there is not None and there.status != "INACTIVE":
            # Text: hashicorp/terraform-provider-aws issues on capacity providers.
            raise client_exception(
                "The specified capacity provider already exists. To change the configuration of an existing "
                "capacity provider, update the capacity provider."
            )
        made = CapacityProvider(
            arn=arn(caller, "capacity-provider", name),
            name=name,
            cluster=cluster,
            spec={kinds[0]: deepcopy(params[kinds[0]])},
            tags=tags.parse(params.get("tags")),
        )
        _complete(made.spec)
        scope.capacity_providers[name] = made
        return {"capacityProvider": _render(made, with_tags=True)}

    def describe_capacity_providers(self, caller: Caller, params: Params) -> Response:
        """Describe by name, or all of the account or of a cluster, ten a page (botocore)."""
        names = [last_segment(name) for name in params.get("capacityProviders") or ()]
        if len(names) > MAX_DESCRIBE:
            raise invalid_parameter("Capacity providers cannot have more than 100 elements.")
        known = self._all(caller)
        if params.get("cluster"):
            cluster = self._core.cluster(caller, params["cluster"])
            of = set(cluster.spec["capacityProviders"])
            known = {k: v for k, v in known.items() if k in of or v.cluster == cluster.name}
        with_tags = "TAGS" in (params.get("include") or ())
        wanted = [name for name in names if name in known] if names else list(known)
        chosen, token = page(wanted, params, default=MAX_PAGE, largest=MAX_PAGE)
        return {
            "capacityProviders": [_render(known[name], with_tags=with_tags) for name in chosen],
            "failures": [{"arn": name, "reason": "MISSING"} for name in names if name not in known],
            **token,
        }

    def update_capacity_provider(self, caller: Caller, params: Params) -> Response:
        """Change a provider's own settings; what is absent stays."""
        found = self._own(caller, params["name"])
        for kind, settings in found.spec.items():
            given = deepcopy(params.get(kind) or {})
            scaling = settings.get("managedScaling", {}) | (given.pop("managedScaling", None) or {})
            settings.update(given)
            if kind == "autoScalingGroupProvider":
                settings["managedScaling"] = scaling
        _complete(found.spec)
        found.update_status = "UPDATE_COMPLETE"
        return {"capacityProvider": _render(found, with_tags=True)}

    def delete_capacity_provider(self, caller: Caller, params: Params) -> Response:
        """Delete a provider that no cluster has and no service uses; it is INACTIVE soon after."""
        name = last_segment(params["capacityProvider"])
        if name in FARGATE_PROVIDERS:
            # botocore: reserved, cannot be deleted (text from memory).
            raise client_exception(f"The capacity provider {name} is reserved and cannot be deleted.")
        found = self._own(caller, params["capacityProvider"])
        scope = self._core.scope(caller)
        clusters = [item for item in scope.clusters.values() if item.status == "ACTIVE"]
        services = [item for item in scope.services.values() if item.status == "ACTIVE"]
        if any(name in cluster.spec["capacityProviders"] for cluster in clusters) or any(
            item["capacityProvider"] == name
            for service in services
            for item in service.spec.get("capacityProviderStrategy") or ()
        ):
            raise client_exception("The specified capacity provider is in use and cannot be removed.")
        found.status, found.update_status = "DEPROVISIONING", "DELETE_IN_PROGRESS"
        self._core.later(self._core.settings.inactive_seconds, partial(self._retire, found.arn))
        return {"capacityProvider": _render(found, with_tags=True)}

    def _retire(self, provider_arn: str) -> None:
        scope = self._core.state.scope(owner(provider_arn))
        found = scope.capacity_providers.get(last_segment(provider_arn))
        if found is not None and found.update_status == "DELETE_IN_PROGRESS":
            found.status, found.update_status = "INACTIVE", "DELETE_COMPLETE"

    def _own(self, caller: Caller, name: str) -> CapacityProvider:
        found = self._core.scope(caller).capacity_providers.get(last_segment(name))
        if found is None or found.status != "ACTIVE":
            raise client_exception("The specified capacity provider does not exist.")
        return found

    def _all(self, caller: Caller) -> dict[str, CapacityProvider]:
        reserved = {
            name: CapacityProvider(
                arn=arn(caller, "capacity-provider", name), name=name, spec={}, update_status=""
            )
            for name in FARGATE_PROVIDERS
        }
        return reserved | self._core.scope(caller).capacity_providers


def _complete(spec: dict[str, Any]) -> None:
    """Fill in ECS's defaults (botocore, AutoScalingGroupProvider) and refuse what contradicts itself."""
    group = spec.get("autoScalingGroupProvider")
    if group is None:
        return
    group["managedScaling"] = _SCALING | (group.get("managedScaling") or {})
    group.setdefault("managedTerminationProtection", "DISABLED")
    group.setdefault("managedDraining", "ENABLED")
    scaling = group["managedScaling"]
    if group["managedTerminationProtection"] == "ENABLED" and scaling["status"] != "ENABLED":
        # botocore: managed scaling must be used too (text from memory).
        raise client_exception("The managed termination protection setting requires managed scaling.")
    if scaling["minimumScalingStepSize"] > scaling["maximumScalingStepSize"]:
        raise client_exception("minimumScalingStepSize must not be greater than maximumScalingStepSize.")


def _render(provider: CapacityProvider, *, with_tags: bool) -> dict[str, Any]:
    kinds = {"autoScalingGroupProvider": "EC2_AUTOSCALING", "managedInstancesProvider": "MANAGED_INSTANCES"}
    shown: dict[str, Any] = {
        "capacityProviderArn": provider.arn,
        "name": provider.name,
        "status": provider.status,
        **provider.spec,
        "type": next((kinds[key] for key in provider.spec), provider.name),
        "tags": tags.render(provider.tags) if with_tags else [],
    }
    if provider.update_status:
        shown["updateStatus"] = provider.update_status
    if provider.cluster:
        shown["cluster"] = provider.cluster
    return shown
