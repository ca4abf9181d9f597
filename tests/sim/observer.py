"""An independent observer of every write that the operator sends: it asks AWS itself whose the target is.

It stands between the operator's transport and the world and knows nothing of the product's plans. A
write on something without the installation's tags, a new object without an owner that exists or has
existed, a rule whose weights make no sense, the last healthy entry of a name taken away, or a write after
the Lease was lost raises `Forbidden`, which nothing in the product catches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sim.discovery_observer import Guard, is_ours
from sluice.aws.operations import is_write
from sluice.model import ownership
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.world import World

Params = Mapping[str, Any]
_CREATE = frozenset({"CreateService", "RegisterTaskDefinition", "CreateTargetGroup", "CreateRule"})
_INSTANCES = frozenset({"RegisterInstance", "DeregisterInstance", "UpdateInstanceCustomHealthStatus"})
_ONE_GROUP_WEIGHTS = range(1, 1000)


class Forbidden(BaseException):
    """The operator did what it must never do. A BaseException, so that nothing hides it."""


class Observer:
    """`operator_process.InProcess` that looks before it lets a write pass."""

    def __init__(
        self, world: World, *, installation: str, leads: Callable[[], bool], guards: Sequence[Guard] = ()
    ) -> None:
        """Watch writes to `world`; `leads` tells whether the process holds the Lease; `guards` know names."""
        self._world = world
        self._installation = installation
        self._leads = leads
        self._guards = guards
        self.writes = 0

    def call(self, service: str, operation: str, params: Params, *, caller: Caller) -> Mapping[str, Any]:
        """Judge a write, then let it pass."""
        if is_write(operation):
            self.writes += 1
            self._judge(service, operation, params)
        return self._world.call(service, operation, dict(params), caller=caller)

    def _judge(self, service: str, operation: str, params: Params) -> None:
        text = f"{operation} {dict(params)}"
        if not self._leads():
            raise Forbidden(f"after the Lease was lost: {text}")
        if service == "servicediscovery":
            self._judge_discovery(operation, params, text)
        elif operation in _CREATE:
            if self._owner(_given_tags(service, params)) is None:
                raise Forbidden(f"a new object without an owner: {text}")
        else:
            for tags in self._targets(service, operation, params):
                if self._owner(tags) is None:
                    raise Forbidden(f"a write on what is not ours ({tags}): {text}")
        if operation in {"CreateRule", "ModifyRule"}:
            _check_weights(params, text)

    def _judge_discovery(self, operation: str, params: Params, text: str) -> None:
        """A namespace is the installation's, a service has an owner, an instance has our attributes."""
        if operation in _INSTANCES:
            self._judge_instance(operation, params, text)
        elif operation.startswith("Create"):
            tags = ownership.from_elb(params.get("Tags") or ())
            if self._owner(tags) is None and (operation == "CreateService" or not self._is_installed(tags)):
                raise Forbidden(f"a new object without an owner: {text}")
        elif not self._is_installed(self._tags_of(operation, params)):
            raise Forbidden(f"a write on what is not ours: {text}")
        for guard in self._guards:
            breach = guard.breach(operation, params)
            if breach:
                raise Forbidden(f"{breach}: {text}")

    def _judge_instance(self, operation: str, params: Params, text: str) -> None:
        if operation == "RegisterInstance" and not is_ours(params["Attributes"], self._installation):
            raise Forbidden(f"an instance without an owner: {text}")
        named = {name: params[name] for name in ("ServiceId", "InstanceId")}
        try:
            found = self._ask("servicediscovery", "GetInstance", named)["Instance"]
        except AwsError:
            return  # what does not exist cannot be harmed
        if not is_ours(found["Attributes"], self._installation):
            raise Forbidden(f"a write on somebody else's instance: {text}")

    def _tags_of(self, operation: str, params: Params) -> Mapping[str, str]:
        """Return the tags of the service or namespace that a write changes; ours where it is gone."""
        identifier = params.get("ResourceARN") or params["Id"]
        try:
            if not identifier.startswith("arn:"):
                kind = "Namespace" if operation.endswith("Namespace") else "Service"
                answer = self._ask("servicediscovery", f"Get{kind}", {"Id": identifier})
                identifier = answer[kind]["Arn"]
            answer = self._ask("servicediscovery", "ListTagsForResource", {"ResourceARN": identifier})
        except AwsError:
            return {ownership.INSTALLATION: self._installation}
        return ownership.from_elb(answer["Tags"])

    def _is_installed(self, tags: Mapping[str, str]) -> bool:
        return tags.get(ownership.INSTALLATION) == self._installation

    def _owner(self, tags: Mapping[str, str]) -> tuple[str, str, str] | None:
        if tags.get(ownership.INSTALLATION) != self._installation:
            return None
        owner = tuple(tags.get(name, "") for name in (ownership.KIND, ownership.NAMESPACE, ownership.NAME))
        return owner if all(owner) else None  # type: ignore[return-value]  # three of them

    def _targets(self, service: str, operation: str, params: Params) -> list[Mapping[str, str]]:
        """Return the tags of what a write changes; what does not exist cannot be harmed."""
        try:
            if service == "elbv2":
                return self._elb_targets(params)
            if "taskDefinition" in params and operation == "DeregisterTaskDefinition":
                named = {"taskDefinition": params["taskDefinition"], "include": ["TAGS"]}
                return [ownership.from_ecs(self._ask("ecs", "DescribeTaskDefinition", named)["tags"])]
            if "resourceArn" in params:
                return [ownership.from_ecs(self._ask("ecs", "ListTagsForResource", params)["tags"])]
            if "tasks" in params:
                return self._services_of(params)
            named = {"cluster": params["cluster"], "services": [params["service"]], "include": ["TAGS"]}
            found = self._ask("ecs", "DescribeServices", named)["services"]
            return [ownership.from_ecs(s.get("tags") or ()) for s in found if s["status"] == "ACTIVE"]
        except AwsError:
            return []

    def _services_of(self, params: Params) -> list[Mapping[str, str]]:
        """Return the tags of the services that tasks belong to: protection is a matter of the service."""
        asked = {"cluster": params["cluster"], "tasks": params["tasks"]}
        groups = [task["group"] for task in self._ask("ecs", "DescribeTasks", asked)["tasks"]]
        names = sorted({group.removeprefix("service:") for group in groups})
        if not names:
            return []
        named = {"cluster": params["cluster"], "services": names, "include": ["TAGS"]}
        found = self._ask("ecs", "DescribeServices", named)["services"]
        return [ownership.from_ecs(s.get("tags") or ()) for s in found if s["status"] == "ACTIVE"]

    def _elb_targets(self, params: Params) -> list[Mapping[str, str]]:
        arns = [params[name] for name in ("RuleArn", "TargetGroupArn") if name in params]
        arns += [entry["RuleArn"] for entry in params.get("RulePriorities", ())]
        arns += params.get("ResourceArns", ())
        answer = self._ask("elbv2", "DescribeTags", {"ResourceArns": arns})
        return [ownership.from_elb(entry["Tags"]) for entry in answer["TagDescriptions"]]

    def _ask(self, service: str, operation: str, params: Params) -> Mapping[str, Any]:
        wanted = {"resourceArn": params["resourceArn"]} if "resourceArn" in params else dict(params)
        return self._world.call(service, operation, wanted)


def _given_tags(service: str, params: Params) -> dict[str, str]:
    if service == "ecs":
        return ownership.from_ecs(params.get("tags") or ())
    return ownership.from_elb(params.get("Tags") or ())


def _check_weights(params: Params, text: str) -> None:
    """A survivor alone with any weight, or parts that sum to 100 or 1000 and none of them 0."""
    for action in params.get("Actions", ()):
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or ()
        weights = [int(group.get("Weight", 1)) for group in groups]
        hosts = [str(c) for c in params.get("Conditions", ()) if ".anchor.sluice.invalid" in str(c)]
        anchor = hosts or set(weights) == {1}
        if any(weight not in _ONE_GROUP_WEIGHTS for weight in weights):
            raise Forbidden(f"a weight outside 1-999: {text}")
        if len(weights) > 1 and not anchor and sum(weights) not in {100, 1000}:
            raise Forbidden(f"weights that sum to {sum(weights)}: {text}")
