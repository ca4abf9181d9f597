"""Which resources a GetResources call means: by tags, by type, by ARN.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html, whose text is
botocore's: several filters must all match, several values of one are alternatives, no values mean any; a type
is `service` or `service:type` as both are spelled in ARNs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.ports import TaggedResource
from sluice_sandbox.aws.service import Params

DEFAULT_PAGE = 50
MAX_PAGE = 100
MAX_TYPES = 100
TAGS_PER_PAGE = (100, 500)


def invalid(text: str) -> AwsError:
    """Return InvalidParameterException."""
    return AwsError("InvalidParameterException", text)


def check(params: Params) -> None:
    """Refuse the combinations and ranges that the documentation forbids (wordings from memory)."""
    if "ResourceARNList" in params:
        for other in (
            "TagFilters",
            "ResourceTypeFilters",
            "ResourcesPerPage",
            "TagsPerPage",
            "PaginationToken",
        ):
            if params.get(other):
                raise invalid(f"You can't specify both ResourceARNList and {other} in the same request.")
    size = params.get("ResourcesPerPage")
    if size is not None and not 1 <= size <= MAX_PAGE:
        raise invalid(f"ResourcesPerPage must be between 1 and {MAX_PAGE}.")
    tags = params.get("TagsPerPage")
    if tags is not None and not TAGS_PER_PAGE[0] <= tags <= TAGS_PER_PAGE[1]:
        raise invalid("TagsPerPage must be between 100 and 500.")
    if len(params.get("ResourceTypeFilters", ())) > MAX_TYPES:
        raise invalid(f"ResourceTypeFilters can include up to {MAX_TYPES} items.")
    if params.get("ExcludeCompliantResources") and not params.get("IncludeComplianceDetails"):
        raise invalid("ExcludeCompliantResources needs IncludeComplianceDetails.")
    for item in params.get("TagFilters", ()):
        if "Key" not in item:
            raise invalid("Each TagFilter must contain a key.")


def matching(resources: Sequence[TaggedResource], params: Params) -> list[TaggedResource]:
    """Return the resources that a checked request means."""
    arns = frozenset(params.get("ResourceARNList", ()))
    types = params.get("ResourceTypeFilters", ())
    tags = params.get("TagFilters", ())
    return [
        resource
        for resource in resources
        if (not arns or resource.arn in arns)
        and (not types or any(_is_of(resource.arn, wanted) for wanted in types))
        and all(_has(resource.tags, item) for item in tags)
    ]


def _is_of(arn: str, wanted: str) -> bool:
    parts = arn.split(":", 5)
    service, _, kind = wanted.partition(":")
    if len(parts) != 6 or parts[2] != service:
        return False
    resource = parts[5]
    return not kind or resource == kind or resource.startswith((f"{kind}/", f"{kind}:"))


def _has(tags: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    values = wanted.get("Values")
    return wanted["Key"] in tags and (not values or tags[wanted["Key"]] in values)


def share(resources: Sequence[TaggedResource], *, tags: int) -> int:
    """Return how many resources fit a page of so many tags; one without tags counts as one."""
    room = tags
    for count, resource in enumerate(resources):
        room -= max(len(resource.tags), 1)
        if room < 0:
            return max(count, 1)
    return max(len(resources), 1)
