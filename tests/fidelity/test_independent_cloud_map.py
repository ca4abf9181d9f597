"""Cloud Map: namespaces, services, instances, operations, discovery."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pytest

from fidelity import outsider
from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, until

STATUS = {"ResourceInUse": 409}  # botocore's model; NotFound is 404, and what isn't named is 400


def refused(code: str) -> AbstractContextManager[None]:
    """Expect a refusal with the status that the model gives its code."""
    return outsider.refused(code, status=STATUS.get(code, 404 if code.endswith("NotFound") else 400))


def finish(aws: Outsider, operation: str) -> dict[str, Any]:
    """Wait for an operation's end; answer it."""
    return until(
        lambda: aws("servicediscovery").get_operation(OperationId=operation)["Operation"],
        lambda found: found["Status"] in {"SUCCESS", "FAIL"},
    )


def http(aws: Outsider, **members: Any) -> str:
    """Make an HTTP namespace; answer its id."""
    made = aws("servicediscovery").create_http_namespace(**{"Name": fresh("http")} | members)
    identity: str = finish(aws, made["OperationId"])["Targets"]["NAMESPACE"]
    return identity


def private(aws: Outsider, name: str | None = None) -> str:
    """Make a private DNS namespace; answer its id."""
    made = aws("servicediscovery").create_private_dns_namespace(
        Name=name or f"{fresh('ns')}.internal", Vpc=aws.vpc
    )
    identity: str = finish(aws, made["OperationId"])["Targets"]["NAMESPACE"]
    return identity


def service(aws: Outsider, namespace: str, **members: Any) -> dict[str, Any]:
    """Create a service in a namespace."""
    made: dict[str, Any] = aws("servicediscovery").create_service(
        **{"Name": fresh("svc"), "NamespaceId": namespace} | members
    )["Service"]
    return made


def put(aws: Outsider, service_id: str, instance: str, **attributes: str) -> dict[str, Any]:
    """Register an instance and wait."""
    made = aws("servicediscovery").register_instance(
        ServiceId=service_id, InstanceId=instance, Attributes={"AWS_INSTANCE_IPV4": "10.61.1.50"} | attributes
    )
    return finish(aws, made["OperationId"])


@pytest.fixture(scope="module")
def space(aws: Outsider) -> str:
    """Answer an HTTP namespace."""
    return http(aws)


@pytest.fixture(scope="module")
def zone(aws: Outsider) -> str:
    """Answer a private DNS namespace."""
    return private(aws)


DNS = {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 15}], "RoutingPolicy": "MULTIVALUE"}}


def test_namespace_comes_by_an_operation(aws: Outsider) -> None:
    """An operation is SUBMITTED or PENDING first, SUCCESS later, and tells type, times and target."""
    made = aws("servicediscovery").create_http_namespace(Name=fresh("http"), Description="d")
    first = aws("servicediscovery").get_operation(OperationId=made["OperationId"])["Operation"]
    assert first["Status"] in {"SUBMITTED", "PENDING"}
    done = finish(aws, made["OperationId"])
    assert done["Status"] == "SUCCESS"
    assert done["Type"] == "CREATE_NAMESPACE"
    assert isinstance(done["CreateDate"], datetime)
    assert done["UpdateDate"] >= done["CreateDate"]
    assert done["Targets"]["NAMESPACE"].startswith("ns-")


def test_namespace_answers_every_member(aws: Outsider) -> None:
    """A namespace tells ARN, type, properties, count and date."""
    name = fresh("http")
    identity = http(aws, Name=name, Description="d", CreatorRequestId=fresh("r"))
    found = aws("servicediscovery").get_namespace(Id=identity)["Namespace"]
    assert found["Arn"] == f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:namespace/{identity}"
    assert (found["Name"], found["Type"], found["Description"]) == (name, "HTTP", "d")
    assert found["Properties"]["HttpProperties"]["HttpName"] == name
    assert isinstance(found["CreateDate"], datetime)


def test_namespace_name_is_taken(aws: Outsider) -> None:
    """A second HTTP namespace of a name is NamespaceAlreadyExists."""
    name = fresh("http")
    http(aws, Name=name)
    with refused("NamespaceAlreadyExists"):
        aws("servicediscovery").create_http_namespace(Name=name)


def test_creator_request_id_makes_it_idempotent(aws: Outsider) -> None:
    """The same request with the same id answers the same operation."""
    wish = {"Name": fresh("http"), "CreatorRequestId": fresh("r")}
    create = aws("servicediscovery").create_http_namespace
    assert create(**wish)["OperationId"] == create(**wish)["OperationId"]


def test_private_namespace_has_its_zone(aws: Outsider) -> None:
    """A private namespace has a private hosted zone of exactly its name."""
    name = f"{fresh('ns')}.internal"
    identity = private(aws, name)
    found = aws("servicediscovery").get_namespace(Id=identity)["Namespace"]
    assert found["Type"] == "DNS_PRIVATE"
    hosted = found["Properties"]["DnsProperties"]["HostedZoneId"]
    answer = aws("route53").get_hosted_zone(Id=hosted)
    assert answer["HostedZone"]["Name"] == f"{name}."
    assert answer["HostedZone"]["Config"]["PrivateZone"] is True
    assert answer["VPCs"][0]["VPCId"] == aws.vpc


def test_two_private_namespaces_in_a_vpc(aws: Outsider, zone: str) -> None:
    """A VPC may have several private namespaces of different names."""
    assert private(aws) != zone


def test_namespace_with_a_service_stays(aws: Outsider) -> None:
    """A namespace with a service is ResourceInUse; afterwards it can go."""
    identity = http(aws)
    made = service(aws, identity)
    with refused("ResourceInUse"):
        aws("servicediscovery").delete_namespace(Id=identity)
    aws("servicediscovery").delete_service(Id=made["Id"])
    done = finish(aws, aws("servicediscovery").delete_namespace(Id=identity)["OperationId"])
    assert (done["Status"], done["Type"]) == ("SUCCESS", "DELETE_NAMESPACE")
    with refused("NamespaceNotFound"):
        aws("servicediscovery").get_namespace(Id=identity)


def test_namespaces_are_filtered(aws: Outsider, zone: str, space: str) -> None:
    """TYPE and NAME choose."""

    def listed(*filters: dict[str, Any]) -> set[str]:
        pages = aws("servicediscovery").get_paginator("list_namespaces").paginate(Filters=list(filters))
        return {each["Id"] for page in pages for each in page["Namespaces"]}

    kind = {"Name": "TYPE", "Values": ["DNS_PRIVATE"], "Condition": "EQ"}
    assert zone in listed(kind)
    assert space not in listed(kind)
    name = aws("servicediscovery").get_namespace(Id=space)["Namespace"]["Name"]
    assert listed({"Name": "NAME", "Values": [name], "Condition": "EQ"}) == {space}
    prefix = {"Name": "NAME", "Values": [name], "Condition": "BEGINS_WITH"}
    assert space in listed(prefix)


def test_namespaces_page(aws: Outsider, zone: str, space: str) -> None:
    """MaxResults and NextToken walk through."""
    first = aws("servicediscovery").list_namespaces(MaxResults=1)
    assert len(first["Namespaces"]) == 1
    assert first["NextToken"]


def test_service_answers_every_member(aws: Outsider, zone: str) -> None:
    """A service tells ARN, namespace, DNS settings with the default policy, and its type."""
    made = service(
        aws,
        zone,
        DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 15}]},
        HealthCheckCustomConfig={"FailureThreshold": 1},
        Description="d",
    )
    assert made["Arn"] == f"arn:aws:servicediscovery:{REGION}:{ACCOUNT}:service/{made['Id']}"
    assert made["Id"].startswith("srv-")
    assert made["NamespaceId"] == zone
    assert made["DnsConfig"]["DnsRecords"] == [{"Type": "A", "TTL": 15}]
    assert made["DnsConfig"]["RoutingPolicy"] == "MULTIVALUE"
    assert made["HealthCheckCustomConfig"] == {"FailureThreshold": 1}
    assert isinstance(made["CreateDate"], datetime)
    assert aws("servicediscovery").get_service(Id=made["Id"])["Service"]["InstanceCount"] == 0


def test_service_of_an_unknown_namespace(aws: Outsider) -> None:
    """The namespace must exist."""
    with refused("NamespaceNotFound"):
        service(aws, "ns-0000000000000000")


def test_service_name_is_taken(aws: Outsider, space: str) -> None:
    """A name is used once in a namespace."""
    name = fresh("svc")
    service(aws, space, Name=name)
    with refused("ServiceAlreadyExists"):
        service(aws, space, Name=name)


def test_service_creator_request_id(aws: Outsider, space: str) -> None:
    """The same id with the same request answers the same service."""
    wish = {"Name": fresh("svc"), "CreatorRequestId": fresh("r")}
    assert service(aws, space, **wish)["Id"] == service(aws, space, **wish)["Id"]


def test_services_are_filtered_by_namespace(aws: Outsider, space: str) -> None:
    """NAMESPACE_ID chooses, and pages hold what they are told."""
    made = {service(aws, space)["Id"] for _ in range(2)}
    other = service(aws, http(aws))["Id"]
    filters = [{"Name": "NAMESPACE_ID", "Values": [space], "Condition": "EQ"}]
    pages = (
        aws("servicediscovery")
        .get_paginator("list_services")
        .paginate(Filters=filters, PaginationConfig={"PageSize": 1})
    )
    found = [each["Id"] for page in pages for each in page["Services"]]
    assert made <= set(found)
    assert other not in found
    assert len(found) == len(set(found))


def test_service_with_an_instance_stays(aws: Outsider, space: str) -> None:
    """A service with an instance is ResourceInUse."""
    made = service(aws, space)
    put(aws, made["Id"], "i-1")
    with refused("ResourceInUse"):
        aws("servicediscovery").delete_service(Id=made["Id"])
    finish(
        aws,
        aws("servicediscovery").deregister_instance(ServiceId=made["Id"], InstanceId="i-1")["OperationId"],
    )
    aws("servicediscovery").delete_service(Id=made["Id"])
    with refused("ServiceNotFound"):
        aws("servicediscovery").get_service(Id=made["Id"])


def test_unknown_service_cannot_be_deleted(aws: Outsider) -> None:
    """A service that isn't there is ServiceNotFound."""
    with refused("ServiceNotFound"):
        aws("servicediscovery").delete_service(Id="srv-0000000000000000")


def test_register_again_replaces(aws: Outsider, space: str) -> None:
    """The same instance id is one instance with the newer attributes."""
    made = service(aws, space)["Id"]
    put(aws, made, "i-1", stage="blue")
    put(aws, made, "i-1", stage="green")
    (found,) = aws("servicediscovery").list_instances(ServiceId=made)["Instances"]
    assert (found["Id"], found["Attributes"]["stage"]) == ("i-1", "green")
    assert aws("servicediscovery").get_service(Id=made)["Service"]["InstanceCount"] == 1


def test_register_writes_a_record(aws: Outsider, zone: str) -> None:
    """An instance of a DNS service has its A record in the zone, with the TTL; it goes with the instance."""
    made = service(aws, zone, **DNS)
    put(aws, made["Id"], "i-1", AWS_INSTANCE_IPV4="10.61.1.77")
    found = aws("servicediscovery").get_namespace(Id=zone)["Namespace"]
    hosted = found["Properties"]["DnsProperties"]["HostedZoneId"]
    name = f"{made['Name']}.{found['Name']}."

    def records() -> list[dict[str, Any]]:
        sets = aws("route53").list_resource_record_sets(HostedZoneId=hosted)["ResourceRecordSets"]
        return [each for each in sets if each["Name"] == name and each["Type"] == "A"]

    (record,) = until(records)
    assert record["ResourceRecords"] == [{"Value": "10.61.1.77"}]
    assert record["TTL"] == 15
    finish(
        aws,
        aws("servicediscovery").deregister_instance(ServiceId=made["Id"], InstanceId="i-1")["OperationId"],
    )
    until(lambda: not records())


def test_register_wants_an_address(aws: Outsider, zone: str) -> None:
    """A service with A records wants AWS_INSTANCE_IPV4."""
    made = service(aws, zone, **DNS)
    with refused("InvalidInput"):
        aws("servicediscovery").register_instance(ServiceId=made["Id"], InstanceId="i", Attributes={"a": "b"})


def test_register_in_an_unknown_service(aws: Outsider) -> None:
    """A service that isn't there takes no instance."""
    with refused("ServiceNotFound"):
        put(aws, "srv-0000000000000000", "i-1")


def test_deregister_unknown_instance(aws: Outsider, space: str) -> None:
    """An instance that isn't there is InstanceNotFound."""
    with refused("InstanceNotFound"):
        aws("servicediscovery").deregister_instance(ServiceId=service(aws, space)["Id"], InstanceId="ghost")


def test_get_instance(aws: Outsider, space: str) -> None:
    """An instance is told with its attributes; another is InstanceNotFound."""
    made = service(aws, space)["Id"]
    put(aws, made, "i-1", stage="blue")
    found = aws("servicediscovery").get_instance(ServiceId=made, InstanceId="i-1")["Instance"]
    assert found["Attributes"] == {"AWS_INSTANCE_IPV4": "10.61.1.50", "stage": "blue"}
    with refused("InstanceNotFound"):
        aws("servicediscovery").get_instance(ServiceId=made, InstanceId="i-2")


def test_operations_stay_after_they_are_listed(aws: Outsider, space: str) -> None:
    """Listing operations forgets none; an operation of an instance names it and its service."""
    made = service(aws, space)["Id"]
    done = put(aws, made, "i-1")
    for _ in range(2):
        listed = aws("servicediscovery").list_operations(
            Filters=[{"Name": "SERVICE_ID", "Values": [made], "Condition": "EQ"}]
        )["Operations"]
        assert [each["Id"] for each in listed] == [done["Id"]]
    again = aws("servicediscovery").get_operation(OperationId=done["Id"])["Operation"]
    assert again["Type"] == "REGISTER_INSTANCE"
    assert again["Targets"]["INSTANCE"] == "i-1"


def test_operations_are_filtered(aws: Outsider, space: str) -> None:
    """TYPE and STATUS choose."""
    put(aws, service(aws, space)["Id"], "i-1")
    filters = [
        {"Name": "TYPE", "Values": ["REGISTER_INSTANCE"], "Condition": "EQ"},
        {"Name": "STATUS", "Values": ["SUCCESS"], "Condition": "EQ"},
    ]
    pages = aws("servicediscovery").get_paginator("list_operations").paginate(Filters=filters)
    found = [each["Id"] for page in pages for each in page["Operations"]]
    assert found
    for each in found[:3]:
        told = aws("servicediscovery").get_operation(OperationId=each)["Operation"]
        assert (told["Type"], told["Status"]) == ("REGISTER_INSTANCE", "SUCCESS")


def test_unknown_operation(aws: Outsider) -> None:
    """An operation that isn't there is OperationNotFound."""
    with refused("OperationNotFound"):
        aws("servicediscovery").get_operation(OperationId="ghost-0000")


@pytest.fixture(scope="module")
def discovery(aws: Outsider, space: str) -> tuple[str, str, str]:
    """Register a blue and a green instance with custom health; answer namespace, service and its id."""
    made = service(aws, space, HealthCheckCustomConfig={"FailureThreshold": 1})
    put(aws, made["Id"], "blue", stage="blue")
    put(aws, made["Id"], "green", stage="green", zone="a")
    return aws("servicediscovery").get_namespace(Id=space)["Namespace"]["Name"], made["Name"], made["Id"]


def discover(aws: Outsider, discovery: tuple[str, str, str], **members: Any) -> dict[str, Any]:
    """Discover instances."""
    found: dict[str, Any] = aws("servicediscovery").discover_instances(
        NamespaceName=discovery[0], ServiceName=discovery[1], **members
    )
    return found


def ids(answer: dict[str, Any]) -> set[str]:
    """Answer the instances' ids."""
    return {each["InstanceId"] for each in answer["Instances"]}


def test_discover_filters(aws: Outsider, discovery: tuple[str, str, str]) -> None:
    """Query parameters must all match; optional ones are a wish."""
    until(lambda: ids(discover(aws, discovery)), lambda found: found == {"blue", "green"})
    assert ids(discover(aws, discovery, QueryParameters={"stage": "green"})) == {"green"}
    assert ids(discover(aws, discovery, QueryParameters={"stage": "green", "zone": "b"})) == set()
    assert ids(discover(aws, discovery, OptionalParameters={"stage": "blue"})) == {"blue"}
    assert ids(discover(aws, discovery, OptionalParameters={"stage": "red"})) == {"blue", "green"}
    assert len(discover(aws, discovery, MaxResults=1)["Instances"]) == 1


def test_discover_tells_all(aws: Outsider, discovery: tuple[str, str, str]) -> None:
    """An instance is told with names, health and attributes; the answer has a revision."""
    answer = until(lambda: discover(aws, discovery), lambda answer: len(answer["Instances"]) == 2)
    for each in answer["Instances"]:
        assert each["NamespaceName"] == discovery[0]
        assert each["ServiceName"] == discovery[1]
        assert each["HealthStatus"] == "HEALTHY"
        assert each["Attributes"]["AWS_INSTANCE_IPV4"] == "10.61.1.50"
    assert answer["InstancesRevision"] >= 1


@pytest.mark.parametrize(
    ("namespace", "code"),
    [("ghost", "NamespaceNotFound"), (None, "ServiceNotFound")],
    ids=["namespace", "service"],
)
def test_discover_unknown(
    aws: Outsider, discovery: tuple[str, str, str], namespace: str | None, code: str
) -> None:
    """Namespace and service must exist."""
    with refused(code):
        aws("servicediscovery").discover_instances(
            NamespaceName=namespace or discovery[0], ServiceName="ghost"
        )


def test_revision_only_rises(aws: Outsider, space: str) -> None:
    """The revision rises with each change, a deregistration too."""
    made = service(aws, space)
    name = aws("servicediscovery").get_namespace(Id=space)["Namespace"]["Name"]

    def revision() -> int:
        number: int = aws("servicediscovery").discover_instances_revision(
            NamespaceName=name, ServiceName=made["Name"]
        )["InstancesRevision"]
        return number

    def risen(above: int) -> Callable[[int], bool]:
        return lambda found: found > above

    first = revision()
    put(aws, made["Id"], "i-1")
    second = until(revision, risen(first))
    finish(
        aws,
        aws("servicediscovery").deregister_instance(ServiceId=made["Id"], InstanceId="i-1")["OperationId"],
    )
    until(revision, risen(second))


def test_custom_health(aws: Outsider, space: str) -> None:
    """An instance told unhealthy is found as UNHEALTHY or ALL only, and told so."""
    made = service(aws, space, HealthCheckCustomConfig={"FailureThreshold": 1})
    name = aws("servicediscovery").get_namespace(Id=space)["Namespace"]["Name"]
    where = (name, made["Name"], made["Id"])
    put(aws, made["Id"], "good")
    put(aws, made["Id"], "bad")
    aws("servicediscovery").update_instance_custom_health_status(
        ServiceId=made["Id"], InstanceId="bad", Status="UNHEALTHY"
    )
    until(lambda: ids(discover(aws, where, HealthStatus="HEALTHY")), lambda found: found == {"good"})
    assert ids(discover(aws, where, HealthStatus="UNHEALTHY")) == {"bad"}
    assert ids(discover(aws, where, HealthStatus="ALL")) == {"good", "bad"}
    status = aws("servicediscovery").get_instances_health_status(ServiceId=made["Id"])["Status"]
    assert status == {"good": "HEALTHY", "bad": "UNHEALTHY"}
    aws("servicediscovery").update_instance_custom_health_status(
        ServiceId=made["Id"], InstanceId="good", Status="UNHEALTHY"
    )
    until(
        lambda: ids(discover(aws, where, HealthStatus="HEALTHY_OR_ELSE_ALL")),
        lambda found: found == {"good", "bad"},
    )


def test_custom_health_wants_its_configuration(aws: Outsider, space: str) -> None:
    """A service without custom health is CustomHealthNotFound."""
    made = service(aws, space)["Id"]
    put(aws, made, "i-1")
    with refused("CustomHealthNotFound"):
        aws("servicediscovery").update_instance_custom_health_status(
            ServiceId=made, InstanceId="i-1", Status="UNHEALTHY"
        )


def test_service_tags(aws: Outsider, space: str) -> None:
    """Tags are listed, added and removed."""
    arn = service(aws, space, Tags=[{"Key": "a", "Value": "1"}])["Arn"]
    aws("servicediscovery").tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    aws("servicediscovery").untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert aws("servicediscovery").list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "b", "Value": "2"}
    ]
