"""A second list of what RegisterTaskDefinition refuses, member by member, with valid neighbours beside it.

From the second independent list (November 2026), written without a look at the stand-in or the first list.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from fidelity.outsider import Outsider, fresh, refused

CODES = ("ClientException", "InvalidParameterException")
PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/x"
EFS = {"fileSystemId": "fs-12345678"}


def check(**members: Any) -> dict[str, Any]:
    """Answer a container health check with one member changed."""
    return {"healthCheck": {"command": ["CMD-SHELL", "true"]} | members}


CONTAINERS: list[dict[str, Any]] = [
    {"cpu": -1},
    {"cpu": 512},
    {"memory": 3},
    {"memory": 1024},
    {"memoryReservation": 1024},
    {"memory": 128, "memoryReservation": 256},
    {"essential": False},
    {"portMappings": [{"containerPort": 0}]},
    {"portMappings": [{"containerPort": 70000}]},
    {"portMappings": [{"containerPort": 80}, {"containerPort": 80}]},
    {"portMappings": [{"containerPort": 80, "hostPort": 81}]},
    {"portMappings": [{"containerPort": 80, "name": "-bad"}]},
    {"portMappings": [{"containerPort": 80, "name": "Bad"}]},
    {"portMappings": [{"containerPort": 80, "name": "x" * 65}]},
    {"portMappings": [{"containerPort": 80, "appProtocol": "ftp"}]},
    {"portMappings": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]},
    {"portMappings": [{"hostPort": 80}]},
    {"portMappings": [{"containerPortRange": "80-90", "containerPort": 80}]},
    {"portMappings": [{"containerPortRange": "90-80"}]},
    {"dependsOn": [{"containerName": "web", "condition": "START"}]},
    {"secrets": [{"name": "A", "valueFrom": PARAMETER}]},
    {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/x.txt"}]},
    {"mountPoints": [{"sourceVolume": "ghost", "containerPath": "/x"}]},
    {"volumesFrom": [{"sourceContainer": "ghost"}]},
    {"volumesFrom": [{"sourceContainer": "web"}]},
    {"privileged": True},
    {"hostname": "x"},
    {"extraHosts": [{"hostname": "a", "ipAddress": "1.1.1.1"}]},
    {"dnsServers": ["1.1.1.1"]},
    {"disableNetworking": True},
    {"dockerSecurityOptions": ["no-new-privileges"]},
    {"linuxParameters": {"devices": [{"hostPath": "/dev/x"}]}},
    {"linuxParameters": {"sharedMemorySize": 1}},
    {"linuxParameters": {"maxSwap": 1}},
    {"linuxParameters": {"swappiness": 101}},
    {"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}},
    {"logConfiguration": {"logDriver": "syslog"}},
    {"logConfiguration": {"logDriver": "bogus"}},
    {"healthCheck": {"command": []}},
    {"healthCheck": {"command": ["curl"]}},
    check(interval=4),
    check(interval=301),
    check(timeout=1),
    check(timeout=61),
    check(retries=0),
    check(retries=11),
    check(startPeriod=301),
    {"startTimeout": 1},
    {"startTimeout": 121},
    {"stopTimeout": 1},
    {"stopTimeout": 121},
    {"ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 5}]},
    {"ulimits": [{"name": "bogus", "softLimit": 1, "hardLimit": 5}]},
    {"systemControls": [{"namespace": "vm.swappiness", "value": "1"}]},
    {"resourceRequirements": [{"type": "GPU", "value": "1"}]},
    {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 59}},
    {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 1801}},
    {"restartPolicy": {"enabled": True, "ignoredExitCodes": list(range(51))}},
    {"repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:::secret:x"}},
    {"versionConsistency": "maybe"},
    {"credentialSpecs": ["credentialspec:a", "credentialspec:b"]},
]


@pytest.mark.parametrize("change", CONTAINERS, ids=lambda change: json.dumps(change)[:60])
def test_a_fargate_container_refuses(aws: Outsider, change: dict[str, Any]) -> None:
    """One impossible member of the only container."""
    with refused(*CODES):
        aws.register(container={"portMappings": []} | change)


FARGATE: list[dict[str, Any]] = [
    {"family": ""},
    {"family": "a:1"},
    {"networkMode": "host"},
    {"networkMode": "none"},
    {"requiresCompatibilities": ["TRAIN"]},
    {"pidMode": "host"},
    {"ipcMode": "task"},
    {"placementConstraints": [{"type": "memberOf", "expression": "a==b"}]},
    {"ephemeralStorage": {"sizeInGiB": 20}},
    {"ephemeralStorage": {"sizeInGiB": 201}},
    {"runtimePlatform": {"cpuArchitecture": "MIPS"}},
    {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2019_CORE"}},
    {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]},
    {"volumes": [{"name": "v", "host": {"sourcePath": "/x"}}]},
    {"volumes": [{"name": "v"}, {"name": "v"}]},
    {"volumes": [{"name": "v", "configuredAtLaunch": True}, {"name": "w", "configuredAtLaunch": True}]},
    {"volumes": [{"name": "v", "efsVolumeConfiguration": EFS | {"authorizationConfig": {"iam": "ENABLED"}}}]},
    {"tags": [{"key": "aws:a", "value": "b"}]},
    {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "eia1.medium"}]},
    {"cpu": "abc"},
    {"memory": "abc"},
    {"cpu": "0"},
]


@pytest.mark.parametrize("change", FARGATE, ids=lambda change: json.dumps(change)[:60])
def test_a_fargate_definition_refuses(aws: Outsider, change: dict[str, Any]) -> None:
    """One impossible member of the definition."""
    with refused(*CODES):
        aws.register(**change)


PLAIN = {"name": "web", "image": "example.com/web:1.0", "memory": 64}
EC2: list[dict[str, Any]] = [
    {"containerDefinitions": [{"name": "web", "image": "x"}]},
    {"networkMode": "none", "containerDefinitions": [PLAIN | {"portMappings": [{"containerPort": 80}]}]},
    {"networkMode": "awsvpc", "containerDefinitions": [PLAIN | {"links": ["b"]}]},
    {"placementConstraints": [{"type": "memberOf"}]},
    {"placementConstraints": [{"type": "distinctInstance"}]},
    {"placementConstraints": [{"type": "memberOf", "expression": "attribute:a==b"}] * 11},
    {"cpu": "100"},
    {"cpu": "200000"},
]


@pytest.mark.parametrize("change", EC2, ids=lambda change: json.dumps(change)[:60])
def test_a_definition_for_ec2_refuses(aws: Outsider, change: dict[str, Any]) -> None:
    """What holds without Fargate too."""
    with refused(*CODES):
        aws.ecs.register_task_definition(**{"family": fresh("ec2"), "containerDefinitions": [PLAIN]} | change)


@pytest.mark.parametrize(
    ("cpu", "memory", "units", "mebibytes"),
    [
        (".25 vCPU", "1 GB", "256", "1024"),
        ("0.5 vcpu", "2GB", "512", "2048"),
        ("1vcpu", "4 gb", "1024", "4096"),
        ("16384", "122880", "16384", "122880"),
    ],
)
def test_sizes_are_told_in_units(aws: Outsider, cpu: str, memory: str, units: str, mebibytes: str) -> None:
    """Sizes in vCPUs and gigabytes become CPU units and MiB."""
    arn = aws.register(cpu=cpu, memory=memory)
    shown = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert (shown["cpu"], shown["memory"]) == (units, mebibytes)


def test_the_limits_themselves_are_accepted(aws: Outsider) -> None:
    """Timeouts of 2 and 120 seconds, 200 GiB, a health check at its bounds; defaults beside them."""
    arn = aws.register(
        container={"startTimeout": 2, "stopTimeout": 120} | check(interval=5, timeout=60, retries=10),
        ephemeralStorage={"sizeInGiB": 200},
        volumes=[{"name": "v", "efsVolumeConfiguration": EFS}],
    )
    shown = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    container = shown["containerDefinitions"][0]
    assert (container["startTimeout"], container["stopTimeout"]) == (2, 120)
    assert shown["volumes"][0]["efsVolumeConfiguration"]["rootDirectory"] == "/"
    arn = aws.register(container=check())
    shown = aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    told = shown["containerDefinitions"][0]["healthCheck"]
    assert told == {"command": ["CMD-SHELL", "true"], "interval": 30, "timeout": 5, "retries": 3}
