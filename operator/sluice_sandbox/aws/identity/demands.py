"""What a call asks of IAM: actions, the resources they are about, and the roles that it passes on.

The Service Authorization Reference lists them by service
(https://docs.aws.amazon.com/service-authorization/latest/reference/). ECS and Elastic Load Balancing are
followed here; for other services every ARN among the parameters is a resource. A call about nothing in
particular asks for `*`, as IAM's denials show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.aws.refusals import iam_action
from sluice_sandbox.aws.service import Caller

PASSED_TO = {
    "ecs": "ecs.amazonaws.com",
    "application-autoscaling": "application-autoscaling.amazonaws.com",
    "events": "events.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
}
"""Services whose calls pass roles, and to whom (`iam:PassedToService`)."""

_TASK_ROLES = {"taskrolearn", "executionrolearn"}
_ROLE_MEMBERS = _TASK_ROLES | {"rolearn", "role"}
_WITHOUT_RESOURCE = ("List", "RegisterTaskDefinition", "DescribeTaskDefinition", "PutAccount")


@dataclass(frozen=True, slots=True)
class Passing:
    """A role that a call hands to a service."""

    role_arn: str
    service: str


def resources(caller: Caller, service: str, operation: str, params: Any) -> list[str]:  # noqa: ANN401 - any shape
    """Return the resources of a call, `*` when it names none."""
    if not isinstance(params, Mapping):
        return ["*"]
    if service == "ecs":
        return _ecs(caller, operation, params) or ["*"]
    if service == "elbv2" and operation.startswith("Describe"):
        return ["*"]
    return [arn for arn in _arns(params) if ":role/" not in arn] or ["*"]


def _ecs(caller: Caller, operation: str, params: Mapping[str, Any]) -> list[str]:
    if "resourceArn" in params:
        return [str(params["resourceArn"])]
    if operation.startswith(_WITHOUT_RESOURCE):
        return []
    if operation in {"RunTask", "StartTask"}:
        return [definition_arn(caller, str(params.get("taskDefinition", "")))]
    if "taskDefinitions" in params:
        return [definition_arn(caller, str(item)) for item in params["taskDefinitions"]]
    cluster = _last(params.get("cluster") or "default")
    for member, kind in _ECS_MEMBERS.items():
        if member in params:
            path = () if kind == "cluster" else (cluster,)
            values = params[member] if isinstance(params[member], list) else [params[member]]
            return [_ecs_arn(caller, kind, *path, name=str(value)) for value in values]
    return list(_arns(params))


_ECS_MEMBERS = {
    "serviceName": "service",
    "service": "service",
    "services": "service",
    "task": "task",
    "tasks": "task",
    "clusters": "cluster",
    "clusterName": "cluster",
    "cluster": "cluster",
}
"""Members that name what a call is about, the narrowest first."""


def _ecs_arn(caller: Caller, kind: str, *path: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:ecs:{caller.region}:{caller.account}:{kind}/{'/'.join((*path, _last(name)))}"


def definition_arn(caller: Caller, name: str) -> str:
    """Return a task definition's ARN; a family alone stands for any of its revisions."""
    if name.startswith("arn:"):
        return name
    revision = name if ":" in name else f"{name}:*"
    return f"arn:aws:ecs:{caller.region}:{caller.account}:task-definition/{revision}"


def passings(caller: Caller, service: str, params: Any) -> list[Passing]:  # noqa: ANN401 - any shape
    """Return the roles that a call's own parameters pass on."""
    if service not in PASSED_TO:
        return []
    return [
        Passing(
            value if value.startswith("arn:") else f"arn:aws:iam::{caller.account}:role/{value}",
            "ecs-tasks.amazonaws.com" if key in _TASK_ROLES else PASSED_TO[service],
        )
        for key, value in _members(params)
        if key in _ROLE_MEMBERS and value
    ]


def context(caller: Caller, service: str, params: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 - any shape
    """Return the condition keys of a call: the request's own, without the resource's tags."""
    found: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (caller.principal,),
        "aws:principalaccount": (caller.account,),
        "aws:requestedregion": (caller.region,),
        "aws:securetransport": ("false",),
        "aws:sourceip": ("127.0.0.1",),
    }
    if not isinstance(params, Mapping):
        return found
    tags = _tags(params)
    for key, value in tags.items():
        found[f"aws:requesttag/{key.lower()}"] = (value,)
    keys = [str(key) for key in params.get("tagKeys") or params.get("TagKeys") or ()]
    if tags or keys:
        found["aws:tagkeys"] = (*tags, *keys)
    if service == "ecs":
        prefix = f"arn:aws:ecs:{caller.region}:{caller.account}"
        cluster = params.get("cluster")
        if "cluster" in params or "service" in params or "serviceName" in params:
            found["ecs:cluster"] = (f"{prefix}:cluster/{_last(cluster or 'default')}",)
        if isinstance(params.get("taskDefinition"), str):
            found["ecs:task-definition"] = (definition_arn(caller, params["taskDefinition"]),)
    return found


def action(service: str, operation: str) -> str:
    """Return the IAM action of an operation: `elasticloadbalancing:ModifyRule`."""
    return iam_action(service, operation)


def _tags(params: Mapping[str, Any]) -> dict[str, str]:
    tags = params.get("tags") or params.get("Tags") or ()
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {
        str(tag.get("key", tag.get("Key", ""))): str(tag.get("value", tag.get("Value", "")))
        for tag in tags
        if isinstance(tag, Mapping)
    }


def _members(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any shape
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str):
                yield str(key).lower(), item
            else:
                yield from _members(item)
    elif isinstance(value, list):
        for item in value:
            yield from _members(item)


def _arns(params: Mapping[str, Any]) -> Iterator[str]:
    for value in params.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item.startswith("arn:"):
                yield item


def _last(name_or_arn: object) -> str:
    return str(name_or_arn).rsplit("/", 1)[-1]
