"""Cloud Map as boto3 sees it: each row that the research on substitutes measured, in real time."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from integration.sandbox_ecs.ecs_port import code_of, definition, fresh, until
from integration.sandbox_servicediscovery.map_port import Map

A_RECORD = {"DnsRecords": [{"Type": "A", "TTL": 10}]}


def _http(cloud: Map) -> tuple[str, str]:
    name = fresh("http")
    made = cloud.wait(cloud.client.create_http_namespace(Name=name))
    return made["Targets"]["NAMESPACE"], name


def _service(cloud: Map, namespace: str, name: str = "ledger", **more: Any) -> str:
    made = cloud.client.create_service(Name=name, NamespaceId=namespace, **more)
    return str(made["Service"]["Id"])


def test_creation_takes_its_time(cloud: Map) -> None:
    """Not SUCCESS at once, and SUCCESS soon; a second namespace of the name is refused."""
    name = fresh("http")
    answer = cloud.client.create_http_namespace(Name=name)
    first = cloud.client.get_operation(OperationId=answer["OperationId"])["Operation"]
    assert first["Status"] in {"SUBMITTED", "PENDING"}
    done = cloud.wait(answer)
    assert done["Type"] == "CREATE_NAMESPACE"
    with pytest.raises(ClientError) as caught:
        cloud.client.create_http_namespace(Name=name)
    assert caught.value.response["Error"]["Code"] == "NamespaceAlreadyExists"
    assert caught.value.response["NamespaceId"] == done["Targets"]["NAMESPACE"]


def test_private_namespaces_have_zones_in_route_53(cloud: Map) -> None:
    """One for each, of the namespace's own name, private and in its VPC; gone with the namespace."""
    route53 = cloud.side.client("route53")
    for _ in range(2):
        namespace, name = cloud.namespace()
        shown = cloud.client.get_namespace(Id=namespace)["Namespace"]
        zone = shown["Properties"]["DnsProperties"]["HostedZoneId"]
        found = route53.get_hosted_zone(Id=zone)
        assert found["HostedZone"]["Name"] == f"{name}."
        assert found["HostedZone"]["Config"]["PrivateZone"] is True
        assert found["VPCs"][0]["VPCId"] == cloud.side.vpc
        cloud.wait(cloud.client.delete_namespace(Id=namespace))
        assert code_of(route53.get_hosted_zone, Id=zone) == "NoSuchHostedZone"


def test_what_is_in_use_stays(cloud: Map) -> None:
    """A namespace with services, a service with instances: ResourceInUse, until they are empty."""
    namespace, _ = _http(cloud)
    service = _service(cloud, namespace)
    assert code_of(cloud.client.delete_namespace, Id=namespace) == "ResourceInUse"
    cloud.register(service, "a", x="1")
    assert code_of(cloud.client.delete_service, Id=service) == "ResourceInUse"
    cloud.wait(cloud.client.deregister_instance(ServiceId=service, InstanceId="a"))
    assert code_of(cloud.client.deregister_instance, ServiceId=service, InstanceId="a") == "InstanceNotFound"
    cloud.client.delete_service(Id=service)
    assert code_of(cloud.client.delete_service, Id=service) == "ServiceNotFound"
    cloud.wait(cloud.client.delete_namespace(Id=namespace))


def test_services_and_namespaces_are_filtered(cloud: Map) -> None:
    """By name, type and namespace."""
    namespace, name = _http(cloud)
    service = _service(cloud, namespace)
    _service(cloud, _http(cloud)[0])
    asked = [{"Name": "NAME", "Values": [name], "Condition": "EQ"}, {"Name": "TYPE", "Values": ["HTTP"]}]
    found = cloud.client.list_namespaces(Filters=asked)["Namespaces"]
    assert [item["Id"] for item in found] == [namespace]
    asked = [{"Name": "NAMESPACE_ID", "Values": [namespace]}]
    assert [item["Id"] for item in cloud.client.list_services(Filters=asked)["Services"]] == [service]
    paginator = cloud.client.get_paginator("list_services")
    pages = paginator.paginate(Filters=asked, PaginationConfig={"PageSize": 1})
    assert [item["Id"] for page in pages for item in page["Services"]] == [service]


def test_services_are_created_once(cloud: Map) -> None:
    """ServiceAlreadyExists names it; the same CreatorRequestId returns it; the namespace must exist."""
    namespace, _ = _http(cloud)
    first = cloud.client.create_service(Name="x", NamespaceId=namespace, CreatorRequestId="one")["Service"]
    again = cloud.client.create_service(Name="x", NamespaceId=namespace, CreatorRequestId="one")["Service"]
    assert again["Id"] == first["Id"]
    with pytest.raises(ClientError) as caught:
        cloud.client.create_service(Name="x", NamespaceId=namespace)
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ServiceId"]) == ("ServiceAlreadyExists", first["Id"])
    missing = {"Name": "x", "NamespaceId": "ns-aaaaaaaaaaaaaaaa"}
    assert code_of(cloud.client.create_service, **missing) == "NamespaceNotFound"


def test_registering_is_an_upsert_with_a_record(cloud: Map) -> None:
    """One instance, one record set in Route 53, with the newest address; a missing address is refused."""
    namespace, name = cloud.namespace()
    service = _service(cloud, namespace, DnsConfig=A_RECORD)
    refused = {"ServiceId": service, "InstanceId": "a", "Attributes": {"x": "1"}}
    assert code_of(cloud.client.register_instance, **refused) == "InvalidInput"
    for address in ("10.0.0.1", "10.0.0.2"):
        cloud.register(service, "a", AWS_INSTANCE_IPV4=address)
    listed = cloud.client.list_instances(ServiceId=service)["Instances"]
    assert [item["Attributes"] for item in listed] == [{"AWS_INSTANCE_IPV4": "10.0.0.2"}]
    zone = cloud.client.get_namespace(Id=namespace)["Namespace"]["Properties"]["DnsProperties"][
        "HostedZoneId"
    ]
    sets = cloud.side.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    (record,) = [item for item in sets if item["Type"] == "A"]
    assert (record["Name"], record["SetIdentifier"], record["TTL"]) == (f"ledger.{name}.", "a", 10)
    assert record["ResourceRecords"] == [{"Value": "10.0.0.2"}]


def test_operations_outlive_their_listing(cloud: Map) -> None:
    """ListOperations filters by service and type and deletes nothing."""
    service = _service(cloud, _http(cloud)[0])
    answer = cloud.client.register_instance(ServiceId=service, InstanceId="a", Attributes={})
    cloud.wait(answer)
    asked = [
        {"Name": "SERVICE_ID", "Values": [service]},
        {"Name": "TYPE", "Values": ["REGISTER_INSTANCE"]},
        {"Name": "STATUS", "Values": ["SUCCESS"], "Condition": "IN"},
    ]
    for _ in range(2):
        found = cloud.client.list_operations(Filters=asked)["Operations"]
        assert [item["Id"] for item in found] == [answer["OperationId"]]
    assert cloud.wait(answer)["Targets"]["INSTANCE"] == "a"


def test_discovery_by_parameters_health_and_revision(cloud: Map) -> None:
    """QueryParameters, HealthStatus, and a revision that grows with instances only."""
    namespace, name = _http(cloud)
    service = _service(cloud, namespace, HealthCheckCustomConfig={"FailureThreshold": 1})
    names = {"NamespaceName": name, "ServiceName": "ledger"}
    revisions = [cloud.client.discover_instances_revision(**names)["InstancesRevision"]]
    for instance, version in (("a", "1"), ("b", "2")):
        cloud.register(service, instance, version=version)
        revisions.append(cloud.client.discover_instances_revision(**names)["InstancesRevision"])

    def discovered(**more: Any) -> list[str]:
        found = cloud.client.discover_instances(**names, **more)["Instances"]
        return sorted(item["InstanceId"] for item in found)

    assert discovered() == ["a", "b"]
    assert discovered(QueryParameters={"version": "2"}) == ["b"]
    cloud.client.update_instance_custom_health_status(ServiceId=service, InstanceId="a", Status="UNHEALTHY")
    assert discovered(HealthStatus="HEALTHY") == ["a", "b"]
    until(lambda: discovered(HealthStatus="HEALTHY") == ["b"])
    assert discovered(HealthStatus="UNHEALTHY") == ["a"]
    assert cloud.client.get_instances_health_status(ServiceId=service)["Status"] == {
        "a": "UNHEALTHY",
        "b": "HEALTHY",
    }
    assert cloud.client.discover_instances_revision(**names)["InstancesRevision"] == revisions[-1]
    cloud.wait(cloud.client.deregister_instance(ServiceId=service, InstanceId="a"))
    revisions.append(cloud.client.discover_instances(**names)["InstancesRevision"])
    assert revisions == sorted(set(revisions))


def test_custom_health_is_for_services_that_have_it(cloud: Map) -> None:
    """CustomHealthNotFound otherwise."""
    service = _service(cloud, _http(cloud)[0])
    cloud.register(service, "a")
    asked = {"ServiceId": service, "InstanceId": "a", "Status": "UNHEALTHY"}
    assert code_of(cloud.client.update_instance_custom_health_status, **asked) == "CustomHealthNotFound"


def _ecs_service(cloud: Map, registry: str, **more: Any) -> tuple[str, str]:
    """Start an ECS service of two tasks with a registry; return its cluster and name."""
    ecs = cloud.side.client("ecs")
    cluster, family = fresh("cluster"), fresh("family")
    ecs.create_cluster(clusterName=cluster)
    ecs.register_task_definition(**definition(family))
    ecs.create_service(
        cluster=cluster,
        serviceName="ledger",
        taskDefinition=family,
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration=cloud.side.network,
        serviceRegistries=[{"registryArn": registry, **more}],
    )
    return cluster, "ledger"


def test_tasks_of_ecs_are_resolved(cloud: Map) -> None:
    """With serviceRegistries each task has its address in DNS and its facts in Cloud Map; none at scale 0."""
    namespace, name = cloud.namespace()
    service = cloud.client.create_service(
        Name="ledger", NamespaceId=namespace, DnsConfig=A_RECORD, HealthCheckCustomConfig={}
    )["Service"]
    cluster, ecs_service = _ecs_service(cloud, service["Arn"])
    until(lambda: len(cloud.ask(f"ledger.{name}").answers) == 2)
    found = cloud.client.discover_instances(NamespaceName=name, ServiceName="ledger")["Instances"]
    twins = [f"127.{item['Attributes']['AWS_INSTANCE_IPV4'].removeprefix('10.')}" for item in found]
    assert cloud.ask(f"ledger.{name}").values == sorted(twins)
    tasks = cloud.side.client("ecs").list_tasks(cluster=cluster, serviceName=ecs_service)["taskArns"]
    assert {item["InstanceId"] for item in found} == {arn.rsplit("/", 1)[-1] for arn in tasks}
    cloud.side.client("ecs").update_service(cluster=cluster, service=ecs_service, desiredCount=0)
    until(lambda: cloud.ask(f"ledger.{name}").code == 3)


def test_a_client_calls_tasks_by_their_srv_records(cloud: Map) -> None:
    """From the name alone: SRV to host and port, host to address, and there a task answers."""
    namespace, name = cloud.namespace()
    service = cloud.client.create_service(
        Name="_http._tcp",
        NamespaceId=namespace,
        DnsConfig={"DnsRecords": [{"Type": "SRV", "TTL": 10}]},
        HealthCheckCustomConfig={},
    )["Service"]
    _ecs_service(cloud, service["Arn"], containerName="app", containerPort=80)
    until(lambda: len(cloud.ask(f"_http._tcp.{name}", "SRV", payload=4096).answers) == 2)
    for _, _, port, host in cloud.ask(f"_http._tcp.{name}", "SRV", payload=4096).values:
        (address,) = cloud.ask(host).values
        with urllib.request.urlopen(f"http://{address}:{port}/", timeout=10) as answer:
            assert answer.status == 200
            assert json.load(answer)["image"] == "nginx:1.27"
