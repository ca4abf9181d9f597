"""Operations: listed, kept, and failing on purpose; tags; the ports of other services."""

from __future__ import annotations

from typing import Any

import pytest
from map_world import A_RECORD, CloudMap

from sluice_sandbox.aws.errors import AwsError
from sluice_sandbox.aws.service import Caller
from sluice_sandbox.aws.wire import models


def test_listing_forgets_no_operation(cloud: CloudMap) -> None:
    """GetOperation knows an operation for as long as there is room, however often it was listed."""
    service = cloud.make(cloud.http())
    answer = cloud.call("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={})
    cloud.done(answer)
    for _ in range(2):
        listed = cloud.call("ListOperations")["Operations"]
        assert {"Id": answer["OperationId"], "Status": "SUCCESS"} in listed
    assert cloud.operation(answer["OperationId"])["Status"] == "SUCCESS"
    missing = cloud.refused("GetOperation", OperationId="none")
    assert (missing.code, missing.status) == ("OperationNotFound", 404)
    foreign = cloud.refused("GetOperation", OwnerAccount="999988887777", **answer)
    assert foreign.code == "OperationNotFound"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"Name": "STATUS", "Values": ["PENDING"]}, ["DEREGISTER_INSTANCE"], id="status"),
        pytest.param(
            {"Name": "STATUS", "Values": ["SUCCESS", "PENDING"], "Condition": "IN"},
            ["DEREGISTER_INSTANCE", "REGISTER_INSTANCE", "CREATE_NAMESPACE", "CREATE_NAMESPACE"],
            id="statuses",
        ),
        pytest.param(
            {"Name": "STATUS", "Values": ["SUCCEED"]},
            ["REGISTER_INSTANCE", "CREATE_NAMESPACE", "CREATE_NAMESPACE"],
            id="the page's other word for success",
        ),
        pytest.param({"Name": "TYPE", "Values": ["REGISTER_INSTANCE"]}, ["REGISTER_INSTANCE"], id="type"),
        pytest.param(
            {"Name": "TYPE", "Values": ["REGISTER_INSTANCE", "DEREGISTER_INSTANCE"], "Condition": "IN"},
            ["DEREGISTER_INSTANCE", "REGISTER_INSTANCE"],
            id="types",
        ),
        pytest.param(
            {"Name": "SERVICE_ID", "Values": ["<service>"]},
            ["DEREGISTER_INSTANCE", "REGISTER_INSTANCE"],
            id="service",
        ),
        pytest.param({"Name": "SERVICE_ID", "Values": ["srv-none"]}, [], id="another service"),
        pytest.param({"Name": "NAMESPACE_ID", "Values": ["<other>"]}, ["CREATE_NAMESPACE"], id="namespace"),
        pytest.param(
            {"Name": "UPDATE_DATE", "Values": ["<start>", "<start + 60>"], "Condition": "BETWEEN"},
            ["REGISTER_INSTANCE", "CREATE_NAMESPACE", "CREATE_NAMESPACE"],
            id="dates",
        ),
    ],
)
def test_operations_are_filtered(cloud: CloudMap, asked: dict[str, Any], expected: list[str]) -> None:
    """By status, type, service, namespace and date; the newest first."""
    start = cloud.clock.now()
    service = cloud.make(cloud.http())
    other = cloud.http("other")
    cloud.register(service)
    cloud.clock.advance(120)
    cloud.call("DeregisterInstance", ServiceId=service, InstanceId="i-1")
    cloud.clock.advance(1)
    meant = {"<service>": service, "<other>": other, "<start>": str(start), "<start + 60>": str(start + 60)}
    values = [meant.get(value, value) for value in asked["Values"]]
    listed = cloud.call("ListOperations", Filters=[asked | {"Values": values}])["Operations"]
    assert [cloud.operation(item["Id"])["Type"] for item in listed] == expected


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"Name": "STATUS", "Values": ["DONE"]}, id="no such status"),
        pytest.param({"Name": "STATUS", "Values": ["FAIL", "SUCCESS"]}, id="two for EQ"),
        pytest.param({"Name": "SERVICE_ID", "Values": ["a", "b"], "Condition": "IN"}, id="services"),
        pytest.param({"Name": "UPDATE_DATE", "Values": ["1"], "Condition": "BETWEEN"}, id="one date"),
        pytest.param({"Name": "UPDATE_DATE", "Values": ["2", "1"], "Condition": "BETWEEN"}, id="backwards"),
        pytest.param({"Name": "UPDATE_DATE", "Values": ["a", "b"], "Condition": "BETWEEN"}, id="no dates"),
        pytest.param({"Name": "UPDATE_DATE", "Values": ["1"], "Condition": "EQ"}, id="date by EQ"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(cloud: CloudMap, asked: dict[str, Any]) -> None:
    """InvalidInput."""
    assert cloud.refused("ListOperations", Filters=[asked]).code == "InvalidInput"


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [
        pytest.param("throttle", {}, "THROTTLED_REQUEST", id="throttled"),
        pytest.param("deny", {}, "ACCESS_DENIED", id="denied"),
        pytest.param("error", {}, "INTERNAL_FAILURE", id="server error"),
        pytest.param("error", {"code": "INVALID_CHANGE_BATCH"}, "INVALID_CHANGE_BATCH", id="by its code"),
        pytest.param("reset", {}, "INTERNAL_FAILURE", id="connection lost"),
    ],
)
def test_an_operation_fails_by_a_fault(cloud: CloudMap, kind: str, more: dict[str, str], code: str) -> None:
    """The call succeeds, the operation FAILs with a reason, nothing has changed, and the next one works."""
    service = cloud.make(cloud.http())
    cloud.fault(kind, "Operation.REGISTER_INSTANCE", remaining=1, **more)
    answer = cloud.call("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={})
    failed = cloud.done(answer, status="FAIL")
    assert failed["ErrorCode"] == code
    assert failed["ErrorMessage"]
    assert cloud.call("ListInstances", ServiceId=service)["Instances"] == []
    cloud.register(service, "a")


def test_an_operation_takes_longer_by_a_fault(cloud: CloudMap) -> None:
    """PENDING for that much longer, and busy: what comes meanwhile is refused."""
    service = cloud.make(cloud.http())
    cloud.fault("latency", "Operation.*", seconds=300, remaining=1)
    answer = cloud.call("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={})
    cloud.clock.advance(300)
    assert cloud.operation(answer["OperationId"])["Status"] == "PENDING"
    refusal = cloud.refused("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={"x": "1"})
    assert refusal.code == "DuplicateRequest"
    cloud.clock.advance(6)
    assert cloud.operation(answer["OperationId"])["Status"] == "SUCCESS"


def test_discovery_has_a_published_budget(cloud: CloudMap) -> None:
    """2,000 calls at once, then RequestLimitExceeded (429) until the bucket fills by 1,000 a second."""
    cloud.make(cloud.http())
    cloud.fault("buckets", "*")
    for _ in range(2_000):
        cloud.discovered("api", "ledger")
    refusal = cloud.refused("DiscoverInstances", NamespaceName="api", ServiceName="ledger")
    assert (refusal.code, refusal.status) == ("RequestLimitExceeded", 429)
    cloud.clock.advance(1)
    assert cloud.discovered("api", "ledger") == []


def test_tags(cloud: CloudMap) -> None:
    """On namespaces and services; fifty at most; an unknown ARN is refused."""
    tag = [{"Key": "team", "Value": "ledger"}]
    namespace = cloud.call("GetNamespace", Id=cloud.http(Tags=tag))["Namespace"]
    service = cloud.call("CreateService", Name="x", NamespaceId=namespace["Id"], Tags=tag)["Service"]
    for arn in (namespace["Arn"], service["Arn"]):
        assert cloud.call("ListTagsForResource", ResourceARN=arn) == {"Tags": tag}
        cloud.call("TagResource", ResourceARN=arn, Tags=[{"Key": "team", "Value": ""}])
        cloud.call("TagResource", ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
        cloud.call("UntagResource", ResourceARN=arn, TagKeys=["b", "not there"])
        assert cloud.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": ""}]
        many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
        refusal = cloud.refused("TagResource", ResourceARN=arn, Tags=many)
        assert (refusal.code, refusal.members) == ("TooManyTagsException", {"ResourceName": arn})
    refused = cloud.refused("CreateHttpNamespace", Name="many", Tags=[*many, {"Key": "x", "Value": ""}])
    assert refused.code == "TooManyTagsException"
    for call, more in (
        ("ListTagsForResource", {}),
        ("TagResource", {"Tags": tag}),
        ("UntagResource", {"TagKeys": []}),
    ):
        missing = cloud.refused(call, ResourceARN=namespace["Arn"] + "x", **more)
        assert (missing.code, missing.status) == ("ResourceNotFoundException", 404)


def test_the_tagging_api_sees_and_changes_tags(cloud: CloudMap) -> None:
    """The `Tagged` port: by type and ARN, with the service's own refusals."""
    namespace = cloud.http(Tags=[{"Key": "a", "Value": "1"}])
    service = cloud.make(namespace)
    caller = Caller()
    found = {item.resource_type: item for item in cloud.service.tagged_resources(caller)}
    assert found["servicediscovery:namespace"].tags == {"a": "1"}
    arn = found["servicediscovery:service"].arn
    assert arn.endswith(service)
    assert cloud.service.change_tags(caller, arn, put={"b": "2"}) is True
    assert cloud.service.change_tags(caller, arn, put={"c": "3"}, remove=["b"]) is True
    assert cloud.call("ListTagsForResource", ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "3"}]
    assert cloud.service.change_tags(caller, "arn:aws:ecs:x", put={}) is False
    with pytest.raises(AwsError, match="InvalidInput"):
        cloud.service.change_tags(caller, arn, put={"aws:x": ""})


def test_ecs_registers_through_the_port(cloud: CloudMap) -> None:
    """At Cloud Map's own pace: what comes too soon waits, what failed is tried again, the last wish wins."""
    namespace = cloud.private()
    service_id = cloud.make(namespace, DnsConfig=A_RECORD, HealthCheckCustomConfig={})
    arn = cloud.call("GetService", Id=service_id)["Service"]["Arn"]
    caller, port = Caller(), cloud.service
    view = port.service(caller, arn)
    assert view is not None
    assert (view.service_id, view.namespace_id, view.name) == (service_id, namespace, "ledger")
    assert (view.record_types, view.custom_health) == (frozenset({"A"}), True)
    assert port.service(caller, "arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-x") is None
    known = cloud.call("GetNamespace", Id=namespace)["Namespace"]["Arn"]
    assert [port.namespace_exists(caller, name) for name in ("shop.internal", known, "x")] == [
        True,
        True,
        False,
    ]

    cloud.fault("throttle", "Operation.REGISTER_INSTANCE", remaining=1)
    for task in ("a", "b"):
        port.register(caller, arn, instance_id=task, attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"})
    cloud.clock.advance(30)
    assert cloud.discovered("shop.internal", "ledger") == ["a", "b"]
    port.set_health(caller, arn, instance_id="a", healthy=False)
    port.set_health(caller, arn, instance_id="none", healthy=False)
    cloud.clock.advance(31)
    assert cloud.health(service_id) == {"a": "UNHEALTHY", "b": "HEALTHY"}

    port.register(caller, arn, instance_id="c", attributes={"AWS_INSTANCE_IPV4": "10.0.0.2"})
    port.deregister(caller, arn, instance_id="c")
    port.deregister(caller, arn, instance_id="a")
    port.deregister(caller, arn, instance_id="none")
    cloud.clock.advance(60)
    assert cloud.discovered("shop.internal", "ledger") == ["b"]


def test_a_world_put_back_finishes_no_lost_work(cloud: CloudMap) -> None:
    """Timers of operations that the baseline does not know find nothing."""
    service = cloud.make(cloud.http())
    cloud.world.mark_baseline()
    cloud.call("RegisterInstance", ServiceId=service, InstanceId="a", Attributes={})
    cloud.world.reset()
    cloud.clock.advance(60)
    assert cloud.call("ListInstances", ServiceId=service)["Instances"] == []
    cloud.register(service, "a")


def test_every_operation_of_the_model_is_answered(cloud: CloudMap) -> None:
    """All thirty, none by accident."""
    assert set(cloud.service.operations()) == set(models.service_model("servicediscovery").operation_names)
