"""The identity part of a world, put together: the gate, and the calls that it answers in moto's place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.identity.directory import Directory
from sluice_sandbox.aws.identity.gate import Gate
from sluice_sandbox.aws.identity.simulation import Simulator
from sluice_sandbox.aws.identity.sts import StsCalls
from sluice_sandbox.aws.moto_bridge import MotoBridge
from sluice_sandbox.aws.service import Caller, Handler, Params, Response, Service


@dataclass(frozen=True, slots=True)
class Identities:
    """The gate before every call, and handlers by service and operation."""

    gate: Gate
    handlers: Mapping[tuple[str, str], Handler]


def assemble(moto: MotoBridge, services: Mapping[str, Service], *, owner: str) -> Identities:
    """Return the identity part of a world with moto; `owner` is the sandbox's own user."""
    directory = Directory(moto.lock, in_use=lambda: moto.used("iam"))

    def tags_of(caller: Caller, arn: str) -> Mapping[str, str]:
        for service in services.values():
            resources = getattr(service, "tagged_resources", None)
            for resource in resources(caller) if resources is not None else ():
                if resource.arn == arn:
                    tags: Mapping[str, str] = resource.tags
                    return tags
        return {}

    def roles_of_definition(caller: Caller, name: str) -> Mapping[str, str]:
        ecs = services.get("ecs")
        describe = ecs.operations().get("DescribeTaskDefinition") if ecs is not None else None
        if describe is None:
            return {}
        try:
            found = describe(caller, {"taskDefinition": name})["taskDefinition"]
        except AwsError:
            return {}  # the call itself will say that there is no such definition
        return {key: found[key] for key in ("taskRoleArn", "executionRoleArn") if found.get(key)}

    def ask(caller: Caller, service: str, operation: str, params: Params) -> Response:
        answer: Response = _epochs(moto.call(caller, service, operation, params))
        return answer

    gate = Gate(directory, owner=owner, tags_of=tags_of, roles_of_definition=roles_of_definition)
    sts = StsCalls(directory, ask=ask, allowed=gate.allowed)
    return Identities(gate, {**sts.operations(), **Simulator(directory).operations()})


def _epochs(value: Any) -> Any:  # noqa: ANN401 - an answer of any shape
    """Return an answer of boto3's with timestamps as handlers give them, epoch seconds."""
    if isinstance(value, dict):
        return {key: _epochs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_epochs(item) for item in value]
    return value.timestamp() if isinstance(value, datetime) else value
