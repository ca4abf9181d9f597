"""The `resourcegroupstaggingapi` service: own services' tags by their `Tagged` ports, others by moto.

It remembers nothing itself. A resource that lost its last tag is listed with an empty set where its service
knows that it had some. There is no organization: what only its management account may call is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.pages import page
from sluice_sandbox.aws.ports import Tagged, TaggedResource
from sluice_sandbox.aws.service import Caller, Handler, Params, Response, Service
from sluice_sandbox.aws.tagging import filters
from sluice_sandbox.aws.tagging.filters import invalid

KEYS_PER_PAGE = 1_000
MotoCall = Callable[[Caller, str, Params], Response]
"""moto's answer to an operation of this API."""


class TaggingService:
    """The Resource Groups Tagging API as a `Service` of the world."""

    name = "resourcegroupstaggingapi"

    def __init__(self, services: Mapping[str, Service], *, moto: MotoCall | None = None) -> None:
        """Look into `services` at each call, and into moto's where there is a moto."""
        self.state = None
        self._services = services
        self._moto = moto

    def operations(self) -> Mapping[str, Handler]:
        """Return the handlers by operation name."""
        return {
            "GetResources": self.get_resources,
            "GetTagKeys": self.get_tag_keys,
            "GetTagValues": self.get_tag_values,
            "TagResources": self.tag_resources,
            "UntagResources": self.untag_resources,
            "GetComplianceSummary": _of_the_organization,
            "DescribeReportCreation": _of_the_organization,
            "StartReportCreation": _of_the_organization,
        }

    def get_resources(self, caller: Caller, params: Params) -> Response:
        """List resources with their tags."""
        filters.check(params)
        found = filters.matching(self._resources(caller), params)
        if params.get("ExcludeCompliantResources"):
            found = []  # without tag policies everything complies
        size = params.get("ResourcesPerPage") or filters.DEFAULT_PAGE
        if "ResourceARNList" in params:
            size = max(len(found), 1)
        chosen, token = self._page(found, params.get("PaginationToken"), size=size)
        if params.get("TagsPerPage") and (fits := filters.share(chosen, tags=params["TagsPerPage"])) < size:
            chosen, token = self._page(found, params.get("PaginationToken"), size=fits)
        details = {"ComplianceDetails": {"ComplianceStatus": True}}
        with_details = params.get("IncludeComplianceDetails")
        return {
            "PaginationToken": token or "",
            "ResourceTagMappingList": [
                {
                    "ResourceARN": resource.arn,
                    "Tags": [{"Key": key, "Value": value} for key, value in resource.tags.items()],
                    **(details if with_details else {}),
                }
                for resource in chosen
            ],
        }

    def _page(
        self, found: Sequence[TaggedResource], token: str | None, *, size: int
    ) -> tuple[list[TaggedResource], str | None]:
        return page(found, token, size=size, key=lambda item: item.arn, refusal=_bad_token())

    def get_tag_keys(self, caller: Caller, params: Params) -> Response:
        """List the keys in use."""
        keys = sorted({key for resource in self._resources(caller) for key in resource.tags})
        return _texts("TagKeys", keys, params)

    def get_tag_values(self, caller: Caller, params: Params) -> Response:
        """List the values in use with a key."""
        key = params["Key"]
        values = {resource.tags[key] for resource in self._resources(caller) if key in resource.tags}
        return _texts("TagValues", sorted(values), params)

    def tag_resources(self, caller: Caller, params: Params) -> Response:
        """Put tags on up to 20 resources; each failure is told by ARN, the others are done."""
        tags = params["Tags"]
        for key, value in tags.items():
            if not 1 <= len(key) <= 128 or len(value) > 256 or key.lower().startswith("aws:"):
                raise invalid(
                    f"Tag key '{key}': keys have 1 to 128 and values up to 256 characters; aws: is reserved."
                )
        return self._change(caller, "TagResources", params, put=tags, remove=())

    def untag_resources(self, caller: Caller, params: Params) -> Response:
        """Remove keys from up to 20 resources; keys that are not there are no failure."""
        return self._change(caller, "UntagResources", params, put={}, remove=params["TagKeys"])

    def _change(
        self, caller: Caller, operation: str, params: Params, *, put: Mapping[str, str], remove: Sequence[str]
    ) -> Response:
        failed: dict[str, Response] = {}
        for arn in dict.fromkeys(params["ResourceARNList"]):
            parts = arn.split(":", 5)
            try:
                if len(parts) != 6 or parts[0] != "arn":
                    raise invalid(f"{arn} is not a valid ARN")
                if (parts[3] or caller.region, parts[4] or caller.account) != (caller.region, caller.account):
                    raise invalid(f"{arn} is not a resource of this account and Region")
                if not any(
                    service.change_tags(caller, arn, put=put, remove=remove) for service in self._tagged()
                ):
                    self._change_in_moto(caller, operation, params | {"ResourceARNList": [arn]})
            except AwsError as error:
                failed[arn] = {
                    "StatusCode": error.status,
                    "ErrorCode": "InvalidParameterException",
                    "ErrorMessage": error.message,
                }
        return {"FailedResourcesMap": failed}

    def _change_in_moto(self, caller: Caller, operation: str, params: Params) -> None:
        arn = params["ResourceARNList"][0]
        if self._moto is None or arn.split(":")[2] in self._signing_names():
            raise invalid(f"{arn} does not exist")
        failed = self._moto(caller, operation, params).get("FailedResourcesMap") or {}
        if arn in failed:
            raise invalid(str(failed[arn].get("ErrorMessage", "moto could not change the tags")))

    # --------------------------------------------------------------- sources

    def _resources(self, caller: Caller) -> list[TaggedResource]:
        """Return what has or had tags; once each, our own services' first."""
        found = {resource.arn: resource for resource in (*self._own(caller), *self._motos(caller))}
        return list(found.values())

    def _own(self, caller: Caller) -> Iterator[TaggedResource]:
        for service in self._tagged():
            yield from service.tagged_resources(caller)

    def _motos(self, caller: Caller) -> Iterator[TaggedResource]:
        if self._moto is None:
            return
        own = self._signing_names()
        token = ""
        while True:
            answer = self._moto(caller, "GetResources", {"PaginationToken": token} if token else {})
            for item in answer.get("ResourceTagMappingList", ()):
                arn = item["ResourceARN"]
                if arn.split(":")[2] not in own:
                    tags = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
                    yield TaggedResource(arn=arn, resource_type=arn.split(":")[2], tags=tags)
            token = answer.get("PaginationToken", "")
            if not token:
                return

    def _tagged(self) -> Iterator[Tagged]:
        for service in self._services.values():
            if hasattr(service, "tagged_resources"):
                yield cast("Tagged", service)

    def _signing_names(self) -> frozenset[str]:
        """Return the service parts of our own services' ARNs."""
        return frozenset({*self._services, "elasticloadbalancing"})


def _texts(member: str, texts: Sequence[str], params: Params) -> Response:
    chosen, token = page(
        texts, params.get("PaginationToken"), size=KEYS_PER_PAGE, key=str, refusal=_bad_token()
    )
    return {"PaginationToken": token or "", member: chosen}


def _bad_token() -> AwsError:
    return invalid("The PaginationToken is not one that this API gave out.")


def _of_the_organization(caller: Caller, params: Params) -> Response:
    del params
    text = f"Account {caller.account} is not the management account of an organization."
    raise AwsError("ConstraintViolationException", text)
