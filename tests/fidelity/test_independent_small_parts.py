"""Metric math by function, Cloud Map's records and health, images under an index, tags of all kinds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fidelity.outsider import Outsider, fresh
from fidelity.test_independent_cloud_map import finish, http, private, put, refused, service
from fidelity.test_independent_cloudwatch import put as put_datum
from fidelity.test_independent_ecr import digest, manifest
from fidelity.test_independent_elbv2_routing import listen, route

A_RECORD = {"DnsRecords": [{"Type": "A", "TTL": 7}]}
Series = tuple[str, datetime]


@pytest.fixture(scope="module")
def series(aws: Outsider) -> Series:
    """Put requests 10, 20, 30, errors 1, 0, 3, and a gap 5, -, 7, minute by minute."""
    space = fresh("Math")
    start = (datetime.now(UTC) - timedelta(minutes=10)).replace(second=0, microsecond=0)
    for metric, values in (("R", (10, 20, 30)), ("E", (1, 0, 3)), ("G", (5, None, 7))):
        for minute, value in enumerate(values):
            if value is not None:
                put_datum(aws, space, value, metric=metric, at=start + timedelta(minutes=minute))
    return space, start


MATH: dict[str, list[float]] = {
    "100*e/r": [10, 0, 10],
    "r^2": [100, 400, 900],
    "-r+e*(2-1)": [-9, -20, -27],
    "r/e": [10, 10],
    "ABS(-r)": [10, 20, 30],
    "CEIL(r/3)": [4, 7, 10],
    "FLOOR(r/3)": [3, 6, 10],
    "AVG([r,e])": [5.5, 10, 16.5],
    "MIN(METRICS())*0+MAX([r,e])": [10, 20, 30],
    "r/SUM(r)": [1 / 6, 2 / 6, 3 / 6],
    "DIFF(r)": [10, 10],
    "RATE(r)": [1 / 6, 1 / 6],
    "RUNNING_SUM(r)": [10, 30, 60],
    "PERIOD(r)+0*r": [60, 60, 60],
    "METRIC_COUNT(METRICS())+0*r": [3, 3, 3],
    "FILL(g,0)": [5, 0, 7],
    "FILL(g,REPEAT)": [5, 5, 7],
    "FILL(g,LINEAR)": [5, 6, 7],
    "IF(r>15,1,0)": [0, 1, 1],
    "IF(r>15 AND e>0,r,e)": [1, 0, 30],
    "IF(e,r)": [10, 30],
    "r>=20": [0, 1, 1],
    "e==0 || r>25": [0, 1, 1],
}


@pytest.mark.parametrize("expression", MATH)
def test_metric_math(aws: Outsider, series: Series, expression: str) -> None:
    """Each function and operator computes as the user guide tells."""
    space, start = series
    queries: list[dict[str, Any]] = [
        {
            "Id": name.lower(),
            "MetricStat": {"Metric": {"Namespace": space, "MetricName": name}, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        }
        for name in "REG"
    ]
    (found,) = aws("cloudwatch").get_metric_data(
        MetricDataQueries=[*queries, {"Id": "x", "Expression": expression}],
        StartTime=start,
        EndTime=start + timedelta(minutes=3),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    assert found["Values"] == pytest.approx(MATH[expression])


@pytest.mark.parametrize("expression", ["r+", "none+1", "FOO(r)", "1+1"])
def test_metric_math_refused(aws: Outsider, series: Series, expression: str) -> None:
    """What can't be computed to a time series is refused."""
    metric = {"Namespace": series[0], "MetricName": "R"}
    with refused("ValidationError"):
        aws("cloudwatch").get_metric_data(
            MetricDataQueries=[
                {"Id": "r", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
                {"Id": "x", "Expression": expression},
            ],
            StartTime=series[1],
            EndTime=series[1] + timedelta(minutes=3),
        )


@pytest.fixture(scope="module")
def namespace(aws: Outsider) -> str:
    """Make a private namespace in which nothing stays."""
    return private(aws)


def records(aws: Outsider, namespace: str, name: str) -> list[dict[str, Any]]:
    """Answer the record sets of a service."""
    zone = aws("servicediscovery").get_namespace(Id=namespace)["Namespace"]["Properties"]["DnsProperties"]
    found = aws("route53").list_resource_record_sets(HostedZoneId=zone["HostedZoneId"])["ResourceRecordSets"]
    return [record for record in found if name in record["Name"]]


def test_instance_is_a_multivalue_record(aws: Outsider) -> None:
    """An instance has a record of its own, which follows the service's TTL and goes with the instance."""
    cloudmap, namespace = aws("servicediscovery"), private(aws)
    made = service(aws, namespace, DnsConfig=A_RECORD)
    assert made["DnsConfig"]["RoutingPolicy"] == "MULTIVALUE"
    put(aws, made["Id"], "one")
    (record,) = records(aws, namespace, made["Name"])
    assert (record["SetIdentifier"], record["MultiValueAnswer"], record["TTL"]) == ("one", True, 7)
    change = {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 33}]}}
    finish(aws, cloudmap.update_service(Id=made["Id"], Service=change)["OperationId"])
    assert [item["TTL"] for item in records(aws, namespace, made["Name"])] == [33]
    with refused("InvalidInput"):
        other = {"DnsConfig": {"DnsRecords": [{"Type": "AAAA", "TTL": 33}]}}
        cloudmap.update_service(Id=made["Id"], Service=other)
    finish(aws, cloudmap.deregister_instance(ServiceId=made["Id"], InstanceId="one")["OperationId"])
    assert records(aws, namespace, made["Name"]) == []


def test_srv_record_points_at_the_instance(aws: Outsider) -> None:
    """An SRV record has priority and weight 1, the port, and the name of an A record."""
    namespace = private(aws)
    made = service(aws, namespace, DnsConfig={"DnsRecords": [{"Type": "SRV", "TTL": 5}]})
    put(aws, made["Id"], "one", AWS_INSTANCE_PORT="8080")
    found = {record["Type"]: record for record in records(aws, namespace, made["Name"])}
    assert found["SRV"]["ResourceRecords"][0]["Value"].startswith(f"1 1 8080 one.{made['Name']}.")
    assert found["A"]["ResourceRecords"] == [{"Value": "10.61.1.50"}]


@pytest.mark.parametrize(
    "config",
    [
        {"DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 5}, {"Type": "SRV", "TTL": 5}]}},
        {"DnsConfig": {"DnsRecords": [{"Type": "CNAME", "TTL": 5}]}},
        {"DnsConfig": {"DnsRecords": []}},
        {"DnsConfig": A_RECORD, "Type": "HTTP"},
        {"DnsConfig": A_RECORD, "HealthCheckConfig": {"Type": "HTTP"}},
        {"HealthCheckConfig": {"Type": "HTTP"}, "HealthCheckCustomConfig": {}},
    ],
    ids=["A and SRV", "CNAME of many", "no records", "no DNS with DNS", "public check", "two checks"],
)
def test_service_of_impossible_records(aws: Outsider, namespace: str, config: dict[str, Any]) -> None:
    """Combinations that Route 53 can't hold are refused in a private namespace."""
    with refused("InvalidInput"):
        service(aws, namespace, **config)


def test_health_at_the_start(aws: Outsider) -> None:
    """An instance may begin unhealthy; discovery falls back to all when asked to."""
    namespace = http(aws)
    name = aws("servicediscovery").get_namespace(Id=namespace)["Namespace"]["Name"]
    made = service(aws, namespace, HealthCheckCustomConfig={"FailureThreshold": 5})
    assert made["HealthCheckCustomConfig"]["FailureThreshold"] == 1
    put(aws, made["Id"], "one", AWS_INIT_HEALTH_STATUS="UNHEALTHY")

    def found(status: str) -> int:
        answer = aws("servicediscovery").discover_instances(
            NamespaceName=name, ServiceName=made["Name"], HealthStatus=status
        )
        return len(answer["Instances"])

    wanted = {"HEALTHY": 0, "UNHEALTHY": 1, "ALL": 1, "HEALTHY_OR_ELSE_ALL": 1}
    assert {status: found(status) for status in wanted} == wanted


def test_image_under_an_index_stays(aws: Outsider) -> None:
    """An image that an index lists can't be deleted before it."""
    ecr, name = aws("ecr"), fresh("repo")
    ecr.create_repository(repositoryName=name)
    child = manifest(fresh("layer"))
    ecr.put_image(repositoryName=name, imageManifest=child, imageDigest=digest(child))
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{"mediaType": kind, "size": len(child), "digest": digest(child)}],
        }
    )
    made = ecr.put_image(repositoryName=name, imageManifest=index, imageTag="all")["image"]
    assert made["imageId"]["imageDigest"] == digest(index)
    answer = ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digest(child)}])
    assert answer["failures"][0]["failureCode"] == "ImageReferencedByManifestList"


def test_one_tag_finds_all_kinds(aws: Outsider) -> None:
    """GetResources finds what ten services tagged, and TagResources tells what it could not tag."""
    value, tagging = fresh("v"), aws("resourcegroupstaggingapi")
    tags = [{"Key": "kind", "Value": value}]
    listener = listen(aws, Tags=tags)["ListenerArn"]
    rule = route(aws, Tags=tags)["RuleArn"]
    group = aws.elb.create_target_group(Name=fresh("t"), TargetType="lambda", Tags=tags)["TargetGroups"][0]
    cluster = aws.ecs.create_cluster(clusterName=fresh("c"), tags=[{"key": "kind", "value": value}])
    repository = aws("ecr").create_repository(repositoryName=fresh("r"), tags=tags)["repository"]
    discovery = service(aws, http(aws), Tags=tags)["Arn"]
    lattice = aws("vpc-lattice").create_service(name=fresh("s"), tags={"kind": value})["arn"]
    topic = aws("sns").create_topic(Name=fresh("t"), Tags=tags)["TopicArn"]
    secret = aws("secretsmanager").create_secret(Name=fresh("s"), SecretString="x", Tags=tags)["ARN"]
    arns = {listener, rule, group["TargetGroupArn"], cluster["cluster"]["clusterArn"], discovery}
    arns |= {repository["repositoryArn"], lattice, topic, secret}

    def found(**members: Any) -> set[str]:
        answer = tagging.get_resources(TagFilters=[{"Key": "kind", "Values": [value]}], **members)
        return {item["ResourceARN"] for item in answer["ResourceTagMappingList"]}

    assert found() == arns
    assert found(ResourceTypeFilters=["elasticloadbalancing:targetgroup"]) == {group["TargetGroupArn"]}
    gone = group["TargetGroupArn"][:-4] + "0000"
    failed = tagging.tag_resources(ResourceARNList=[rule, gone], Tags={"kind": "other"})["FailedResourcesMap"]
    assert set(failed) == {gone}
    assert rule not in found()
