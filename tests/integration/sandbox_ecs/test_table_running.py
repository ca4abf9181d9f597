"""The research table's rows for the scheduler, tasks and task sets, over boto3 and in real time."""

from __future__ import annotations

from typing import Any

import pytest

from integration.sandbox_ecs.ecs_port import Side, code_of, definition, fresh, until

INVALID = "InvalidParameterException"


def tasks_of(ecs: Any, cluster: str, service: str = "web") -> list[dict[str, Any]]:
    """Describe a service's tasks that shall run."""
    arns = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
    return list(ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []


def stable(ecs: Any, cluster: str) -> None:
    """Wait for what boto3's waiter services_stable waits for."""

    def there() -> bool:
        (shown,) = ecs.describe_services(cluster=cluster, services=["web"])["services"]
        return len(shown["deployments"]) == 1 and shown["runningCount"] == shown["desiredCount"]

    until(there)


def test_a_service_comes_up(ecs: Any, side: Side, request_of: Any) -> None:
    """IN_PROGRESS at first; then tasks with ENIs, healthy targets, events, COMPLETED."""
    group = side.attached_group()
    params = request_of(
        desiredCount=2,
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 80}],
    )
    first = ecs.create_service(**params)["service"]
    assert (first["runningCount"], first["deployments"][0]["rolloutState"]) == (0, "IN_PROGRESS")
    ecs.get_waiter("services_stable").wait(
        cluster=params["cluster"], services=["web"], WaiterConfig={"Delay": 1, "MaxAttempts": 40}
    )
    (shown,) = ecs.describe_services(cluster=params["cluster"], services=["web"])["services"]
    assert (shown["runningCount"], shown["pendingCount"], shown["desiredCount"]) == (2, 0, 2)
    until(
        lambda: (
            ecs.describe_services(cluster=params["cluster"], services=["web"])["services"][0]["deployments"][
                0
            ]["rolloutState"]
            == "COMPLETED"
        )
    )
    tasks = tasks_of(ecs, params["cluster"])
    addresses = set()
    for task in tasks:
        assert (task["lastStatus"], task["launchType"], task["group"]) == (
            "RUNNING",
            "FARGATE",
            "service:web",
        )
        assert task["startedBy"] == shown["deployments"][0]["id"]
        (attachment,) = task["attachments"]
        details = {item["name"]: item["value"] for item in attachment["details"]}
        assert attachment["type"] == "ElasticNetworkInterface"
        assert attachment["status"] == "ATTACHED"
        assert details["subnetId"] in side.subnets
        assert details["networkInterfaceId"].startswith("eni-")
        addresses.add(details["privateIPv4Address"])
        (container,) = task["containers"]
        assert container["networkInterfaces"][0]["privateIpv4Address"] in addresses
        assert container["imageDigest"].startswith("sha256:")
    health = side.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert {item["Target"]["Id"] for item in health} == addresses
    assert {item["TargetHealth"]["State"] for item in health} == {"healthy"}
    until(
        lambda: any(
            event["message"].endswith("has reached a steady state.")
            for event in ecs.describe_services(cluster=params["cluster"], services=["web"])["services"][0][
                "events"
            ]
        )
    )


def test_a_stopped_task_is_replaced(ecs: Any, request_of: Any) -> None:
    """StopTask tells code and reason; the service has another task soon."""
    cluster = request_of()["cluster"]
    ecs.create_service(**request_of())
    stable(ecs, cluster)
    victim = tasks_of(ecs, cluster)[0]["taskArn"]
    stopped = ecs.stop_task(cluster=cluster, task=victim, reason="enough")["task"]
    assert (stopped["desiredStatus"], stopped["stopCode"]) == ("STOPPED", "UserInitiated")
    assert stopped["stoppedReason"] == "enough"
    until(
        lambda: [
            task
            for task in tasks_of(ecs, cluster)
            if task["taskArn"] != victim and task["lastStatus"] == "RUNNING"
        ]
    )
    listed = ecs.list_tasks(cluster=cluster, serviceName="web", desiredStatus="STOPPED")["taskArns"]
    assert victim in listed


def test_a_new_definition_rolls_out(ecs: Any, request_of: Any, family: str) -> None:
    """PRIMARY beside ACTIVE, then only tasks of the new revision; recorded as a service deployment."""
    cluster = request_of()["cluster"]
    ecs.create_service(**request_of())
    stable(ecs, cluster)
    ecs.register_task_definition(**definition(family))
    shown = ecs.update_service(cluster=cluster, service="web", taskDefinition=family)["service"]
    assert [item["status"] for item in shown["deployments"]] == ["PRIMARY", "ACTIVE"]
    stable(ecs, cluster)
    until(
        lambda: {t["taskDefinitionArn"].rsplit("/", 1)[1] for t in tasks_of(ecs, cluster)} == {f"{family}:2"}
    )
    listed = ecs.list_service_deployments(cluster=cluster, service="web")["serviceDeployments"]
    assert len(listed) == 2


def test_tasks_are_in_cloud_map(ecs: Any, side: Side, request_of: Any) -> None:
    """A task is an instance of the service's registry with its address, and leaves with it."""
    discovery = side.client("servicediscovery")
    operation = discovery.create_http_namespace(Name=fresh("ns"))["OperationId"]
    until(lambda: discovery.get_operation(OperationId=operation)["Operation"]["Status"] == "SUCCESS")
    namespace = discovery.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    registry = discovery.create_service(Name="web", NamespaceId=namespace)["Service"]
    params = request_of(serviceRegistries=[{"registryArn": registry["Arn"]}])
    shown = ecs.create_service(**params)["service"]
    assert shown["serviceRegistries"] == params["serviceRegistries"]
    stable(ecs, params["cluster"])
    (instance,) = until(lambda: discovery.list_instances(ServiceId=registry["Id"])["Instances"])
    (task,) = tasks_of(ecs, params["cluster"])
    assert task["taskArn"].endswith(instance["Id"])
    details = {item["name"]: item["value"] for item in task["attachments"][0]["details"]}
    assert instance["Attributes"]["AWS_INSTANCE_IPV4"] == details["privateIPv4Address"]
    assert instance["Attributes"]["ECS_SERVICE_NAME"] == "web"
    ecs.delete_service(cluster=params["cluster"], service="web", force=True)
    until(lambda: not discovery.list_instances(ServiceId=registry["Id"])["Instances"])


def test_service_connect_in_a_namespace_is_kept(ecs: Any, side: Side, request_of: Any) -> None:
    """The deployment tells it; ListServicesByNamespace finds it."""
    discovery = side.client("servicediscovery")
    name = fresh("mesh")
    operation = discovery.create_http_namespace(Name=name)["OperationId"]
    until(lambda: discovery.get_operation(OperationId=operation)["Operation"]["Status"] == "SUCCESS")
    connect = {
        "enabled": True,
        "namespace": name,
        "services": [{"portName": "http", "discoveryName": "web", "clientAliases": [{"port": 80}]}],
    }
    made = ecs.create_service(**request_of(serviceConnectConfiguration=connect))["service"]
    assert made["deployments"][0]["serviceConnectConfiguration"] == connect
    assert ecs.list_services_by_namespace(namespace=name)["serviceArns"] == [made["serviceArn"]]


@pytest.fixture
def run(side: Side, cluster: str, family: str) -> dict[str, Any]:
    """Give RunTask's parameters."""
    return {
        "cluster": cluster,
        "taskDefinition": family,
        "launchType": "FARGATE",
        "networkConfiguration": side.network,
    }


def test_run_task(ecs: Any, run: dict[str, Any]) -> None:
    """All containers, group, startedBy, tags, ENI; RUNNING and still running after many looks."""
    family = fresh("two")
    pair = [{"name": "a", "image": "i"}, {"name": "b", "image": "i", "essential": False}]
    ecs.register_task_definition(**definition(family, containerDefinitions=pair))
    params = run | {"taskDefinition": family}
    answer = ecs.run_task(
        **params,
        count=2,
        startedBy="me",
        group="g",
        tags=[{"key": "a", "value": "b"}],
        enableECSManagedTags=True,
    )
    assert (len(answer["tasks"]), answer["failures"]) == (2, [])
    arns = [task["taskArn"] for task in answer["tasks"]]
    assert [item["name"] for item in answer["tasks"][0]["containers"]] == ["a", "b"]
    assert answer["tasks"][0]["lastStatus"] == "PROVISIONING"
    ecs.get_waiter("tasks_running").wait(
        cluster=run["cluster"], tasks=arns, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    for _ in range(5):
        shown = ecs.describe_tasks(cluster=run["cluster"], tasks=arns, include=["TAGS"])["tasks"]
        assert {task["lastStatus"] for task in shown} == {"RUNNING"}
    assert {(task["group"], task["startedBy"]) for task in shown} == {("g", "me")}
    tags = {item["key"]: item["value"] for item in shown[0]["tags"]}
    assert tags == {"a": "b", "aws:ecs:clusterName": run["cluster"]}
    assert shown[0]["cpu"] == "256"
    assert shown[0]["startedAt"] >= shown[0]["createdAt"]


OVERRIDES = {
    "cpu": "512",
    "memory": "1024",
    "containerOverrides": [{"name": "app", "command": ["x"], "environment": [{"name": "A", "value": "1"}]}],
}


def test_overrides_are_told(ecs: Any, run: dict[str, Any]) -> None:
    """The task's size and overrides are those of the call."""
    (task,) = ecs.run_task(**run, overrides=OVERRIDES)["tasks"]
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    assert task["overrides"]["containerOverrides"] == OVERRIDES["containerOverrides"]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "eleven": ({"count": 11}, INVALID),
    "none": ({"count": 0}, INVALID),
    "unknown-definition": ({"taskDefinition": "nope"}, "ClientException"),
    "no-network": ({"networkConfiguration": None}, INVALID),
    "unknown-cluster": ({"cluster": "nope"}, "ClusterNotFoundException"),
    "ghost-override": ({"overrides": {"containerOverrides": [{"name": "ghost"}]}}, INVALID),
    "long-overrides": (
        {"overrides": {"containerOverrides": [{"name": "app", "command": ["x" * 8200]}]}},
        INVALID,
    ),
    "tags-of-a-service": ({"propagateTags": "SERVICE"}, INVALID),
    "group-of-a-service": ({"group": "service:web"}, INVALID),
    "started-by-129": ({"startedBy": "a" * 129}, INVALID),
    "token-65": ({"clientToken": "a" * 65}, INVALID),
    "ec2-without-instances": ({"launchType": "EC2"}, INVALID),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_impossible_runs_are_refused(ecs: Any, run: dict[str, Any], case: str) -> None:
    """With the code that AWS documents."""
    change, code = MISTAKES[case]
    params = {key: value for key, value in (run | change).items() if value is not None}
    assert code_of(ecs.run_task, **params) == code


def test_lists_stops_and_failures(ecs: Any, run: dict[str, Any], family: str) -> None:
    """Filters by family, service, starter and desired status; unknown tasks are refused or failures."""
    cluster = run["cluster"]
    (task,) = ecs.run_task(**run, startedBy="me")["tasks"]
    ecs.run_task(**run)

    def number(**filters: Any) -> int:
        return len(ecs.list_tasks(cluster=cluster, **filters)["taskArns"])

    assert number() == number(family=family) == number(launchType="FARGATE") == 2
    assert number(startedBy="me") == 1
    assert number(family="other") == number(launchType="EC2") == number(desiredStatus="STOPPED") == 0
    assert number(desiredStatus="PENDING") == 0
    assert number(maxResults=1) == 1
    assert code_of(ecs.list_tasks, cluster=cluster, serviceName="ghost") == "ServiceNotFoundException"
    assert code_of(ecs.stop_task, cluster=cluster, task="ghost") == INVALID
    until(
        lambda: (
            ecs.describe_tasks(cluster=cluster, tasks=[task["taskArn"]])["tasks"][0]["lastStatus"]
            == "RUNNING"
        )
    )
    ecs.stop_task(cluster=cluster, task=task["taskArn"])
    ecs.get_waiter("tasks_stopped").wait(
        cluster=cluster, tasks=[task["taskArn"]], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    assert number() == number(desiredStatus="STOPPED") == 1
    answer = ecs.describe_tasks(cluster=cluster, tasks=["ghost", task["taskArn"]])
    assert [item["reason"] for item in answer["failures"]] == ["MISSING"]
    assert answer["tasks"][0]["containers"][0]["exitCode"] == 0
    assert code_of(ecs.describe_tasks, cluster=cluster, tasks=["x"] * 101) == INVALID


def test_run_tokens(ecs: Any, run: dict[str, Any]) -> None:
    """A repeated token answers the same tasks."""
    first = ecs.run_task(**run, clientToken="once")["tasks"]
    again = ecs.run_task(**run, clientToken="once")["tasks"]
    assert [task["taskArn"] for task in again] == [task["taskArn"] for task in first]
    assert len(ecs.list_tasks(cluster=run["cluster"])["taskArns"]) == 1


def test_protection(ecs: Any, run: dict[str, Any], request_of: Any) -> None:
    """Service tasks only, two hours unless said, within a day or two; standalone tasks are failures."""
    cluster = run["cluster"]
    ecs.create_service(**request_of())
    stable(ecs, cluster)
    arn = tasks_of(ecs, cluster)[0]["taskArn"]
    (alone,) = ecs.run_task(**run)["tasks"]
    answer = ecs.update_task_protection(
        cluster=cluster, tasks=[arn, alone["taskArn"]], protectionEnabled=True, expiresInMinutes=60
    )
    assert [item["taskArn"] for item in answer["protectedTasks"]] == [arn]
    assert answer["protectedTasks"][0]["expirationDate"].tzinfo is not None
    assert [item["reason"] for item in answer["failures"]] == ["TASK_NOT_VALID"]
    (told,) = ecs.get_task_protection(cluster=cluster, tasks=[arn])["protectedTasks"]
    assert told["protectionEnabled"] is True
    for odd in ({"expiresInMinutes": 0}, {"expiresInMinutes": 2881}, {"tasks": ["x"] * 11}):
        params = {"cluster": cluster, "tasks": [arn], "protectionEnabled": True} | odd
        assert code_of(ecs.update_task_protection, **params) == INVALID
    ecs.update_task_protection(cluster=cluster, tasks=[arn], protectionEnabled=False)
    (told,) = ecs.get_task_protection(cluster=cluster, tasks=[arn])["protectedTasks"]
    assert told["protectionEnabled"] is False
    assert code_of(ecs.execute_command, cluster=cluster, task=arn, command="sh", interactive=True) == INVALID


def test_task_sets(ecs: Any, side: Side, request_of: Any, family: str) -> None:
    """EXTERNAL services only: scaled in percent, really run, promoted, deleted only when empty or forced."""
    cluster = request_of()["cluster"]
    ecs.create_service(**request_of(serviceName="rolling"))
    base = {
        "cluster": cluster,
        "taskDefinition": family,
        "launchType": "FARGATE",
        "networkConfiguration": side.network,
    }
    assert code_of(ecs.create_task_set, service="rolling", **base) in {INVALID, "UnsupportedFeatureException"}
    ecs.create_service(
        cluster=cluster, serviceName="web", desiredCount=3, deploymentController={"type": "EXTERNAL"}
    )
    made = ecs.create_task_set(
        service="web", externalId="d-1", scale={"value": 50.0, "unit": "PERCENT"}, **base
    )["taskSet"]
    assert (made["computedDesiredCount"], made["externalId"], made["status"]) == (2, "d-1", "ACTIVE")
    name = {"cluster": cluster, "service": "web"}

    def shown() -> dict[str, Any]:
        return dict(ecs.describe_task_sets(**name, taskSets=[made["id"]])["taskSets"][0])

    until(lambda: shown()["runningCount"] == 2 and shown()["stabilityStatus"] == "STEADY_STATE")
    ecs.update_task_set(**name, taskSet=made["id"], scale={"value": 100.0, "unit": "PERCENT"})
    until(lambda: shown()["runningCount"] == 3)
    primary = ecs.update_service_primary_task_set(**name, primaryTaskSet=made["taskSetArn"])["taskSet"]
    assert primary["status"] == "PRIMARY"
    assert code_of(ecs.delete_task_set, **name, taskSet=made["id"]) == INVALID
    assert (
        code_of(ecs.update_task_set, **name, taskSet="x", scale={"value": 1.0}) == "TaskSetNotFoundException"
    )
    assert code_of(ecs.update_task_set, **name, taskSet=made["id"], scale={"value": 101.0}) == INVALID
    gone = ecs.delete_task_set(**name, taskSet=made["id"], force=True)["taskSet"]
    assert gone["status"] == "DRAINING"
    until(lambda: not ecs.describe_task_sets(**name)["taskSets"])
