"""Container instances and their attributes: kept and described; nothing runs on them.

The stand-in has no container agents, and says so the way ECS does: an instance that an API call
registered has `agentConnected: false`, and a task for it fails with the reason AGENT (ECS developer
guide, "API failure reasons"). Rules: botocore, RegisterContainerInstance, PutAttributes and their
neighbours; texts from memory.
"""

from __future__ import annotations

import json
import re
from typing import Any

from sluice_sandbox.aws.ecs import refusals, tags
from sluice_sandbox.aws.ecs.core import Core
from sluice_sandbox.aws.ecs.identity import arn, hex_id, last_segment
from sluice_sandbox.aws.ecs.paging import page
from sluice_sandbox.aws.ecs.state import Cluster, Instance
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_DESCRIBE = 100
MAX_UPDATE = 10
MAX_ATTRIBUTES = 10
_NAME = re.compile(r"[A-Za-z0-9_\-/\\.]{1,128}")
_VALUE = re.compile(r"(?! )[A-Za-z0-9_\-.@/\\: ]{1,128}(?<! )")
_FILTER = re.compile(r"(attribute:(?P<name>[\w./\\-]+)|(?P<id>ec2InstanceId)) *== *(?P<value>.+)")


class InstanceCalls:
    """The container instance and attribute operations."""

    def __init__(self, core: Core) -> None:
        """Work on `core`'s state."""
        self._core = core

    def operations(self) -> dict[str, Handler]:
        """Return the handlers by operation."""
        return {
            "RegisterContainerInstance": self.register_container_instance,
            "ListContainerInstances": self.list_container_instances,
            "DescribeContainerInstances": self.describe_container_instances,
            "DeregisterContainerInstance": self.deregister_container_instance,
            "UpdateContainerInstancesState": self.update_container_instances_state,
            "UpdateContainerAgent": self.update_container_agent,
            "PutAttributes": self.put_attributes,
            "DeleteAttributes": self.delete_attributes,
            "ListAttributes": self.list_attributes,
        }

    def register_container_instance(self, caller: Caller, params: Params) -> Response:
        """Keep an instance; its identity document names the EC2 instance."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        try:
            document = json.loads(params.get("instanceIdentityDocument") or "")
            ec2_id = str(document["instanceId"])
        except (ValueError, KeyError, TypeError):
            raise refusals.client_exception(
                "The instance identity document is invalid: it must be JSON with an instanceId."
            ) from None
        again = params.get("containerInstanceArn")
        instances = self._core.scope(caller).instances
        if again and again not in instances:
            raise refusals.client_exception("The specified container instance does not exist.")
        instance_id = last_segment(again) if again else hex_id(self._core.rng)
        made = Instance(
            arn=again or arn(caller, "container-instance", cluster.name, instance_id),
            id=instance_id,
            cluster_arn=cluster.arn,
            ec2_id=ec2_id,
            registered_at=self._core.now(),
            spec={
                "versionInfo": params.get("versionInfo") or {},
                "registeredResources": params.get("totalResources") or [],
            },
            attributes={item["name"]: item.get("value") for item in params.get("attributes") or ()},
            tags=tags.parse(params.get("tags")),
        )
        instances[made.arn] = made
        return {"containerInstance": _render(made, with_tags=True)}

    def list_container_instances(self, caller: Caller, params: Params) -> Response:
        """List those that are not INACTIVE, or of one status, or that match a simple filter."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        status = params.get("status")
        wanted = _matcher(params.get("filter"))
        found = [
            item.arn
            for item in self._of(caller, cluster)
            if (item.status == status if status else item.status != "INACTIVE") and wanted(item)
        ]
        arns, token = page(found, params)
        return {"containerInstanceArns": arns, **token}

    def describe_container_instances(self, caller: Caller, params: Params) -> Response:
        """Describe up to 100; unknown ones are MISSING."""
        names: list[str] = params["containerInstances"]
        if not names:
            raise refusals.invalid_parameter("Container instances cannot be empty.")
        if len(names) > MAX_DESCRIBE:
            raise refusals.invalid_parameter("Container instances cannot have more than 100 elements.")
        cluster = self._core.cluster(caller, params.get("cluster"))
        with_tags = "TAGS" in (params.get("include") or ())
        found, failures = self._named(caller, cluster, names)
        shown = [_render(item, with_tags=with_tags) for item in found]
        return {"containerInstances": shown, "failures": failures}

    def deregister_container_instance(self, caller: Caller, params: Params) -> Response:
        """Make one INACTIVE; as nothing runs on it, `force` makes no difference."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        found = self._one(caller, cluster, params["containerInstance"])
        found.status = "INACTIVE"
        found.version += 1
        return {"containerInstance": _render(found, with_tags=True)}

    def update_container_instances_state(self, caller: Caller, params: Params) -> Response:
        """Set up to ten ACTIVE or DRAINING."""
        names: list[str] = params["containerInstances"]
        if not 1 <= len(names) <= MAX_UPDATE:
            raise refusals.invalid_parameter("Container instances must have between 1 and 10 elements.")
        if params["status"] not in {"ACTIVE", "DRAINING"}:
            # botocore: the only valid values.
            raise refusals.invalid_parameter("The status must be ACTIVE or DRAINING.")
        cluster = self._core.cluster(caller, params.get("cluster"))
        found, failures = self._named(caller, cluster, names)
        for item in found:
            item.status = params["status"]
            item.version += 1
        return {
            "containerInstances": [_render(item, with_tags=True) for item in found],
            "failures": failures,
        }

    def update_container_agent(self, caller: Caller, params: Params) -> Response:
        """Refuse: there is no agent to update."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        self._one(caller, cluster, params["containerInstance"])
        raise AwsError("NoUpdateAvailableException", "There is no update available for the container agent.")

    # --------------------------------------------------------------- attributes

    def put_attributes(self, caller: Caller, params: Params) -> Response:
        """Add or replace up to ten custom attributes; ten per instance."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        _check_number(params["attributes"])
        for item in params["attributes"]:
            _check_attribute(item)
            found = self._target(caller, cluster, item)
            if item["name"] not in found.custom and len(found.custom) >= MAX_ATTRIBUTES:
                raise AwsError(
                    "AttributeLimitExceededException", "An instance can have at most 10 custom attributes."
                )
            found.custom[item["name"]] = item.get("value")
            found.version += 1
        return {"attributes": params["attributes"]}

    def delete_attributes(self, caller: Caller, params: Params) -> Response:
        """Delete up to ten custom attributes; the answer names those that were there."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        _check_number(params["attributes"])
        gone = []
        for item in params["attributes"]:
            found = self._target(caller, cluster, item)
            if item["name"] in found.custom:
                del found.custom[item["name"]]
                gone.append(item)
        return {"attributes": gone}

    def list_attributes(self, caller: Caller, params: Params) -> Response:
        """List the attributes of a cluster's instances, by name and value where said."""
        cluster = self._core.cluster(caller, params.get("cluster"))
        name, value = params.get("attributeName"), params.get("attributeValue")
        if value is not None and name is None:
            # botocore: a value filters only together with a name.
            raise refusals.invalid_parameter("attributeValue requires an attributeName.")
        rows = {
            f"{item.arn}|{key}": {"name": key, "targetId": item.arn, "value": held}
            for item in self._of(caller, cluster)
            if item.status != "INACTIVE"
            for key, held in (item.attributes | item.custom).items()
            if name in {None, key} and (value is None or held == value)
        }
        keys, token = page(list(rows), params)
        shown = [{k: v for k, v in rows[key].items() if v is not None} for key in keys]
        return {"attributes": shown, **token}

    # ------------------------------------------------------------------ look-up

    def _of(self, caller: Caller, cluster: Cluster) -> list[Instance]:
        return [
            item for item in self._core.scope(caller).instances.values() if item.cluster_arn == cluster.arn
        ]

    def _named(
        self, caller: Caller, cluster: Cluster, names: list[str]
    ) -> tuple[list[Instance], list[dict[str, str]]]:
        by_id = {item.id: item for item in self._of(caller, cluster)}
        found = [by_id[last_segment(name)] for name in names if last_segment(name) in by_id]
        failures = [
            {
                "arn": name
                if name.startswith("arn:")
                else arn(caller, "container-instance", cluster.name, name),
                "reason": "MISSING",
            }
            for name in names
            if last_segment(name) not in by_id
        ]
        return found, failures

    def _one(self, caller: Caller, cluster: Cluster, name: str) -> Instance:
        found, _ = self._named(caller, cluster, [name])
        if not found or found[0].status == "INACTIVE":
            raise refusals.invalid_parameter("The referenced container instance was not found.")
        return found[0]

    def _target(self, caller: Caller, cluster: Cluster, attribute: dict[str, Any]) -> Instance:
        target = attribute.get("targetId") or ""
        if not target.startswith("arn:") and attribute.get("targetType") != "container-instance":
            # botocore, Attribute.targetType: required with the short form of the id.
            raise refusals.invalid_parameter("targetType is required with the short form of a targetId.")
        found, _ = self._named(caller, cluster, [target])
        if not found:
            raise AwsError("TargetNotFoundException", f"The specified target was not found: {target}")
        return found[0]


def _check_number(attributes: list[dict[str, Any]]) -> None:
    if not 1 <= len(attributes) <= MAX_ATTRIBUTES:
        raise refusals.invalid_parameter("attributes must have between 1 and 10 elements.")


def _check_attribute(attribute: dict[str, Any]) -> None:
    if not _NAME.fullmatch(attribute["name"]):
        raise refusals.invalid_parameter(f"Invalid attribute name '{attribute['name']}'.")
    value = attribute.get("value")
    if value is not None and not _VALUE.fullmatch(value):
        raise refusals.invalid_parameter(f"Invalid value of the attribute '{attribute['name']}'.")


def _matcher(text: str | None) -> Any:  # noqa: ANN401 - a predicate over instances
    """Return what a filter asks for: one comparison of the cluster query language, no more."""
    if not text:
        return lambda _item: True
    match = _FILTER.fullmatch(text.strip())
    if match is None:
        raise refusals.unsupported(
            "This stand-in of Amazon ECS models only filters of the form 'attribute:name == value' and "
            f"'ec2InstanceId == value', not: {text}"
        )
    name, value = match["name"], match["value"].strip()
    if name is None:
        return lambda item: item.ec2_id == value
    return lambda item: (item.attributes | item.custom).get(name) == value


def _render(instance: Instance, *, with_tags: bool) -> dict[str, Any]:
    attributes = (instance.attributes | instance.custom).items()
    return {
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_id,
        "version": instance.version,
        "versionInfo": instance.spec["versionInfo"],
        "remainingResources": instance.spec["registeredResources"],
        "registeredResources": instance.spec["registeredResources"],
        "status": instance.status,
        "agentConnected": False,
        "runningTasksCount": 0,
        "pendingTasksCount": 0,
        "attributes": [
            {"name": key} if value is None else {"name": key, "value": value} for key, value in attributes
        ],
        "registeredAt": instance.registered_at,
        "attachments": [],
        "tags": tags.render(instance.tags) if with_tags else [],
    }
