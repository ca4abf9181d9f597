"""Tags of scalable targets: 50 each, set at creation or by TagResource.

Sources: botocore's TagResource (TooManyTagsException, ResourceNotFoundException), "Tagging support" of the
Application Auto Scaling user guide. Texts from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluice_sandbox.aws.autoscaling.desk import Desk
from sluice_sandbox.aws.autoscaling.refusals import invalid
from sluice_sandbox.aws.autoscaling.state import Target
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_TAGS = 50


def checked(given: Mapping[str, str], *, present: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `present` with `given` put over it; refuses reserved keys and more than 50."""
    for key in given:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag key '{key}' is invalid: tag keys cannot start with 'aws:'")
    result = dict(present or {}) | dict(given)
    if len(result) > MAX_TAGS:
        raise AwsError("TooManyTagsException", f"A resource can have at most {MAX_TAGS} tags.")
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
        """Put tags over those of a target."""
        target = self._target(caller, params["ResourceARN"])
        target.tags = checked(params["Tags"], present=target.tags)
        return {}

    def remove(self, caller: Caller, params: Params) -> Response:
        """Remove keys; one that is not there is no error."""
        target = self._target(caller, params["ResourceARN"])
        _keep(target, {key: value for key, value in target.tags.items() if key not in params["TagKeys"]})
        return {}

    def show(self, caller: Caller, params: Params) -> Response:
        """Return a target's tags."""
        return {"Tags": dict(self._target(caller, params["ResourceARN"]).tags)}

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return the caller's targets that have or had tags; see `ports.Tagged`."""
        return [
            TaggedResource(
                arn=target.arn,
                resource_type="application-autoscaling:scalable-target",
                tags=dict(target.tags),
            )
            for target in self._desk.region(caller).targets.values()
            if target.tags or target.untagged
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change a target's tags; see `ports.Tagged`."""
        found = self._find(caller, arn)
        if found is None:
            return False
        result = checked(put, present=found.tags)
        _keep(found, {key: value for key, value in result.items() if key not in remove})
        return True

    def _find(self, caller: Caller, arn: str) -> Target | None:
        targets = self._desk.region(caller).targets.values()
        return next((target for target in targets if target.arn == arn), None)

    def _target(self, caller: Caller, arn: str) -> Target:
        found = self._find(caller, arn)
        if found is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"No scalable target has the ARN {arn}",
                members={"ResourceName": arn},
            )
        return found


def _keep(target: Target, tags: dict[str, str]) -> None:
    target.untagged = target.untagged or (bool(target.tags) and not tags)
    target.tags = tags
