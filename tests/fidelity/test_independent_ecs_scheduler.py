"""The scheduler: tasks run, targets come and go, deployments replace one another, events tell of it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest

from fidelity.outsider import REGION, Outsider, fresh, refused, until
from fidelity.surroundings import registry


@pytest.fixture(scope="module")
def running(aws: Outsider) -> dict[str, Any]:
    """Run two tasks behind a target group and in Cloud Map; wait until they are steady."""
    group = aws.attached()
    made = aws.service(
        desiredCount=2,
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
        serviceRegistries=[{"registryArn": registry(aws)}],
        tags=[{"key": "team", "value": "a"}],
        propagateTags="SERVICE",
        enableECSManagedTags=True,
    )
    return aws.steady(made["serviceName"], running=2) | {"group": group}


def tasks_of(
    aws: Outsider, service: str, *, cluster: str | None = None, **members: Any
) -> list[dict[str, Any]]:
    """Describe a service's tasks."""
    cluster = cluster or aws.cluster
    arns = aws.ecs.list_tasks(cluster=cluster, serviceName=service, **members)["taskArns"]
    if not arns:
        return []
    found: list[dict[str, Any]] = aws.ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])[
        "tasks"
    ]
    return found


def addresses(tasks: list[dict[str, Any]]) -> set[str]:
    """Answer the private addresses of tasks."""
    return {
        detail["value"]
        for task in tasks
        for attachment in task["attachments"]
        for detail in attachment["details"]
        if detail["name"] == "privateIPv4Address"
    }


def test_service_reaches_its_count(aws: Outsider, running: dict[str, Any]) -> None:
    """Running equals desired, nothing is pending, and the deployment says so."""
    (deployment,) = running["deployments"]
    assert (running["runningCount"], running["pendingCount"]) == (2, 0)
    assert (deployment["desiredCount"], deployment["runningCount"], deployment["failedTasks"]) == (2, 2, 0)
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."


def test_waiter_services_stable_succeeds(aws: Outsider, running: dict[str, Any]) -> None:
    """The waiter `services_stable` of boto3 ends."""
    waiter = aws.ecs.get_waiter("services_stable")
    waiter.wait(
        cluster=aws.cluster, services=[running["serviceName"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )


def test_task_tells_where_it_runs(aws: Outsider, running: dict[str, Any]) -> None:
    """A task has its network interface, zone, group, starter, platform, and its containers with theirs."""
    for task in tasks_of(aws, running["serviceName"]):
        assert task["lastStatus"] == "RUNNING"
        assert task["desiredStatus"] == "RUNNING"
        assert task["launchType"] == "FARGATE"
        assert task["platformVersion"] == "1.4.0"
        assert task["connectivity"] == "CONNECTED"
        assert task["group"] == f"service:{running['serviceName']}"
        assert task["startedBy"] == running["deployments"][0]["id"]
        assert task["availabilityZone"].startswith(REGION)
        assert (task["cpu"], task["memory"]) == ("256", "512")
        assert task["taskDefinitionArn"] == running["taskDefinition"]
        for time in ("createdAt", "startedAt", "pullStartedAt", "pullStoppedAt", "connectivityAt"):
            assert isinstance(task[time], datetime), time
        assert task["createdAt"] <= task["startedAt"]
        assert task["version"] >= 1
        assert task["healthStatus"] == "UNKNOWN"
        (attachment,) = task["attachments"]
        assert attachment["type"] == "ElasticNetworkInterface"
        assert attachment["status"] == "ATTACHED"
        details = {each["name"]: each["value"] for each in attachment["details"]}
        assert details["subnetId"] in aws.subnets
        assert details["networkInterfaceId"].startswith("eni-")
        assert {"macAddress", "privateDnsName", "privateIPv4Address"} <= set(details)
        (container,) = task["containers"]
        assert container["name"] == "web"
        assert container["image"] == "example.com/web:1.0"
        assert container["lastStatus"] == "RUNNING"
        assert container["taskArn"] == task["taskArn"]
        assert container["networkInterfaces"][0]["privateIpv4Address"] == details["privateIPv4Address"]
        assert container["runtimeId"]


def test_task_arn_has_its_cluster(aws: Outsider, running: dict[str, Any]) -> None:
    """Task ARNs are in the long form with 32 hexadecimal digits."""
    pattern = rf"arn:aws:ecs:{REGION}:\d{{12}}:task/{aws.cluster}/[0-9a-f]{{32}}"
    for task in tasks_of(aws, running["serviceName"]):
        assert re.fullmatch(pattern, task["taskArn"])


def test_tasks_have_propagated_and_managed_tags(aws: Outsider, running: dict[str, Any]) -> None:
    """Tags of the service and ECS's own are on its tasks."""
    for task in tasks_of(aws, running["serviceName"]):
        tags = {tag["key"]: tag["value"] for tag in task["tags"]}
        assert tags["team"] == "a"
        assert tags["aws:ecs:clusterName"] == aws.cluster
        assert tags["aws:ecs:serviceName"] == running["serviceName"]


def test_tasks_are_spread_over_zones(aws: Outsider, running: dict[str, Any]) -> None:
    """Two tasks in three zones are in two."""
    assert len({task["availabilityZone"] for task in tasks_of(aws, running["serviceName"])}) == 2


def test_targets_are_registered_and_healthy(aws: Outsider, running: dict[str, Any]) -> None:
    """Each task's address is a target of the group and becomes healthy."""
    found = until(
        lambda: aws.elb.describe_target_health(TargetGroupArn=running["group"])["TargetHealthDescriptions"],
        lambda targets: [target["TargetHealth"]["State"] for target in targets] == ["healthy"] * 2,
    )
    assert {target["Target"]["Id"] for target in found} == addresses(tasks_of(aws, running["serviceName"]))
    assert {target["Target"]["Port"] for target in found} == {80}


def test_tasks_are_instances_of_cloud_map(aws: Outsider, running: dict[str, Any]) -> None:
    """Each task is an instance with ECS's attributes."""
    registered = running["serviceRegistries"][0]["registryArn"].rsplit("/", 1)[1]
    found = until(
        lambda: aws("servicediscovery").list_instances(ServiceId=registered)["Instances"],
        lambda instances: len(instances) == 2,
    )
    tasks = tasks_of(aws, running["serviceName"])
    assert {instance["Attributes"]["AWS_INSTANCE_IPV4"] for instance in found} == addresses(tasks)
    assert {instance["Id"] for instance in found} == {task["taskArn"].rsplit("/", 1)[1] for task in tasks}
    for instance in found:
        assert instance["Attributes"]["ECS_SERVICE_NAME"] == running["serviceName"]
        assert instance["Attributes"]["ECS_CLUSTER_NAME"] == aws.cluster
        assert instance["Attributes"]["AVAILABILITY_ZONE"].startswith(REGION)
        assert instance["Attributes"]["REGION"] == REGION


def test_events_tell_of_it(aws: Outsider, running: dict[str, Any]) -> None:
    """Events are newest first, in ECS's words: started, registered, steady."""
    events = until(
        lambda: aws.described(running["serviceName"])["events"],
        lambda events: any("steady state" in event["message"] for event in events),
    )
    messages = [event["message"] for event in events]
    name = running["serviceName"]
    assert any(re.fullmatch(rf"\(service {name}\) has started \d+ tasks: .*\.", text) for text in messages), (
        messages
    )
    assert any(
        re.fullmatch(rf"\(service {name}\) registered \d+ targets in .*", text) for text in messages
    ), messages
    assert f"(service {name}) has reached a steady state." in messages
    assert (
        f"(service {name}) (deployment {running['deployments'][0]['id']}) deployment completed." in messages
    )
    times = [event["createdAt"] for event in events]
    assert times == sorted(times, reverse=True)
    assert len({event["id"] for event in events}) == len(events)


def test_stopped_task_is_replaced(aws: Outsider) -> None:
    """A task that someone stops is replaced by another; the stopped one can be listed and described."""
    name = aws.service(desiredCount=1)["serviceName"]
    aws.steady(name, running=1)
    (old,) = tasks_of(aws, name)
    aws.ecs.stop_task(cluster=aws.cluster, task=old["taskArn"], reason="check")
    new = until(lambda: [task for task in tasks_of(aws, name) if task["lastStatus"] == "RUNNING"])
    assert new[0]["taskArn"] != old["taskArn"]
    stopped = until(lambda: tasks_of(aws, name, desiredStatus="STOPPED"))
    assert [task["taskArn"] for task in stopped] == [old["taskArn"]]
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_update_rolls_over(aws: Outsider) -> None:
    """A new definition opens a PRIMARY deployment; the ACTIVE one before goes when the new tasks run."""
    family = fresh("roll")
    old, new = (
        aws.register(family=family),
        aws.register(family=family, container={"image": "example.com/web:2.0"}),
    )
    group = aws.attached()
    aws.elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    made = aws.service(
        taskDefinition=old,
        desiredCount=1,
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
    )
    name = made["serviceName"]
    before = aws.steady(name, running=1)
    updated = aws.ecs.update_service(cluster=aws.cluster, service=name, taskDefinition=f"{family}:2")[
        "service"
    ]
    assert updated["taskDefinition"] == new
    assert [each["status"] for each in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert [each["taskDefinition"] for each in updated["deployments"]] == [new, old]
    assert updated["deployments"][0]["id"] != before["deployments"][0]["id"]
    assert updated["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    done = aws.steady(name, running=1)
    assert done["deployments"][0]["id"] == updated["deployments"][0]["id"]
    assert [task["taskDefinitionArn"] for task in tasks_of(aws, name)] == [new]
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_circuit_breaker_fails_and_rolls_back(aws: Outsider) -> None:
    """An image that can't be pulled fails its deployment, and the breaker goes back to the one before."""
    family = fresh("breaker")
    good = aws.register(family=family)
    bad = aws.register(family=family, container={"image": "registry.invalid/web:broken"})
    made = aws.service(
        taskDefinition=good,
        desiredCount=1,
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
    )
    name = made["serviceName"]
    aws.steady(name, running=1)
    aws.ecs.update_service(cluster=aws.cluster, service=name, taskDefinition=bad)
    done = until(
        lambda: aws.described(name),
        lambda found: (
            found["taskDefinition"] == good
            and len(found["deployments"]) == 1
            and found["deployments"][0]["rolloutState"] == "COMPLETED"
        ),
    )
    assert done["runningCount"] == 1
    messages = [event["message"] for event in done["events"]]
    assert any("deployment failed: tasks failed to start." in text for text in messages), messages
    assert any("rolling back to deployment" in text for text in messages), messages
    stopped = tasks_of(aws, name, desiredStatus="STOPPED")
    broken = [task for task in stopped if task["taskDefinitionArn"] == bad]
    assert broken
    assert {task["stopCode"] for task in broken} == {"TaskFailedToStart"}
    assert all("CannotPullContainerError" in task["stoppedReason"] for task in broken)
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_scaling_opens_no_deployment(aws: Outsider) -> None:
    """Another desired count is the same deployment, and tasks follow up and down."""
    made = aws.service(desiredCount=1)
    name = made["serviceName"]
    first = aws.steady(name, running=1)["deployments"][0]["id"]
    up = aws.ecs.update_service(cluster=aws.cluster, service=name, desiredCount=3)["service"]
    assert up["desiredCount"] == 3
    assert up["runningCount"] == 1
    assert [each["id"] for each in up["deployments"]] == [first]
    assert aws.steady(name, running=3)["deployments"][0]["id"] == first
    aws.ecs.update_service(cluster=aws.cluster, service=name, desiredCount=0)
    until(lambda: aws.described(name)["runningCount"] == 0)
    assert tasks_of(aws, name) == []
    aws.ecs.delete_service(cluster=aws.cluster, service=name)


def test_force_new_deployment(aws: Outsider) -> None:
    """A forced deployment has another id and replaces the tasks of the same definition."""
    made = aws.service(desiredCount=1)
    name = made["serviceName"]
    aws.steady(name, running=1)
    (old,) = tasks_of(aws, name)
    updated = aws.ecs.update_service(cluster=aws.cluster, service=name, forceNewDeployment=True)["service"]
    assert [each["status"] for each in updated["deployments"]] == ["PRIMARY", "ACTIVE"]
    aws.steady(name, running=1)
    assert [task["taskArn"] for task in tasks_of(aws, name)] != [old["taskArn"]]
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_delete_drains_then_is_inactive(aws: Outsider) -> None:
    """A deleted service with tasks is DRAINING with a count of 0, then INACTIVE; its tasks and targets go."""
    group = aws.attached()
    aws.elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    made = aws.service(
        desiredCount=1,
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
    )
    name = made["serviceName"]
    aws.steady(name, running=1)
    gone = aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)["service"]
    assert (gone["status"], gone["desiredCount"]) == ("DRAINING", 0)
    until(lambda: aws.described(name)["status"] == "INACTIVE")
    until(lambda: not aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"])
    arns = [
        arn
        for page in aws.ecs.get_paginator("list_services").paginate(cluster=aws.cluster)
        for arn in page["serviceArns"]
    ]
    assert made["serviceArn"] not in arns


def test_failing_health_check_replaces_tasks(aws: Outsider) -> None:
    """A task whose target stays unhealthy is stopped by the scheduler with the load balancer's reason."""
    group = aws.attached()
    arn = aws.register(container={"environment": [{"name": "SANDBOX_UNHEALTHY", "value": "1"}]})
    made = aws.service(
        taskDefinition=arn,
        desiredCount=1,
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
    )
    name = made["serviceName"]
    stopped = until(lambda: tasks_of(aws, name, desiredStatus="STOPPED"))
    assert "failed ELB health checks" in stopped[0]["stoppedReason"]
    assert stopped[0]["stopCode"] == "ServiceSchedulerInitiated"
    aws.ecs.delete_service(cluster=aws.cluster, service=name, force=True)


def test_state_changes_reach_eventbridge(aws: Outsider) -> None:
    """Task, service action and deployment events arrive where a rule sends them."""
    sqs, events = aws("sqs"), aws("events")
    url = sqs.create_queue(QueueName=fresh("ecs-events"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = fresh("ecs")
    cluster = aws.ecs.create_cluster(clusterName=fresh("events"))["cluster"]
    events.put_rule(
        Name=rule,
        EventPattern=json.dumps({"source": ["aws.ecs"], "detail": {"clusterArn": [cluster["clusterArn"]]}}),
    )
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    deployments = fresh("ecs-deployments")
    events.put_rule(
        Name=deployments,
        EventPattern=json.dumps({"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}),
    )
    events.put_targets(Rule=deployments, Targets=[{"Id": "q", "Arn": arn}])
    made = aws.service(cluster=cluster["clusterName"], desiredCount=1)
    seen: list[dict[str, Any]] = []

    def kinds() -> set[str]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        seen.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return {
            event["detail-type"]
            for event in seen
            if cluster["clusterArn"] in json.dumps(event) or made["serviceArn"] in event["resources"]
        }

    wanted = {"ECS Task State Change", "ECS Service Action", "ECS Deployment State Change"}
    until(kinds, lambda found: wanted <= found)
    for event in seen:
        assert event["source"] == "aws.ecs"
        assert event["region"] == REGION
        assert event["version"] == "0"
    states = {
        event["detail"]["lastStatus"] for event in seen if event["detail-type"] == "ECS Task State Change"
    }
    assert "RUNNING" in until(
        lambda: (kinds(), {e["detail"].get("lastStatus") for e in seen})[1], lambda found: "RUNNING" in found
    )
    assert states
    names = {
        event["detail"].get("eventName") for event in seen if event["detail-type"] != "ECS Task State Change"
    }
    assert "SERVICE_DEPLOYMENT_IN_PROGRESS" in names
    aws.ecs.delete_service(cluster=cluster["clusterName"], service=made["serviceName"], force=True)


def test_waiter_services_inactive(aws: Outsider) -> None:
    """The waiter `services_inactive` of boto3 ends."""
    name = aws.service(desiredCount=0)["serviceName"]
    aws.ecs.delete_service(cluster=aws.cluster, service=name)
    waiter = aws.ecs.get_waiter("services_inactive")
    waiter.wait(cluster=aws.cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def test_default_vpc_works_too(aws: Outsider) -> None:
    """A service in the account's default VPC runs as in any other."""
    found = aws("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    assert found, "no default VPC"
    network = {
        "awsvpcConfiguration": {"subnets": [each["SubnetId"] for each in found], "assignPublicIp": "ENABLED"}
    }
    made = aws.service(desiredCount=1, networkConfiguration=network)
    aws.steady(made["serviceName"], running=1)
    aws.ecs.delete_service(cluster=aws.cluster, service=made["serviceName"], force=True)


def test_unknown_service_of_tasks_is_refused(aws: Outsider) -> None:
    """ListTasks of a service that never was is refused."""
    with refused("ServiceNotFoundException", says="Service not found."):
        aws.ecs.list_tasks(cluster=aws.cluster, serviceName=fresh("none"))
