"""Namespaces: request and answer, or refusal."""

from __future__ import annotations

from typing import Any

import pytest
from map_world import A_RECORD, CloudMap

from sluice_sandbox.aws.estate import VPC_ID
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.servicediscovery.settings import CloudMapSettings, Quotas


@pytest.mark.parametrize(
    ("operation", "params", "kind"),
    [
        pytest.param("CreateHttpNamespace", {"Name": "api"}, "HTTP", id="http"),
        pytest.param(
            "CreatePrivateDnsNamespace", {"Name": "shop.internal", "Vpc": VPC_ID}, "DNS_PRIVATE", id="private"
        ),
        pytest.param("CreatePublicDnsNamespace", {"Name": "shop.example.com"}, "DNS_PUBLIC", id="public"),
    ],
)
def test_a_namespace_is_made_by_an_operation(
    cloud: CloudMap, operation: str, params: dict[str, Any], kind: str
) -> None:
    """SUBMITTED, PENDING, SUCCESS; nobody sees the namespace before, and all that was sent comes back."""
    answer = cloud.call(operation, Description="mine", CreatorRequestId="one", **params)
    submitted = cloud.operation(answer["OperationId"])
    assert submitted["Status"] == "SUBMITTED"
    assert submitted["Type"] == "CREATE_NAMESPACE"
    assert submitted["OwnerAccount"] == Caller().account
    namespace_id = submitted["Targets"]["NAMESPACE"]
    assert cloud.refused("GetNamespace", Id=namespace_id).code == "NamespaceNotFound"
    cloud.clock.advance(1)
    assert cloud.operation(answer["OperationId"])["Status"] == "PENDING"
    assert cloud.call("ListNamespaces")["Namespaces"] == []
    done = cloud.done(answer)
    assert done["UpdateDate"] > done["CreateDate"]
    shown = cloud.call("GetNamespace", Id=namespace_id)["Namespace"]
    dns = shown["Properties"]["DnsProperties"]
    assert (shown["Name"], shown["Type"], shown["Description"]) == (params["Name"], kind, "mine")
    assert (shown["CreatorRequestId"], shown["ServiceCount"]) == ("one", 0)
    assert shown["Arn"] == f"arn:aws:servicediscovery:eu-west-1:111122223333:namespace/{namespace_id}"
    assert shown["Properties"]["HttpProperties"] == {"HttpName": params["Name"]}
    assert dns == {} if kind == "HTTP" else dns["HostedZoneId"].startswith("Z")
    assert cloud.call("GetNamespace", Id=shown["Arn"])["Namespace"] == shown


@pytest.mark.parametrize("in_progress", [True, False], ids=["while it is made", "once it is there"])
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        pytest.param("CreateHttpNamespace", {"Name": "api"}, id="http"),
        pytest.param("CreatePrivateDnsNamespace", {"Name": "a.internal", "Vpc": VPC_ID}, id="private"),
        pytest.param("CreatePublicDnsNamespace", {"Name": "a.example.com"}, id="public"),
    ],
)
def test_a_name_is_taken_once(
    cloud: CloudMap, operation: str, params: dict[str, Any], *, in_progress: bool
) -> None:
    """NamespaceAlreadyExists names the namespace and the request that made it."""
    answer = cloud.call(operation, CreatorRequestId="one", **params)
    if not in_progress:
        cloud.done(answer)
    refusal = cloud.refused(operation, CreatorRequestId="two", **params)
    assert (refusal.code, refusal.status) == ("NamespaceAlreadyExists", 400)
    target = cloud.operation(answer["OperationId"])["Targets"]["NAMESPACE"]
    assert refusal.members == {"NamespaceId": target, "CreatorRequestId": "one"}


@pytest.mark.parametrize("in_progress", [True, False], ids=["while it is made", "once it is there"])
def test_the_same_request_is_the_same_operation(cloud: CloudMap, *, in_progress: bool) -> None:
    """A CreatorRequestId makes a lost answer harmless."""
    first = cloud.call("CreateHttpNamespace", Name="api", CreatorRequestId="one")
    if not in_progress:
        cloud.done(first)
    assert cloud.call("CreateHttpNamespace", Name="api", CreatorRequestId="one") == first
    cloud.done(first)
    assert len(cloud.call("ListNamespaces")["Namespaces"]) == 1


def test_one_vpc_has_several_private_namespaces(cloud: CloudMap) -> None:
    """Only the same name is refused; each has a zone of its own."""
    cloud.private("one.internal")
    cloud.private("two.internal")
    shown = cloud.call("ListNamespaces")["Namespaces"]
    assert len({item["Properties"]["DnsProperties"]["HostedZoneId"] for item in shown}) == 2


def test_a_name_used_again_gets_another_http_name(cloud: CloudMap) -> None:
    """DiscoverInstances must tell a public from a private namespace of the same name."""
    cloud.private("shop.example.com")
    public = cloud.call("GetNamespace", Id=cloud.public("shop.example.com"))["Namespace"]
    assert public["Name"] == "shop.example.com"
    http_name = public["Properties"]["HttpProperties"]["HttpName"]
    assert http_name.startswith("shop.example.com-")


def test_an_unknown_vpc_lets_the_operation_fail(cloud: CloudMap) -> None:
    """The call succeeds, the operation does not, and the name is free afterwards."""
    answer = cloud.call("CreatePrivateDnsNamespace", Name="shop.internal", Vpc="vpc-0ffffffffffffffff")
    failed = cloud.done(answer, status="FAIL")
    assert failed["ErrorCode"] == "CANNOT_CREATE_HOSTED_ZONE"
    assert "vpc-0ffffffffffffffff" in failed["ErrorMessage"]
    cloud.private("shop.internal")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        pytest.param("CreateHttpNamespace", {"Name": "arn:aws:x"}, id="an ARN for a name"),
        pytest.param("CreateHttpNamespace", {"Name": "with space"}, id="a space"),
        pytest.param("CreatePublicDnsNamespace", {"Name": "single"}, id="public without a dot"),
        pytest.param("CreatePublicDnsNamespace", {"Name": "bad_.example.com"}, id="public with underscore"),
        pytest.param("CreatePrivateDnsNamespace", {"Name": "a..b", "Vpc": VPC_ID}, id="empty label"),
        pytest.param("CreatePrivateDnsNamespace", {"Name": "x" * 64, "Vpc": VPC_ID}, id="label of 64"),
        pytest.param("CreatePrivateDnsNamespace", {"Name": "a." * 127 + "b", "Vpc": VPC_ID}, id="255 long"),
        pytest.param("CreateHttpNamespace", {"Name": "a", "Description": "x" * 1025}, id="description"),
        pytest.param("CreateHttpNamespace", {"Name": "a", "CreatorRequestId": "x" * 65}, id="request id"),
        pytest.param(
            "CreateHttpNamespace", {"Name": "a", "Tags": [{"Key": "aws:x", "Value": ""}]}, id="reserved tag"
        ),
        pytest.param(
            "CreateHttpNamespace",
            {"Name": "a", "Tags": [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}]},
            id="tag twice",
        ),
    ],
)
def test_what_a_namespace_must_not_be(cloud: CloudMap, operation: str, params: dict[str, Any]) -> None:
    """InvalidInput, at once and with nothing made."""
    refusal = cloud.refused(operation, **params)
    assert (refusal.code, refusal.status) == ("InvalidInput", 400)
    assert cloud.call("ListOperations")["Operations"] == []


def test_an_account_has_fifty_namespaces(cloud: CloudMap) -> None:
    """ResourceLimitExceeded beyond the quota."""
    cloud.service.settings = CloudMapSettings(quotas=Quotas(namespaces=2))
    cloud.http("one")
    cloud.http("two")
    assert cloud.refused("CreateHttpNamespace", Name="three").code == "ResourceLimitExceeded"
    assert Quotas().namespaces == 50


def test_a_namespace_with_services_stays(cloud: CloudMap) -> None:
    """ResourceInUse (409); without services it is gone when the operation has ended."""
    namespace = cloud.http()
    service = cloud.make(namespace)
    refusal = cloud.refused("DeleteNamespace", Id=namespace)
    assert (refusal.code, refusal.status) == ("ResourceInUse", 409)
    cloud.call("DeleteService", Id=service)
    answer = cloud.call("DeleteNamespace", Id=namespace)
    assert cloud.operation(answer["OperationId"])["Type"] == "DELETE_NAMESPACE"
    again = cloud.refused("DeleteNamespace", Id=namespace)
    assert (again.code, again.status) == ("DuplicateRequest", 409)
    assert again.members == {"DuplicateOperationId": answer["OperationId"]}
    assert cloud.refused("CreateService", Name="late", NamespaceId=namespace).code == "NamespaceNotFound"
    cloud.done(answer)
    missing = cloud.refused("DeleteNamespace", Id=namespace)
    assert (missing.code, missing.status) == ("NamespaceNotFound", 404)
    cloud.http("api")


def test_a_namespace_is_changed_by_the_call_of_its_kind(cloud: CloudMap) -> None:
    """Description and SOA; another kind's call is refused."""
    private, http = cloud.private(), cloud.http()
    change = {"Description": "new", "Properties": {"DnsProperties": {"SOA": {"TTL": 77}}}}
    done = cloud.done(cloud.call("UpdatePrivateDnsNamespace", Id=private, Namespace=change))
    assert done["Type"] == "UPDATE_NAMESPACE"
    shown = cloud.call("GetNamespace", Id=private)["Namespace"]
    assert shown["Description"] == "new"
    assert shown["Properties"]["DnsProperties"]["SOA"] == {"TTL": 77}
    cloud.done(cloud.call("UpdateHttpNamespace", Id=http, Namespace={"Description": "it"}))
    assert cloud.call("GetNamespace", Id=http)["Namespace"]["Description"] == "it"
    assert cloud.refused("UpdatePublicDnsNamespace", Id=private, Namespace=change).code == "InvalidInput"
    assert cloud.refused("UpdateHttpNamespace", Id="ns-x", Namespace={"Description": ""}).status == 404


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param([("TYPE", ["HTTP"], None)], ["api"], id="type"),
        pytest.param([("TYPE", ["DNS"], "BEGINS_WITH")], ["a.internal", "b.internal"], id="type begins with"),
        pytest.param([("NAME", ["a.internal"], "EQ")], ["a.internal"], id="name"),
        pytest.param([("NAME", ["a"], "BEGINS_WITH")], ["api", "a.internal"], id="name begins with"),
        pytest.param([("HTTP_NAME", ["api"], None)], ["api"], id="http name"),
        pytest.param(
            [("NAME", ["a"], "BEGINS_WITH"), ("TYPE", ["DNS_PRIVATE"], None)], ["a.internal"], id="both"
        ),
        pytest.param(
            [("RESOURCE_OWNER", ["SELF"], None)], ["api", "a.internal", "b.internal"], id="one's own"
        ),
        pytest.param([("RESOURCE_OWNER", ["OTHER_ACCOUNTS"], None)], [], id="shared"),
        pytest.param([("NAME", ["nothing"], None)], [], id="no match"),
    ],
)
def test_namespaces_are_filtered(
    cloud: CloudMap, filters: list[tuple[str, list[str], str | None]], expected: list[str]
) -> None:
    """A namespace must match all filters; EQ is the default."""
    cloud.http("api")
    cloud.private("a.internal")
    cloud.private("b.internal")
    asked = [
        {"Name": name, "Values": values, **({"Condition": condition} if condition else {})}
        for name, values, condition in filters
    ]
    shown = cloud.call("ListNamespaces", Filters=asked)["Namespaces"]
    assert [item["Name"] for item in shown] == expected


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"Name": "TYPE", "Values": ["HTTP", "DNS_PRIVATE"]}, id="two values for EQ"),
        pytest.param({"Name": "TYPE", "Values": ["TCP"]}, id="no such type"),
        pytest.param({"Name": "NAME", "Values": ["a"], "Condition": "BETWEEN"}, id="between"),
        pytest.param({"Name": "NAME", "Values": []}, id="no value"),
        pytest.param(
            {"Name": "RESOURCE_OWNER", "Values": ["SELF"], "Condition": "BEGINS_WITH"}, id="owner begins with"
        ),
    ],
)
def test_a_filter_that_means_nothing_is_refused(cloud: CloudMap, asked: dict[str, Any]) -> None:
    """InvalidInput instead of a list that looks complete."""
    assert cloud.refused("ListNamespaces", Filters=[asked]).code == "InvalidInput"


def test_a_page_is_taken_first_and_filtered_then(cloud: CloudMap) -> None:
    """A page may be empty and have a NextToken; a strange token is refused."""
    cloud.http("one")
    cloud.http("two")
    only = [{"Name": "NAME", "Values": ["two"]}]
    first = cloud.call("ListNamespaces", MaxResults=1, Filters=only)
    assert first["Namespaces"] == []
    second = cloud.call("ListNamespaces", MaxResults=1, Filters=only, NextToken=first["NextToken"])
    assert [item["Name"] for item in second["Namespaces"]] == ["two"]
    assert "NextToken" not in second
    assert cloud.refused("ListNamespaces", NextToken="strange").code == "InvalidInput"
    assert cloud.refused("ListNamespaces", MaxResults=101).code == "InvalidInput"


def test_the_number_of_services_is_counted(cloud: CloudMap) -> None:
    """ServiceCount follows CreateService and DeleteService."""
    namespace = cloud.private()
    service = cloud.make(namespace, DnsConfig=A_RECORD)
    assert cloud.call("GetNamespace", Id=namespace)["Namespace"]["ServiceCount"] == 1
    cloud.call("DeleteService", Id=service)
    assert cloud.call("ListNamespaces")["Namespaces"][0]["ServiceCount"] == 0
