"""Two tiny services with the real names, so that the wire and the world are proven without the real ones."""

from __future__ import annotations

from typing import Any

from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller, Params, Response
from sluice_sandbox.aws.world import World


class Ecs:
    """Keeps services by name; answers a few operations of ECS."""

    name = "ecs"

    def __init__(self) -> None:
        """Start empty."""
        self.state: dict[str, Any] = {}

    def operations(self) -> dict[str, Any]:
        """Return the handlers."""
        return {
            "CreateService": self.create,
            "DescribeServices": self.describe,
            "DeleteService": self.fail,
            "RegisterTaskDefinition": lambda caller, params: {"taskDefinition": params},
        }

    def create(self, caller: Caller, params: Params) -> Response:
        """Create a service; a second of the name is refused."""
        if params["serviceName"] in self.state:
            raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
        arn = f"arn:aws:ecs:{caller.region}:{caller.account}:service/default/{params['serviceName']}"
        service = {"serviceName": params["serviceName"], "serviceArn": arn, "createdAt": 1_800_000_000.25}
        self.state[params["serviceName"]] = service
        return {"service": service}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Describe, with an unset and an unmodelled member in the answer."""
        found = [self.state[name] for name in params["services"] if name in self.state]
        absent = [name for name in params["services"] if name not in self.state]
        return {
            "services": found,
            "failures": [{"arn": name, "reason": "MISSING", "detail": None} for name in absent],
            "internal": "not in the model",
        }

    def fail(self, caller: Caller, params: Params) -> Response:
        """Fail as a handler with a defect would."""
        raise KeyError("a defect of the stand-in")


class Elbv2:
    """Remembers rules as they were sent."""

    name = "elbv2"

    def __init__(self) -> None:
        """Start empty."""
        self.state: dict[str, Any] = {}

    def operations(self) -> dict[str, Any]:
        """Return the handlers."""
        return {
            "ModifyRule": self.modify,
            "DescribeRules": lambda caller, params: {"Rules": list(self.state.values())},
            "DeleteRule": lambda caller, params: {},
            "CreateRule": self.refuse,
        }

    def modify(self, caller: Caller, params: Params) -> Response:
        """Keep the actions of a rule."""
        rule = {"RuleArn": params["RuleArn"], "Priority": "1", "Actions": params.get("Actions", [])}
        self.state[params["RuleArn"]] = rule
        return {"Rules": [rule]}

    def refuse(self, caller: Caller, params: Params) -> Response:
        """Refuse in a text that XML must escape."""
        raise AwsError("PriorityInUse", f"Priority '{params['Priority']}' is in use <by> a rule")


def world(seed: int = 0, clock: VirtualClock | None = None) -> World:
    """Return a world of both fakes."""
    return World.of({"ecs": Ecs(), "elbv2": Elbv2()}, clock=clock or VirtualClock(), seed=seed)
