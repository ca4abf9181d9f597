"""Reading, updating and deleting services; service deployments and revisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fidelity.outsider import ACCOUNT, REGION, Outsider, fresh, refused, until


def test_describe_tells_missing_services(aws: Outsider) -> None:
    """A service that doesn't exist is a failure with its ARN and MISSING; the others are answered."""
    made = aws.service()
    name = fresh("none")
    answer = aws.ecs.describe_services(cluster=aws.cluster, services=[made["serviceName"], name])
    assert [each["serviceName"] for each in answer["services"]] == [made["serviceName"]]
    (failure,) = answer["failures"]
    assert failure["reason"] == "MISSING"
    assert failure["arn"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{aws.cluster}/{name}"


def test_describe_takes_ten_at_most(aws: Outsider) -> None:
    """Eleven services in one call are refused."""
    with refused("InvalidParameterException"):
        aws.ecs.describe_services(cluster=aws.cluster, services=[f"s{n}" for n in range(11)])


def test_describe_wants_one_at_least(aws: Outsider) -> None:
    """No services at all are refused."""
    with refused("InvalidParameterException"):
        aws.ecs.describe_services(cluster=aws.cluster, services=[])


def test_describe_takes_arns(aws: Outsider) -> None:
    """A service is found by its ARN."""
    made = aws.service()
    found = aws.ecs.describe_services(cluster=aws.cluster, services=[made["serviceArn"]])["services"]
    assert [each["serviceName"] for each in found] == [made["serviceName"]]


def test_describe_in_an_unknown_cluster(aws: Outsider) -> None:
    """The cluster must exist."""
    with refused("ClusterNotFoundException", says="Cluster not found."):
        aws.ecs.describe_services(cluster=fresh("none"), services=["s"])


def test_created_at_and_by_stay(aws: Outsider) -> None:
    """Time and author are those of the creation, also after an update."""
    made = aws.service()
    aws.ecs.update_service(cluster=aws.cluster, service=made["serviceName"], desiredCount=0)
    found = aws.described(made["serviceName"])
    assert found["createdAt"] == made["createdAt"]
    assert found["createdBy"] == made["createdBy"]


def test_list_services_pages(aws: Outsider) -> None:
    """Ten by default, maxResults up to 100, pages chained by nextToken."""
    cluster = fresh("c")
    aws.ecs.create_cluster(clusterName=cluster)
    made = {aws.service(cluster=cluster)["serviceArn"] for _ in range(12)}
    first = aws.ecs.list_services(cluster=cluster)
    assert len(first["serviceArns"]) == 10
    rest = aws.ecs.list_services(cluster=cluster, nextToken=first["nextToken"])
    assert set(first["serviceArns"]) | set(rest["serviceArns"]) == made
    assert not rest.get("nextToken")
    assert set(aws.ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]) == made


@pytest.mark.parametrize("size", [0, 101])
def test_list_services_refuses_a_page_size(aws: Outsider, size: int) -> None:
    """MaxResults is between 1 and 100."""
    with refused("InvalidParameterException"):
        aws.ecs.list_services(cluster=aws.cluster, maxResults=size)


def test_list_services_filters(aws: Outsider) -> None:
    """Launch type and scheduling strategy filter the list."""
    cluster = fresh("c")
    aws.ecs.create_cluster(clusterName=cluster)
    ec2 = aws.ecs.register_task_definition(
        family=fresh("ec2"), containerDefinitions=[{"name": "web", "image": "i", "memory": 64}]
    )["taskDefinition"]["taskDefinitionArn"]
    on_ec2 = aws.service(
        cluster=cluster,
        taskDefinition=ec2,
        launchType="EC2",
        networkConfiguration=None,
        schedulingStrategy="DAEMON",
        desiredCount=None,
    )["serviceArn"]
    on_fargate = aws.service(cluster=cluster)["serviceArn"]
    listed = aws.ecs.list_services
    assert listed(cluster=cluster, launchType="FARGATE")["serviceArns"] == [on_fargate]
    assert listed(cluster=cluster, launchType="EC2")["serviceArns"] == [on_ec2]
    assert listed(cluster=cluster, schedulingStrategy="DAEMON")["serviceArns"] == [on_ec2]
    assert listed(cluster=cluster, schedulingStrategy="REPLICA")["serviceArns"] == [on_fargate]


def test_inactive_service_is_not_listed_but_described(aws: Outsider) -> None:
    """A deleted service leaves the list and stays described as INACTIVE; its name is free again."""
    made = aws.service()
    name = made["serviceName"]
    aws.ecs.delete_service(cluster=aws.cluster, service=name)
    until(lambda: aws.described(name)["status"] == "INACTIVE")
    pages = aws.ecs.get_paginator("list_services").paginate(cluster=aws.cluster)
    assert made["serviceArn"] not in [arn for page in pages for arn in page["serviceArns"]]
    assert aws.service(serviceName=name)["status"] == "ACTIVE"


def test_delete_wants_force_or_no_tasks(aws: Outsider) -> None:
    """A service that is scaled above 0 is deleted by force only."""
    name = aws.service(desiredCount=1)["serviceName"]
    with refused("InvalidParameterException", says="The service cannot be stopped while"):
        aws.ecs.delete_service(cluster=aws.cluster, service=name)
    gone = aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)["service"]
    assert gone["status"] in {"DRAINING", "INACTIVE"}
    assert gone["desiredCount"] == 0


def test_delete_unknown_service(aws: Outsider) -> None:
    """Deleting what doesn't exist is ServiceNotFoundException."""
    with refused("ServiceNotFoundException", says="Service not found."):
        aws.ecs.delete_service(cluster=aws.cluster, service=fresh("none"))


def test_update_unknown_service(aws: Outsider) -> None:
    """Updating what doesn't exist is ServiceNotFoundException."""
    with refused("ServiceNotFoundException", says="Service not found."):
        aws.ecs.update_service(cluster=aws.cluster, service=fresh("none"), desiredCount=1)


def test_update_inactive_service(aws: Outsider) -> None:
    """A deleted service can't be updated."""
    name = aws.service()["serviceName"]
    aws.ecs.delete_service(cluster=aws.cluster, service=name)
    with refused("ServiceNotActiveException", says="Service was not ACTIVE."):
        aws.ecs.update_service(cluster=aws.cluster, service=name, desiredCount=1)


def test_update_with_an_inactive_definition(aws: Outsider) -> None:
    """A deregistered definition can't be deployed; the service keeps its own."""
    made = aws.service()
    arn = aws.register()
    aws.ecs.deregister_task_definition(taskDefinition=arn)
    with refused("ClientException", says="TaskDefinition is inactive"):
        aws.ecs.update_service(cluster=aws.cluster, service=made["serviceName"], taskDefinition=arn)
    assert aws.described(made["serviceName"])["taskDefinition"] == made["taskDefinition"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("enableECSManagedTags", True),
        ("propagateTags", "SERVICE"),
        ("healthCheckGracePeriodSeconds", 60),
        ("availabilityZoneRebalancing", "DISABLED"),
        ("platformVersion", "1.4.0"),
    ],
)
def test_update_changes_a_member(aws: Outsider, member: str, value: Any) -> None:
    """These members are answered as updated, and stay."""
    entry = {"targetGroupArn": aws.attached(), "containerName": "web", "containerPort": 80}
    name = aws.service(loadBalancers=[entry])["serviceName"]
    updated = aws.ecs.update_service(cluster=aws.cluster, service=name, **{member: value})["service"]
    assert updated[member] == value
    assert aws.described(name)[member] == value


def test_update_merges_the_deployment_configuration(aws: Outsider) -> None:
    """Members of the configuration that an update leaves out stay as they were."""
    name = aws.service(
        deploymentConfiguration={
            "maximumPercent": 150,
            "minimumHealthyPercent": 50,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        }
    )["serviceName"]
    updated = aws.ecs.update_service(
        cluster=aws.cluster, service=name, deploymentConfiguration={"maximumPercent": 175}
    )["service"]["deploymentConfiguration"]
    assert updated["maximumPercent"] == 175
    assert updated["minimumHealthyPercent"] == 50
    assert updated["deploymentCircuitBreaker"]["enable"] is True


def test_update_network_opens_a_deployment(aws: Outsider) -> None:
    """Other subnets are a new deployment of the same definition."""
    made = aws.service()
    network = {"awsvpcConfiguration": aws.network["awsvpcConfiguration"] | {"subnets": aws.subnets[:1]}}
    updated = aws.ecs.update_service(
        cluster=aws.cluster, service=made["serviceName"], networkConfiguration=network
    )["service"]
    assert updated["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == aws.subnets[:1]
    assert updated["deployments"][0]["id"] != made["deployments"][0]["id"]


def test_update_load_balancers(aws: Outsider) -> None:
    """Target groups can be exchanged and taken away by an update."""
    entry = {"targetGroupArn": aws.attached(), "containerName": "web", "containerPort": 80}
    name = aws.service(loadBalancers=[entry])["serviceName"]
    other = entry | {"targetGroupArn": aws.attached()}
    assert aws.ecs.update_service(cluster=aws.cluster, service=name, loadBalancers=[other])["service"][
        "loadBalancers"
    ] == [other]
    assert (
        aws.ecs.update_service(cluster=aws.cluster, service=name, loadBalancers=[])["service"][
            "loadBalancers"
        ]
        == []
    )


@pytest.mark.parametrize(
    "change",
    [
        {"desiredCount": -1},
        {"deploymentConfiguration": {"minimumHealthyPercent": 150}},
        {"platformVersion": "9.9"},
        {"propagateTags": "ALL"},
        {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
    ],
    ids=["count", "percent", "platform", "tags", "subnets"],
)
def test_update_refuses(aws: Outsider, change: dict[str, Any]) -> None:
    """An update is refused for what a creation is refused for."""
    name = aws.service()["serviceName"]
    with refused("InvalidParameterException", "ClientException", "PlatformUnknownException"):
        aws.ecs.update_service(cluster=aws.cluster, service=name, **change)


@pytest.fixture(scope="module")
def deployed(aws: Outsider) -> dict[str, Any]:
    """Deploy two revisions one after another; answer the service once both are done."""
    family = fresh("twice")
    aws.register(family=family)
    aws.register(family=family, container={"image": "example.com/web:2"})
    name = aws.service(taskDefinition=f"{family}:1", desiredCount=1)["serviceName"]
    aws.steady(name, running=1)
    aws.ecs.update_service(cluster=aws.cluster, service=name, taskDefinition=f"{family}:2")
    return aws.steady(name, running=1)


def listed(aws: Outsider, service: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    """List a service's deployments."""
    found: list[dict[str, Any]] = aws.ecs.list_service_deployments(
        cluster=aws.cluster, service=service["serviceName"], **members
    )["serviceDeployments"]
    return found


def test_service_deployments_are_listed(aws: Outsider, deployed: dict[str, Any]) -> None:
    """Newest first, each with its times, its target revision and SUCCESSFUL once done."""
    found = until(
        lambda: listed(aws, deployed), lambda found: [each["status"] for each in found] == ["SUCCESSFUL"] * 2
    )
    prefix = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{aws.cluster}/{deployed['serviceName']}/"
    for each in found:
        assert each["serviceDeploymentArn"].startswith(prefix)
        assert each["serviceArn"] == deployed["serviceArn"]
        assert each["clusterArn"] == deployed["clusterArn"]
        assert each["startedAt"] <= each["finishedAt"]
    assert found[0]["createdAt"] > found[1]["createdAt"]
    assert found[0]["targetServiceRevisionArn"] != found[1]["targetServiceRevisionArn"]


def test_service_deployments_filter_and_page(aws: Outsider, deployed: dict[str, Any]) -> None:
    """Status, time and page size choose."""
    until(lambda: {each["status"] for each in listed(aws, deployed)} == {"SUCCESSFUL"})
    assert listed(aws, deployed, status=["IN_PROGRESS"]) == []
    assert len(listed(aws, deployed, status=["SUCCESSFUL"])) == 2
    newest = listed(aws, deployed)[0]
    end = datetime(2100, 1, 1, tzinfo=UTC)
    recent = listed(aws, deployed, createdAt={"after": newest["createdAt"], "before": end})
    assert recent in ([newest], []), "exclusive or inclusive, the older one is out"
    first = aws.ecs.list_service_deployments(
        cluster=aws.cluster, service=deployed["serviceName"], maxResults=1
    )
    assert len(first["serviceDeployments"]) == 1
    assert first["nextToken"]


def test_service_deployment_is_described(aws: Outsider, deployed: dict[str, Any]) -> None:
    """A deployment tells source and target revisions with their tasks, its configuration and its stage."""
    until(lambda: {each["status"] for each in listed(aws, deployed)} == {"SUCCESSFUL"})
    arn = listed(aws, deployed)[0]["serviceDeploymentArn"]
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["failures"] == []
    (found,) = answer["serviceDeployments"]
    assert found["status"] == "SUCCESSFUL"
    target = found["targetServiceRevision"]
    assert target["requestedTaskCount"] == target["runningTaskCount"] == 1
    assert target["pendingTaskCount"] == 0
    (source,) = found["sourceServiceRevisions"]
    assert source["arn"] != target["arn"]
    assert found["deploymentConfiguration"]["maximumPercent"] == 200
    assert found["deploymentCircuitBreaker"]["status"] == "DISABLED"
    assert isinstance(found["finishedAt"], datetime)


def test_unknown_service_deployment_is_a_failure(aws: Outsider) -> None:
    """What doesn't exist is told as MISSING."""
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{aws.cluster}/none/{'a' * 21}"
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    assert answer["serviceDeployments"] == []
    assert answer["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_service_revision_is_described(aws: Outsider, deployed: dict[str, Any]) -> None:
    """A revision tells the definition, the network and the images of its time."""
    arns = [each["targetServiceRevisionArn"] for each in listed(aws, deployed)]
    found = aws.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
    by_arn = {each["serviceRevisionArn"]: each for each in found}
    newest = by_arn[arns[0]]
    assert newest["taskDefinition"] == deployed["taskDefinition"]
    assert newest["launchType"] == "FARGATE"
    assert newest["platformFamily"] == "Linux"
    assert newest["networkConfiguration"] == deployed["networkConfiguration"]
    (image,) = newest["containerImages"]
    assert (image["containerName"], image["image"]) == ("web", "example.com/web:2")
    assert newest["guardDutyEnabled"] is False
    assert isinstance(newest["createdAt"], datetime)


def test_service_names_its_current_revision(aws: Outsider, deployed: dict[str, Any]) -> None:
    """DescribeServices tells the revisions in use, with their task counts."""
    newest = listed(aws, deployed)[0]
    found = aws.described(deployed["serviceName"])
    (current,) = found["currentServiceRevisions"]
    assert current["arn"] == newest["targetServiceRevisionArn"]
    assert current["runningTaskCount"] == 1


def test_stop_a_finished_deployment(aws: Outsider, deployed: dict[str, Any]) -> None:
    """A deployment that is over can't be stopped."""
    until(lambda: {each["status"] for each in listed(aws, deployed)} == {"SUCCESSFUL"})
    arn = listed(aws, deployed)[0]["serviceDeploymentArn"]
    with refused("ConflictException", "InvalidParameterException", "ClientException"):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)


def test_stop_an_unknown_deployment(aws: Outsider) -> None:
    """A deployment that doesn't exist is ServiceDeploymentNotFoundException."""
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{aws.cluster}/none/{'a' * 21}"
    with refused("ServiceDeploymentNotFoundException"):
        aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)


def test_stop_rolls_back(aws: Outsider) -> None:
    """A deployment in progress that is stopped goes back to the revision before."""
    family = fresh("stop")
    good = aws.register(family=family)
    aws.register(family=family, container={"environment": [{"name": "SANDBOX_START_DELAY_S", "value": "30"}]})
    name = aws.service(taskDefinition=good, desiredCount=1)["serviceName"]
    service = aws.steady(name, running=1)
    aws.ecs.update_service(cluster=aws.cluster, service=name, taskDefinition=f"{family}:2")
    arn = listed(aws, service)[0]["serviceDeploymentArn"]
    assert aws.described(name)["currentServiceDeployment"] == arn
    answer = aws.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert answer["serviceDeploymentArn"] == arn
    done = until(
        lambda: aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0],
        lambda found: found["status"] == "ROLLBACK_SUCCESSFUL",
    )
    assert done["rollback"]["serviceRevisionArn"] == done["sourceServiceRevisions"][0]["arn"]
    assert aws.steady(name, running=1)["taskDefinition"] == good
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)
