"""Tags of alarms.

Sources: botocore's TagResource, UntagResource, ListTagsForResource (only alarms exist here of what can be
tagged), 50 tags a resource, keys to 128 and values to 256 letters, `aws:` reserved (the tagging rules of
the AWS General Reference). The codes are botocore's; the texts are from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.cloudwatch.desk import Desk
from sluice_sandbox.aws.cloudwatch.refusals import invalid_value, not_modelled
from sluice_sandbox.aws.cloudwatch.state import Alarm
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_TAGS = 50
_OTHERS = ("insight-rule/", "dashboard/", "metric-stream/")


def new_tags(params: Params) -> dict[str, str]:
    """Return the tags of a Put call or refuse them."""
    return merged({}, params.get("Tags") or [])


def merged(present: Mapping[str, str], given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return `present` with `given` put over it; refuses reserved keys, a key twice, more than 50."""
    wanted: dict[str, str] = {}
    for tag in given:
        key = tag["Key"]
        if key.lower().startswith("aws:"):
            raise invalid_value(f"Tag key '{key}' is invalid: tag keys cannot start with 'aws:'")
        if key in wanted:
            raise invalid_value(f"Tag key '{key}' was specified more than once")
        wanted[key] = tag["Value"]
    result = dict(present) | wanted
    if len(result) > MAX_TAGS:
        raise invalid_value(f"A resource can have at most {MAX_TAGS} tags")
    return result


class TagCalls:
    """TagResource, UntagResource, ListTagsForResource, and the port `Tagged`."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"TagResource": self.add, "UntagResource": self.remove, "ListTagsForResource": self.show}

    def add(self, caller: Caller, params: Params) -> Response:
        """Put tags over those of an alarm."""
        alarm = self._alarm(caller, params["ResourceARN"])
        alarm.tags = merged(alarm.tags, params["Tags"])
        return {}

    def remove(self, caller: Caller, params: Params) -> Response:
        """Remove keys; one that is not there is no error."""
        alarm = self._alarm(caller, params["ResourceARN"])
        _keep(alarm, {key: value for key, value in alarm.tags.items() if key not in params["TagKeys"]})
        return {}

    def show(self, caller: Caller, params: Params) -> Response:
        """Return an alarm's tags."""
        alarm = self._alarm(caller, params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in alarm.tags.items()]}

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's alarms that have or had tags; see `ports.Tagged`."""
        return [
            TaggedResource(arn=alarm.arn, resource_type="cloudwatch:alarm", tags=dict(alarm.tags))
            for alarm in self._desk.region(caller).alarms.values()
            if alarm.tags or alarm.untagged
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change an alarm's tags; see `ports.Tagged`."""
        alarm = self._desk.region(caller).alarms.get(arn.partition(":alarm:")[2])
        if alarm is None or alarm.arn != arn:
            return False
        result = merged(alarm.tags, [{"Key": key, "Value": value} for key, value in put.items()])
        _keep(alarm, {key: value for key, value in result.items() if key not in remove})
        return True

    def _alarm(self, caller: Caller, arn: str) -> Alarm:
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn" or parts[2] != "cloudwatch":
            raise invalid_value(f"'{arn}' is not a valid ARN of a CloudWatch resource")
        resource = parts[5]
        if resource.startswith(_OTHERS):
            raise not_modelled(f"CloudWatch's {resource.partition('/')[0]}s")
        name = resource.removeprefix("alarm:")
        alarm = self._desk.region(caller).alarms.get(name)
        if not resource.startswith("alarm:") or alarm is None or alarm.arn != arn:
            raise AwsError(
                "ResourceNotFoundException",
                f"{name} not found",
                status=404,
                members={"ResourceType": "alarm", "ResourceId": name},
            )
        return alarm


def _keep(alarm: Alarm, tags: dict[str, str]) -> None:
    alarm.untagged = alarm.untagged or (bool(alarm.tags) and not tags)
    alarm.tags = tags
