"""Launch types, platforms, placement, EBS volumes and overrides: what services and tasks share."""

from __future__ import annotations

from typing import Any

import pytest

INVALID, CLIENT = "InvalidParameterException", "ClientException"
ROLE = "arn:aws:iam::111122223333:role/known"
EC2 = {"launchType": "EC2"}
MEMBER_OF = {"type": "memberOf", "expression": "attribute:x == y"}


@pytest.fixture(autouse=True)
def definitions(ecs: Any) -> None:
    """Register what the cases name."""
    ec2 = {"requiresCompatibilities": ["EC2"]}
    ecs.register("ec2", **ec2)
    ecs.register("ec2-small", **ec2, cpu=None, memory=None, container={"memory": 64})
    ecs.register("placed", **ec2, placementConstraints=[MEMBER_OF] * 6)
    ecs.register("disk", volumes=[{"name": "data", "configuredAtLaunch": True}])
    ecs.register("efs", volumes=[{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}])
    ecs.register("big", ephemeralStorage={"sizeInGiB": 30})


def volume(**members: Any) -> dict[str, Any]:
    """Return the change that makes one EBS volume."""
    made = {"roleArn": ROLE, **members}
    return {"taskDefinition": "disk", "volumeConfigurations": [{"name": "data", "managedEBSVolume": made}]}


def placed(*constraints: dict[str, Any], strategy: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the change that places on EC2."""
    return EC2 | {"placementConstraints": list(constraints), "placementStrategy": strategy or []}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "registered-for-ec2": ({"taskDefinition": "ec2"}, INVALID, "does not support launch_type FARGATE"),
    "without-size": ({"taskDefinition": "ec2-small"}, INVALID, "does not support launch_type FARGATE"),
    "managed-instances": ({"launchType": "MANAGED_INSTANCES"}, INVALID, "capacity provider strategy"),
    "efs-before-1.4": (
        {"taskDefinition": "efs", "platformVersion": "1.3.0"},
        "PlatformTaskDefinitionIncompatibilityException",
        "not supported by the requested platform version",
    ),
    "disk-before-1.4": (
        {"taskDefinition": "big", "platformVersion": "1.3.0"},
        "PlatformTaskDefinitionIncompatibilityException",
        "not supported by the requested platform version",
    ),
    "eleven-constraints": (placed(*[MEMBER_OF] * 11), INVALID, "at most 10 placement constraints"),
    "eleven-with-the-definition's": (
        placed(*[MEMBER_OF] * 5) | {"taskDefinition": "placed"},
        INVALID,
        "at most 10 placement constraints",
    ),
    "six-strategies": (placed(strategy=[{"type": "random"}] * 6), INVALID, "at most 5 placement strategies"),
    "distinct-with-expression": (
        placed({"type": "distinctInstance", "expression": "x"}),
        INVALID,
        "cannot have an expression",
    ),
    "member-of-nothing": (placed({"type": "memberOf"}), INVALID, "needs an expression"),
    "binpack-by-name": (placed(strategy=[{"type": "binpack", "field": "name"}]), INVALID, "binpack"),
    "random-by-cpu": (placed(strategy=[{"type": "random", "field": "cpu"}]), INVALID, "has no field"),
    "volume-not-given": ({"taskDefinition": "disk"}, INVALID, "configuredAtLaunch: data"),
    "volume-of-another-name": (
        {
            "taskDefinition": "disk",
            "volumeConfigurations": [{"name": "x", "managedEBSVolume": {"roleArn": ROLE, "sizeInGiB": 1}}],
        },
        INVALID,
        "configuredAtLaunch: data, x",
    ),
    "volume-without-configuration": (
        {"taskDefinition": "disk", "volumeConfigurations": [{"name": "data"}]},
        INVALID,
        "managedEBSVolume must be specified",
    ),
    "volume-without-size": (volume(), INVALID, "Specify either sizeInGiB or snapshotId"),
    "volume-too-big": (volume(sizeInGiB=16385), INVALID, "Invalid sizeInGiB '16385' for the gp3 volume"),
    "volume-too-small": (volume(sizeInGiB=124, volumeType="st1"), INVALID, "Invalid sizeInGiB '124'"),
    "volume-of-no-type": (volume(sizeInGiB=1, volumeType="gp4"), INVALID, "Invalid volumeType 'gp4'"),
    "io2-without-iops": (volume(sizeInGiB=10, volumeType="io2"), INVALID, "iops is required"),
    "gp3-too-slow": (volume(sizeInGiB=10, iops=2999), INVALID, "Invalid iops '2999'"),
    "st1-with-iops": (volume(sizeInGiB=125, volumeType="st1", iops=100), INVALID, "not supported"),
    "gp2-with-throughput": (volume(sizeInGiB=1, volumeType="gp2", throughput=1), INVALID, "throughput"),
    "throughput-1001": (volume(sizeInGiB=1, throughput=1001), INVALID, "Invalid throughput '1001'"),
    "rate-without-snapshot": (volume(sizeInGiB=1, volumeInitializationRate=100), INVALID, "snapshotId"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("operation", ["CreateService", "RunTask"])
def test_refused_alike_for_services_and_tasks(ecs: Any, request_of: Any, operation: str, case: str) -> None:
    """The same rule, the same code, the same text."""
    change, code, text = REFUSED[case]
    params = request_of(**change)
    if operation == "RunTask":
        gone = ("serviceName", "desiredCount", "loadBalancers")
        params = {key: value for key, value in params.items() if key not in gone}
    refused = ecs.refusal(operation, **params)
    assert refused[0] == code
    assert text in refused[1]


DAEMON: dict[str, Any] = {"schedulingStrategy": "DAEMON", "desiredCount": None, "launchType": "EC2"}
DAEMON_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "on-fargate": ({"launchType": "FARGATE"}, "not supported on Fargate"),
    "with-count": ({"desiredCount": 1}, "does not support a desired count"),
    "with-strategy": ({"placementStrategy": [{"type": "random"}]}, "Placement strategies are not supported"),
    "rebalanced": ({"availabilityZoneRebalancing": "ENABLED"}, "rebalancing is not supported"),
    "external": ({"deploymentController": {"type": "CODE_DEPLOY"}}, "CODE_DEPLOY controller"),
    "with-volumes": (volume(sizeInGiB=1), "only supported for REPLICA"),
}


@pytest.mark.parametrize("case", DAEMON_REFUSED)
def test_daemon_services(ecs: Any, request_of: Any, case: str) -> None:
    """What the DAEMON strategy cannot have (botocore, CreateService)."""
    change, text = DAEMON_REFUSED[case]
    code, message = ecs.refusal("CreateService", **request_of(**(DAEMON | change)))
    assert code == INVALID
    assert text in message


def test_a_daemon_service_has_its_own_defaults(ecs: Any) -> None:
    """100 and 0 percent, no rebalancing, no count; and none can be set later."""
    shown = ecs.create(**DAEMON)
    assert shown["schedulingStrategy"] == "DAEMON"
    configuration = shown["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (100, 0)
    assert shown["availabilityZoneRebalancing"] == "DISABLED"
    code, text = ecs.refusal("UpdateService", cluster="main", service="web", desiredCount=1)
    assert (code, "desired count" in text) == (INVALID, True)
    listed = ecs.call("ListServices", cluster="main", schedulingStrategy="DAEMON")["serviceArns"]
    assert listed == [shown["serviceArn"]]


def test_strategies_come_and_go_by_update(ecs: Any) -> None:
    """A strategy replaces the launch type; an empty list brings it back (botocore, UpdateService)."""
    ecs.create()
    ecs.until(ecs.completed)
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    shown = ecs.call("UpdateService", cluster="main", service="web", capacityProviderStrategy=strategy)[
        "service"
    ]
    assert shown["capacityProviderStrategy"] == strategy
    assert "launchType" not in shown
    ecs.until(ecs.completed)
    assert {task["capacityProviderName"] for task in ecs.tasks()} == {"FARGATE_SPOT"}
    shown = ecs.call("UpdateService", cluster="main", service="web", capacityProviderStrategy=[])["service"]
    assert shown["launchType"] == "FARGATE"
    assert "capacityProviderStrategy" not in shown


@pytest.fixture
def run(request_of: Any) -> dict[str, Any]:
    """Give RunTask's parameters."""
    members = ("cluster", "taskDefinition", "launchType", "networkConfiguration")
    return {key: value for key, value in request_of().items() if key in members}


def test_tasks_of_a_strategy_follow_base_and_weights(ecs: Any, run: dict[str, Any]) -> None:
    """Base first, the rest by weight (botocore, CapacityProviderStrategyItem)."""
    del run["launchType"]
    strategy = [
        {"capacityProvider": "FARGATE", "base": 2, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    ]
    tasks = ecs.call("RunTask", **run, count=10, capacityProviderStrategy=strategy)["tasks"]
    names = [task["capacityProviderName"] for task in tasks]
    assert names[:2] == ["FARGATE", "FARGATE"]
    assert (names.count("FARGATE"), names.count("FARGATE_SPOT")) == (4, 6)


OVERRIDES: dict[str, tuple[dict[str, Any], str, str]] = {
    "ghost": ({"containerOverrides": [{"name": "ghost"}]}, INVALID, "is not a container in the"),
    "too-long": (
        {"containerOverrides": [{"name": "app", "command": ["x" * 8192]}]},
        INVALID,
        "at most 8192 characters",
    ),
    "odd-cpu": ({"cpu": "much"}, INVALID, "Invalid 'cpu' setting for task."),
    "odd-memory": ({"memory": "0"}, INVALID, "Invalid 'memory' setting for task."),
    "impossible-pair": ({"cpu": "4096"}, CLIENT, "No Fargate configuration exists"),
    "disk-19": ({"ephemeralStorage": {"sizeInGiB": 19}}, INVALID, "between 20 and 200"),
    "unknown-role": (
        {"taskRoleArn": "arn:aws:iam::111122223333:role/gone"},
        CLIENT,
        "ECS was unable to assume the role",
    ),
}


@pytest.mark.parametrize("case", OVERRIDES)
def test_impossible_overrides_are_refused(ecs: Any, run: dict[str, Any], case: str) -> None:
    """Unknown containers, more than 8192 characters, sizes that Fargate has not (botocore, TaskOverride)."""
    overrides, code, text = OVERRIDES[case]
    refused = ecs.refusal("RunTask", **run, overrides=overrides)
    assert refused[0] == code
    assert text in refused[1]


def test_overrides_are_the_task_s(ecs: Any, run: dict[str, Any]) -> None:
    """Size, disk and containers' resources are those of the overrides."""
    overrides = {
        "cpu": ".5 vCPU",
        "memory": "1 GB",
        "ephemeralStorage": {"sizeInGiB": 40},
        "taskRoleArn": ROLE,
        "containerOverrides": [{"name": "app", "cpu": 100, "memory": 200, "memoryReservation": 150}],
    }
    (task,) = ecs.call("RunTask", **run, overrides=overrides)["tasks"]
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    assert task["ephemeralStorage"] == {"sizeInGiB": 40}
    container = task["containers"][0]
    told = (container["cpu"], container["memory"], container["memoryReservation"])
    assert told == ("100", "200", "150")
    assert {key: task["overrides"][key] for key in overrides} == overrides


def test_a_volume_is_an_attachment_of_its_task(ecs: Any) -> None:
    """An EBS volume stands beside the ENI, with its size, type and role."""
    ecs.create(**volume(sizeInGiB=10, volumeType="io2", iops=100, filesystemType="ext4"))
    ecs.until(ecs.completed)
    for task in ecs.tasks():
        kinds = [item["type"] for item in task["attachments"]]
        assert kinds == ["ElasticNetworkInterface", "AmazonElasticBlockStorage"]
        details = {item["name"]: item["value"] for item in task["attachments"][1]["details"]}
        expected = {
            "volumeName": "data",
            "roleArn": ROLE,
            "volumeType": "io2",
            "sizeInGiB": "10",
            "iops": "100",
            "filesystemType": "ext4",
            "deleteOnTermination": "true",
        }
        assert expected.items() <= details.items()
        assert details["volumeId"].startswith("vol-")


def test_an_arm_task_says_so(ecs: Any, run: dict[str, Any]) -> None:
    """The attribute ecs.cpu-architecture is the runtime platform's."""
    ecs.register("arm", runtimePlatform={"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"})
    (task,) = ecs.call("RunTask", **(run | {"taskDefinition": "arm"}))["tasks"]
    assert task["attributes"] == [{"name": "ecs.cpu-architecture", "value": "arm64"}]
