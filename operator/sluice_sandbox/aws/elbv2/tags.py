"""Tags of load balancers, listeners, rules and target groups.

Source: botocore's AddTags, RemoveTags, DescribeTags (20 ARNs a call), the tag restrictions of the
Elastic Load Balancing guides (50 tags a resource, no `aws:` prefix). Wordings from memory, except
"Tag key was specified more than once", which moto's tests repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.elbv2.desk import Desk, validation_error
from sluice_sandbox.aws.elbv2.state import Listener, LoadBalancer, Region, Rule, Tags, TargetGroup, TrustStore
from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params, Response

MAX_TAGS = 50
MAX_DESCRIBED = 20

Tagged = LoadBalancer | Listener | Rule | TargetGroup | TrustStore


def new_tags(params: Params) -> Tags:
    """Return the tags of a Create call or refuse them."""
    return merged({}, params.get("Tags") or [])


def merged(present: Tags, given: list[dict[str, Any]]) -> Tags:
    """Return `present` with `given` put over it, or refuse.

    DuplicateTagKeys for a key named twice in one call, TooManyTags beyond 50, ValidationError for
    the reserved prefix.
    """
    wanted: Tags = {}
    for tag in given:
        key = tag["Key"]
        if key in wanted:
            raise AwsError("DuplicateTagKeys", f"Tag key was specified more than once: {key}")
        if key.lower().startswith("aws:"):
            raise validation_error(f"Tag key '{key}' cannot begin with 'aws:'; the prefix is reserved")
        wanted[key] = tag.get("Value") or ""
    result = present | wanted
    if len(result) > MAX_TAGS:
        raise AwsError("TooManyTags", f"The maximum number of tags '{MAX_TAGS}' has been reached")
    return result


def shown(tags: Tags) -> list[dict[str, str]]:
    """Return tags in the API's shape."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class TagHandlers:
    """AddTags, RemoveTags, DescribeTags."""

    def __init__(self, desk: Desk) -> None:
        """Work on the desk's books."""
        self._desk = desk

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {"AddTags": self.add, "RemoveTags": self.remove, "DescribeTags": self.describe}

    def add(self, caller: Caller, params: Params) -> Response:
        """Put tags over the present ones of every resource named; nothing by halves."""
        tagged = self._tagged(caller, params["ResourceArns"])
        results = [merged(item.tags, params["Tags"]) for item in tagged]
        for item, result in zip(tagged, results, strict=True):
            _put(item, result)
        return {}

    def remove(self, caller: Caller, params: Params) -> Response:
        """Remove keys; a key that is not there is no error."""
        for item in self._tagged(caller, params["ResourceArns"]):
            _put(item, item.tags, params["TagKeys"])
        return {}

    def describe(self, caller: Caller, params: Params) -> Response:
        """Return the tags of up to 20 resources, in the order asked."""
        arns = params["ResourceArns"]
        if len(arns) > MAX_DESCRIBED:
            raise validation_error(f"You cannot describe more than '{MAX_DESCRIBED}' resources at a time")
        tagged = self._tagged(caller, arns)
        return {
            "TagDescriptions": [
                {"ResourceArn": arn, "Tags": shown(item.tags)} for arn, item in zip(arns, tagged, strict=True)
            ]
        }

    def tagged_resources(self, caller: Caller) -> Sequence[TaggedResource]:
        """Return all resources of the caller's region that have or had tags (tag lists may be empty)."""
        region = self._desk.region(caller)
        kinds: Sequence[tuple[str, Mapping[str, Tagged]]] = (
            ("loadbalancer", region.load_balancers),
            ("listener", region.listeners),
            ("listener-rule", region.rules),
            ("targetgroup", region.target_groups),
            ("truststore", region.trust_stores),
        )
        return [
            TaggedResource(arn=arn, resource_type=f"elasticloadbalancing:{kind}", tags=dict(item.tags))
            for kind, items in kinds
            for arn, item in items.items()
            if item.tags or item.was_tagged
        ]

    def change_tags(
        self, caller: Caller, arn: str, *, put: Mapping[str, str], remove: Sequence[str] = ()
    ) -> bool:
        """Change one resource's tags under the same limits as AddTags; False when there is none."""
        try:
            item = _resource(self._desk.region(caller), arn)
        except AwsError:
            return False
        _put(item, merged(item.tags, [{"Key": key, "Value": value} for key, value in put.items()]), remove)
        return True

    def _tagged(self, caller: Caller, arns: list[str]) -> list[Tagged]:
        region = self._desk.region(caller)
        return [_resource(region, arn) for arn in arns]


def _put(item: Tagged, tags: Tags, without: Sequence[str] = ()) -> None:
    """Give a resource its new tags; it stays known to the tagging API even without any."""
    item.was_tagged = item.was_tagged or bool(item.tags) or bool(tags)
    item.tags = {key: value for key, value in tags.items() if key not in without}


def _resource(region: Region, arn: str) -> Tagged:
    """Find what an ARN names by its resource part; refuse with that kind's NotFound code."""
    resource = arn.split(":")[5] if arn.count(":") >= 5 else ""
    kind = resource.split("/")[0]
    if kind == "loadbalancer":
        return region.load_balancer(arn)
    if kind == "listener":
        return region.listener(arn)
    if kind == "listener-rule":
        return region.rule(arn)
    if kind == "targetgroup":
        return region.target_group(arn)
    if kind == "truststore":
        return region.trust_store(arn)
    raise validation_error(f"'{arn}' is not a valid ARN")
