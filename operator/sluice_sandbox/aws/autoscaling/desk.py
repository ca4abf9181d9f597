"""What the handlers of Application Auto Scaling share: the books, the time, the ports, ids, pages."""

from __future__ import annotations

import base64
import binascii
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sluice_sandbox.aws.autoscaling.refusals import invalid, no_target
from sluice_sandbox.aws.autoscaling.state import DIMENSION, Region, State, Target
from sluice_sandbox.aws.clock import Clock
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import ScalableServices
from sluice_sandbox.aws.service import Caller, Params

Item = TypeVar("Item")
_MARK = "sandbox:"


class AlarmKeeper(Protocol):
    """What scaling policies need of CloudWatch beside the port `Alarms`."""

    def put_alarm(self, caller: Caller, params: Params) -> str:
        """Create or replace a metric alarm and return its ARN."""

    def remove_alarms(self, caller: Caller, names: Sequence[str]) -> None:
        """Delete alarms; those that are gone are passed over."""

    def alarms_with_action(self, caller: Caller, action: str) -> Mapping[str, str]:
        """Return the ARNs by name of the alarms with an action."""

    def alarm_arn(self, caller: Caller, name: str) -> str | None:
        """Return an alarm's ARN, None when it is gone."""

    def alarm_state_of(self, caller: Caller, name: str) -> str | None:
        """Return an alarm's state, None when it is gone."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """The shared surroundings of all handlers."""

    clock: Clock
    rng: random.Random
    services: ScalableServices
    alarms: AlarmKeeper
    state: State

    def now(self) -> float:
        """Return the world's time."""
        return self.clock.now()

    def region(self, caller: Caller) -> Region:
        """Return the caller's part of the books."""
        return self.state.region(caller)

    def uuid(self) -> str:
        """Return a fresh id, deterministic by the world's seed."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def target(self, caller: Caller, params: Params, *, verb: str = "registered") -> Target:
        """Return the target that a call names; raises ObjectNotFoundException."""
        check_dimension(params)
        found = self.region(caller).targets.get(params["ResourceId"])
        if found is None:
            raise no_target(
                verb, params["ServiceNamespace"], params["ResourceId"], params["ScalableDimension"]
            )
        return found


def check_dimension(params: Params) -> None:
    """Refuse a dimension or resource that is not of its namespace."""
    namespace, dimension = params["ServiceNamespace"], params.get("ScalableDimension")
    resource = params.get("ResourceId")
    expected = {"ecs": "ecs", "ec2": "ec2"}.get(namespace, namespace)
    if dimension is not None and not dimension.startswith(f"{expected}:"):
        raise invalid("Unsupported service namespace, resource type or scalable dimension")
    if namespace == "ecs" and dimension is not None and dimension != DIMENSION:
        raise invalid("Unsupported service namespace, resource type or scalable dimension")
    if namespace == "ecs" and resource is not None:
        parts = resource.split("/")
        if len(parts) != 3 or parts[0] != "service" or not all(parts):
            raise invalid("Unsupported service namespace, resource type or scalable dimension")


def fits(params: Params, resource: str) -> bool:
    """Tell whether a Describe call's namespace, resource and dimension name a target."""
    named = (
        params["ServiceNamespace"],
        params.get("ResourceId", resource),
        params.get("ScalableDimension", DIMENSION),
    )
    return named == ("ecs", resource, DIMENSION)


def check_describe(params: Params) -> None:
    """Refuse a Describe call with a dimension without its resource, or the reverse (botocore)."""
    if "ScalableDimension" in params and "ResourceId" not in params and "ResourceIds" not in params:
        raise invalid("If you specify a scalable dimension, you must also specify a resource ID.")
    check_dimension({key: value for key, value in params.items() if key != "ResourceIds"})


def page(
    items: Sequence[Item], params: Params, *, most: int, default: int | None = None
) -> tuple[list[Item], dict[str, Any]]:
    """Return one page of `items` and `{"NextToken": ...}` or nothing; refuses impossible sizes."""
    size = params.get("MaxResults", default or most)
    if not 1 <= size <= most:
        raise invalid(f"MaxResults must be between 1 and {most}")
    start = _start(params.get("NextToken"))
    chosen = list(items[start : start + size])
    if start + size >= len(items):
        return chosen, {}
    token = base64.urlsafe_b64encode(f"{_MARK}{start + size}".encode()).decode()
    return chosen, {"NextToken": token}


def _start(token: str | None) -> int:
    if not token:
        return 0
    wrong = AwsError("InvalidNextTokenException", "The next token supplied is invalid.")
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        raise wrong from None
    if not text.startswith(_MARK) or not text.removeprefix(_MARK).isdigit():
        raise wrong
    return int(text.removeprefix(_MARK))
