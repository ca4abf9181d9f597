"""RegisterTaskDefinition member by member: what botocore's documentation forbids, and its neighbours."""

from __future__ import annotations

from typing import Any

import pytest

ROLE = "arn:aws:iam::111122223333:role/x"
EC2 = {"requiresCompatibilities": ["EC2"], "cpu": None, "memory": None}
BRIDGE = EC2 | {"networkMode": "bridge"}
HOST = EC2 | {"networkMode": "host"}


def one(**members: Any) -> dict[str, Any]:
    """Return the change that adds members to the only container."""
    return {"container": members}


def on(base: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return the change of mode that adds members to the only container, which has memory of its own."""
    return base | {"container": {"memory": 64, **members}}


def many(*items: dict[str, Any], **task: Any) -> dict[str, Any]:
    """Return the change that replaces all containers."""
    return {"containerDefinitions": [{"name": f"c{n}", "image": "i"} | c for n, c in enumerate(items)]} | task


def health(**members: Any) -> dict[str, Any]:
    """Return the change that adds a health check."""
    return one(healthCheck={"command": ["CMD", "x"], **members})


def port(**mapping: Any) -> list[dict[str, Any]]:
    """Return a list of one port mapping."""
    return [mapping]


def efs(**members: Any) -> dict[str, Any]:
    """Return the change that declares an EFS volume."""
    return {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1", **members}}]}


def proxy(name: str) -> dict[str, Any]:
    """Return an App Mesh proxy configuration."""
    return {"proxyConfiguration": {"type": "APPMESH", "containerName": name}}


GPU = [{"type": "GPU", "value": "1"}]
WINDOWS = {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}
ROUTER = {"firelensConfiguration": {"type": "fluentbit"}}
ROUTED = {"logConfiguration": {"logDriver": "awsfirelens"}}
CONSTRAINT = {"type": "memberOf", "expression": "attribute:x == y"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "family-empty": ({"family": ""}, "family name"),
    "family-256": ({"family": "a" * 256}, "family name"),
    "container-name-256": (one(name="a" * 256), "Invalid container name"),
    "image-with-space": (one(image="a b"), "Container.image contains invalid characters."),
    "image-short-digest": (one(image="a@sha256:12"), "Container.image contains invalid characters."),
    "image-256": (one(image="a" * 256), "255 characters or less"),
    "cpu-negative": (one(cpu=-1), "Invalid 'cpu'"),
    "ec2-cpu-127": (BRIDGE | {"cpu": "127"} | one(memory=64), "Invalid 'cpu' setting for task."),
    "memory-is-no-number": ({"memory": "lots"}, "Invalid 'memory' setting for task."),
    "memory-zero": (BRIDGE | {"memory": "0"}, "Invalid 'memory' setting for task."),
    "links-on-host": (on(HOST, links=["x"]), "Links are not supported when networkMode=host."),
    "links-on-awsvpc": (one(links=["x"]), "Links are not supported when networkMode=awsvpc."),
    "hostname-on-awsvpc": (one(hostname="x"), "hostname is not supported"),
    "extra-hosts-on-awsvpc": (
        one(extraHosts=[{"hostname": "h", "ipAddress": "1.2.3.4"}]),
        "Extra hosts are not supported",
    ),
    "no-network-on-awsvpc": (one(disableNetworking=True), "Networking cannot be disabled"),
    "dns-on-fargate": (one(dnsServers=["1.1.1.1"]), "DNS servers are not supported"),
    "dns-search-on-fargate": (one(dnsSearchDomains=["x"]), "DNS search domains are not supported"),
    "security-options-on-fargate": (
        one(dockerSecurityOptions=["no-new-privileges"]),
        "dockerSecurityOptions",
    ),
    "devices-on-fargate": (one(linuxParameters={"devices": [{"hostPath": "/x"}]}), "devices"),
    "shared-memory-on-fargate": (one(linuxParameters={"sharedMemorySize": 1}), "sharedMemorySize"),
    "swap-on-fargate": (one(linuxParameters={"maxSwap": 1}), "maxSwap"),
    "swappiness-on-fargate": (one(linuxParameters={"swappiness": 1}), "swappiness"),
    "capability-on-fargate": (one(linuxParameters={"capabilities": {"add": ["NET_ADMIN"]}}), "SYS_PTRACE"),
    "capability-unknown": (one(linuxParameters={"capabilities": {"drop": ["FLY"]}}), "capability 'FLY'"),
    "swappiness-101": (on(BRIDGE, linuxParameters={"swappiness": 101}), "between 0 and 100"),
    "swap-negative": (on(BRIDGE, linuxParameters={"maxSwap": -1}), "maxSwap"),
    "gpu-on-fargate": (one(resourceRequirements=GPU), "Fargate does not support resource requirements"),
    "gpu-none": (on(BRIDGE, resourceRequirements=[{"type": "GPU", "value": "0"}]), "number of GPUs"),
    "gpu-without-value": (on(BRIDGE, resourceRequirements=[{"type": "GPU"}]), "either a value"),
    "neuron-one": (on(BRIDGE, resourceRequirements=[{"type": "NeuronDevice", "value": "1"}]), "must be ALL"),
    "accelerator-unknown": (
        on(BRIDGE, resourceRequirements=[{"type": "InferenceAccelerator", "value": "d"}]),
        "Unknown inference accelerator 'd'",
    ),
    "accelerators-on-fargate": (
        {"inferenceAccelerators": [{"deviceName": "d", "deviceType": "eia2.medium"}]},
        "inference accelerators",
    ),
    "ulimit-upside-down": (
        one(ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}]),
        "exceeds its hard limit",
    ),
    "system-control": (one(systemControls=[{"namespace": "vm.swappiness", "value": "1"}]), "not namespaced"),
    "net-control-on-host": (
        on(HOST, systemControls=[{"namespace": "net.core.somaxconn", "value": "1"}]),
        "not supported when networkMode=host",
    ),
    "restart-59": (one(restartPolicy={"enabled": True, "restartAttemptPeriod": 59}), "between 60 and 1800"),
    "restart-1801": (one(restartPolicy={"enabled": True, "restartAttemptPeriod": 1801}), "between 60"),
    "exit-codes-51": (
        one(restartPolicy={"enabled": True, "ignoredExitCodes": list(range(51))}),
        "at most 50",
    ),
    "environment-files-11": (
        one(environmentFiles=[{"type": "s3", "value": f"arn:aws:s3:::b/{n}.env"} for n in range(11)]),
        "at most 10",
    ),
    "environment-file-name": (
        one(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/x.txt"}]),
        ".env extension",
    ),
    "credential-specs-2": (one(credentialSpecs=["a", "b"]), "at most one credential spec"),
    "health-timeout-61": (health(timeout=61), "timeout must be between 2 and 60"),
    "health-timeout-1": (health(timeout=1), "timeout must be between 2 and 60"),
    "health-interval-301": (health(interval=301), "interval must be between 5 and 300"),
    "health-retries-0": (health(retries=0), "retries must be between 1 and 10"),
    "health-retries-11": (health(retries=11), "retries must be between 1 and 10"),
    "health-start-301": (health(startPeriod=301), "startPeriod must be between 0 and 300"),
    "health-empty": (one(healthCheck={"command": []}), "must start with CMD"),
    "host-port-on-host-mode": (
        on(HOST, portMappings=port(containerPort=80, hostPort=81)),
        "When networkMode=host, the host ports and container ports in port mappings must match.",
    ),
    "host-port-70000": (on(BRIDGE, portMappings=port(containerPort=80, hostPort=70000)), "Invalid host port"),
    "host-port-twice-on-bridge": (
        many(
            {"memory": 64, "portMappings": port(containerPort=1, hostPort=80)},
            {"memory": 64, "portMappings": port(containerPort=2, hostPort=80)},
            **BRIDGE,
        ),
        "The host port 80/tcp is used more than once",
    ),
    "port-name-twice": (
        many(
            {"portMappings": port(containerPort=1, name="http")},
            {"portMappings": port(containerPort=2, name="http")},
        ),
        "Port mapping name 'http' is duplicated.",
    ),
    "port-name-hyphen": (one(portMappings=port(containerPort=1, name="-a")), "Invalid port mapping name"),
    "port-name-65": (one(portMappings=port(containerPort=1, name="a" * 65)), "Invalid port mapping name"),
    "range-and-port": (
        one(portMappings=port(containerPort=1, containerPortRange="1-2")),
        "Either containerPort or containerPortRange",
    ),
    "range-and-host-port": (one(portMappings=port(containerPortRange="1-2", hostPort=1)), "hostPort must be"),
    "range-backwards": (one(portMappings=port(containerPortRange="9-8")), "Invalid containerPortRange"),
    "range-too-high": (one(portMappings=port(containerPortRange="1-65536")), "Invalid containerPortRange"),
    "range-words": (one(portMappings=port(containerPortRange="a-b")), "Invalid containerPortRange"),
    "range-on-host": (on(HOST, portMappings=port(containerPortRange="1-2")), "networkMode=host"),
    "range-overlaps": (
        one(portMappings=[{"containerPortRange": "80-90"}, {"containerPort": 85}]),
        "overlaps another port mapping",
    ),
    "no-command-role": (
        one(logConfiguration={"logDriver": "splunk", "secretOptions": [{"name": "A", "valueFrom": "x"}]}),
        "'executionRoleArn'",
    ),
    "repository-credentials-without-role": (
        one(repositoryCredentials={"credentialsParameter": "arn:aws:secretsmanager:::secret:x"}),
        "'executionRoleArn'",
    ),
    "secret-twice": (
        one(secrets=[{"name": "A", "valueFrom": "x"}] * 2) | {"executionRoleArn": ROLE},
        "The secret name must be unique",
    ),
    "volumes-from-ghost": (one(volumesFrom=[{"sourceContainer": "ghost"}]), "Unknown container 'ghost'"),
    "mount-nowhere": (
        one(mountPoints=[{"sourceVolume": "v"}]) | {"volumes": [{"name": "v"}]},
        "MountPoint.containerPath",
    ),
    "volume-name": ({"volumes": [{"name": "a b"}]}, "Volume name 'a b' is invalid."),
    "volume-of-two-kinds": (
        BRIDGE
        | one(memory=64)
        | {"volumes": [efs()["volumes"][0] | {"dockerVolumeConfiguration": {"scope": "task"}}]},
        "more than one configuration",
    ),
    "volume-at-launch-and-efs": (
        {"volumes": [efs()["volumes"][0] | {"configuredAtLaunch": True}]},
        "more than one configuration",
    ),
    "two-volumes-at-launch": (
        {"volumes": [{"name": n, "configuredAtLaunch": True} for n in "ab"]},
        "only have one volume",
    ),
    "docker-volume-on-fargate": (
        {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]},
        "Fargate does not support Docker volumes.",
    ),
    "fsx-on-fargate": (
        {
            "volumes": [
                {
                    "name": "v",
                    "fsxWindowsFileServerVolumeConfiguration": {
                        "fileSystemId": "fs-1",
                        "rootDirectory": "/",
                        "authorizationConfig": {"credentialsParameter": "x", "domain": "d"},
                    },
                }
            ]
        },
        "FSx for Windows File Server",
    ),
    "docker-volume-provisioned-for-a-task": (
        BRIDGE
        | one(memory=64)
        | {"volumes": [{"name": "v", "dockerVolumeConfiguration": {"scope": "task", "autoprovision": True}}]},
        "autoprovision",
    ),
    "efs-iam-in-clear": (efs(authorizationConfig={"iam": "ENABLED"}), "IAM authorization requires"),
    "efs-access-point-in-clear": (
        efs(authorizationConfig={"accessPointId": "fsap-1"}),
        "access point requires transit encryption",
    ),
    "efs-access-point-and-root": (
        efs(authorizationConfig={"accessPointId": "fsap-1"}, transitEncryption="ENABLED", rootDirectory="/x"),
        "rootDirectory must be omitted",
    ),
    "efs-port-in-clear": (efs(transitEncryptionPort=2049), "needs transit encryption"),
    "disk-201": ({"ephemeralStorage": {"sizeInGiB": 201}}, "between 21 and 200"),
    "trusted-on-fargate": (
        {"trustedExecutionConfiguration": {"isolationMode": "ISOLATED_SANDBOX"}},
        "Fargate does not support trusted execution.",
    ),
    "ipc-on-fargate": ({"ipcMode": "task"}, "ipcMode"),
    "windows-too-small": (WINDOWS, "at least 1 vCPU"),
    "windows-shares-pids": (WINDOWS | {"pidMode": "task", "cpu": "1024", "memory": "2048"}, "pidMode"),
    "windows-on-arm": (
        BRIDGE
        | one(memory=64)
        | {"runtimePlatform": {**WINDOWS["runtimePlatform"], "cpuArchitecture": "ARM64"}},
        "ARM64 is only supported for LINUX",
    ),
    "proxy-ghost": (proxy("ghost"), "The proxy container 'ghost' does not exist"),
    "proxy-on-bridge": (on(BRIDGE) | proxy("app"), "only supported when networkMode=awsvpc"),
    "external-awsvpc": (
        {"requiresCompatibilities": ["EXTERNAL"], "networkMode": "awsvpc"},
        "EXTERNAL does not support the network mode",
    ),
    "managed-instances-bridge": (
        {"requiresCompatibilities": ["MANAGED_INSTANCES"], "networkMode": "bridge"},
        "MANAGED_INSTANCES does not support the network mode",
    ),
    "constraints-11": (on(BRIDGE) | {"placementConstraints": [CONSTRAINT] * 11}, "The maximum is 10."),
    "constraint-2001": (
        on(BRIDGE) | {"placementConstraints": [CONSTRAINT | {"expression": "x" * 2001}]},
        "at most 2000 characters",
    ),
    "router-without-logs": (many(ROUTER), "awsfirelens log driver"),
    "logs-without-router": (many(ROUTED), "firelensConfiguration object"),
    "two-routers": (many(ROUTER, ROUTER, ROUTED), "at most one FireLens container"),
    "containers-above-memory": (many({"memory": 300}, {"memory": 300}), "The sum of the containers' memory"),
    "containers-above-cpu": (many({"cpu": 200}, {"cpu": 200}), "The sum of the containers' 'cpu'"),
    "task-tags-51": ({"tags": [{"key": f"k{n}", "value": ""} for n in range(51)]}, "50"),
    "reserved-tag": ({"tags": [{"key": "Aws:x", "value": ""}]}, "reserved"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(ecs: Any, register: Any, case: str) -> None:
    """A ClientException or InvalidParameterException says what is wrong, and no revision is spent."""
    change, text = REFUSED[case]
    code, message = ecs.refusal("RegisterTaskDefinition", **register(**change))
    assert code in {"ClientException", "InvalidParameterException"}
    assert text in message
    assert ecs.register().endswith("web:2")


KEPT: dict[str, dict[str, Any]] = {
    "fargate": one(
        entryPoint=["sh"],
        command=["-c", "x"],
        workingDirectory="/w",
        user="1000:1000",
        environment=[{"name": "A", "value": "1"}],
        environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/x.env"}],
        dockerLabels={"a": "b"},
        ulimits=[{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
        linuxParameters={
            "initProcessEnabled": True,
            "capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]},
            "tmpfs": [{"containerPath": "/t", "size": 16}],
        },
        systemControls=[{"namespace": "net.core.somaxconn", "value": "1024"}],
        readonlyRootFilesystem=True,
        interactive=True,
        pseudoTerminal=True,
        startTimeout=30,
        stopTimeout=120,
        versionConsistency="disabled",
        restartPolicy={"enabled": True, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
        secrets=[{"name": "S", "valueFrom": "arn:aws:ssm:eu-west-1:111122223333:parameter/x"}],
        logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
        repositoryCredentials={"credentialsParameter": "arn:aws:secretsmanager:::secret:x"},
        portMappings=[
            {
                "containerPort": 80,
                "hostPort": 80,
                "protocol": "tcp",
                "name": "http",
                "appProtocol": "http2",
            }
        ],
        healthCheck={
            "command": ["CMD-SHELL", "x"],
            "interval": 5,
            "timeout": 60,
            "retries": 10,
            "startPeriod": 300,
        },
    )
    | {"executionRoleArn": ROLE},
    "bridge": on(
        BRIDGE,
        memoryReservation=32,
        links=["other:o"],
        hostname="h",
        dnsServers=["1.1.1.1"],
        dnsSearchDomains=["x.y"],
        extraHosts=[{"hostname": "h", "ipAddress": "1.2.3.4"}],
        dockerSecurityOptions=["no-new-privileges"],
        privileged=True,
        disableNetworking=False,
        resourceRequirements=GPU,
        credentialSpecs=["credentialspec:arn:aws:ssm:::parameter/x"],
        linuxParameters={
            "devices": [{"hostPath": "/dev/x", "permissions": ["read"]}],
            "sharedMemorySize": 64,
            "maxSwap": 0,
            "swappiness": 100,
        },
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_every_member_of_a_container_is_kept(ecs: Any, register: Any, case: str) -> None:
    """What is sent is described, member by member."""
    change = KEPT[case]
    ecs.call("RegisterTaskDefinition", **register(**change))
    shown = ecs.call("DescribeTaskDefinition", taskDefinition="web")["taskDefinition"]
    described = shown["containerDefinitions"][0]
    assert {key: described[key] for key in change["container"]} == change["container"]


TASK_KEPT: dict[str, dict[str, Any]] = {
    "roles": {"taskRoleArn": ROLE, "executionRoleArn": ROLE},
    "disk": {"ephemeralStorage": {"sizeInGiB": 200}},
    "platform": {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
    "windows": {"cpu": "1024", "memory": "2048"} | WINDOWS,
    "fault-injection": {"enableFaultInjection": True},
    "pids": {"pidMode": "task"},
    "proxy": proxy("app") | {"networkMode": "awsvpc"},
    "external": on(EC2 | {"requiresCompatibilities": ["EXTERNAL"], "networkMode": "bridge"}),
    "ipc": on(BRIDGE | {"ipcMode": "host", "pidMode": "host"}),
    "constraints": on(BRIDGE | {"placementConstraints": [CONSTRAINT] * 10}),
    "host": on(HOST),
    "none": on(EC2 | {"networkMode": "none"}, portMappings=[]),
    "at-launch": {"volumes": [{"name": "v", "configuredAtLaunch": True}]},
    "docker": on(BRIDGE)
    | {
        "volumes": [
            {
                "name": "v",
                "dockerVolumeConfiguration": {
                    "scope": "shared",
                    "autoprovision": True,
                    "driver": "local",
                    "driverOpts": {"a": "b"},
                    "labels": {"c": "d"},
                },
            }
        ]
    },
    "efs": efs(
        rootDirectory="/",
        transitEncryption="ENABLED",
        transitEncryptionPort=2999,
        authorizationConfig={"accessPointId": "fsap-1", "iam": "ENABLED"},
    ),
    "unmounted-volume": {"volumes": [{"name": "v", "host": {}}]},
}


@pytest.mark.parametrize("case", TASK_KEPT)
def test_every_member_of_a_task_is_kept(ecs: Any, register: Any, case: str) -> None:
    """What is sent is answered and described alike."""
    change = TASK_KEPT[case]
    answer = ecs.call("RegisterTaskDefinition", **register(**change))["taskDefinition"]
    shown = ecs.call("DescribeTaskDefinition", taskDefinition="web:2")["taskDefinition"]
    assert shown == answer
    sent = {key: value for key, value in change.items() if key != "container" and value is not None}
    assert {key: shown[key] for key in sent} == sent


MODES = {
    "awsvpc-fargate": ({}, ["EC2", "FARGATE", "MANAGED_INSTANCES"]),
    "awsvpc-without-size": (EC2 | one(memory=64), ["EC2"]),
    "privileged": (
        {"requiresCompatibilities": ["EC2"]} | one(privileged=True),
        ["EC2", "MANAGED_INSTANCES"],
    ),
    "logs-without-role": (
        {"requiresCompatibilities": ["EC2"]} | one(logConfiguration={"logDriver": "awslogs"}),
        ["EC2", "MANAGED_INSTANCES"],
    ),
    "bridge": (on(BRIDGE), ["EC2", "EXTERNAL"]),
    "host": (on(HOST), ["EC2", "EXTERNAL"]),
}


@pytest.mark.parametrize("case", MODES)
def test_compatibilities(ecs: Any, register: Any, case: str) -> None:
    """What the definition could run on, whatever it asked for; nothing asked: nothing answered."""
    change, expected = MODES[case]
    shown = ecs.call("RegisterTaskDefinition", **register(**change))["taskDefinition"]
    assert shown["compatibilities"] == expected
    change = change | {"requiresCompatibilities": None}
    shown = ecs.call("RegisterTaskDefinition", **register(**change))["taskDefinition"]
    assert "requiresCompatibilities" not in shown


ATTRIBUTES: dict[str, tuple[dict[str, Any], str]] = {
    "interface": ({}, "ecs.capability.task-eni"),
    "task-role": ({"taskRoleArn": ROLE}, "com.amazonaws.ecs.capability.task-iam-role"),
    "logs": (
        on(BRIDGE, logConfiguration={"logDriver": "syslog"}),
        "com.amazonaws.ecs.capability.logging-driver.syslog",
    ),
    "logs-by-role": (
        one(logConfiguration={"logDriver": "awslogs"}) | {"executionRoleArn": ROLE},
        "ecs.capability.execution-role-awslogs",
    ),
    "secret": (
        one(secrets=[{"name": "A", "valueFrom": "arn:aws:secretsmanager:::secret:x"}])
        | {"executionRoleArn": ROLE},
        "ecs.capability.secrets.asm.environment-variables",
    ),
    "parameter": (
        one(secrets=[{"name": "A", "valueFrom": "arn:aws:ssm:::parameter/x"}]) | {"executionRoleArn": ROLE},
        "ecs.capability.secrets.ssm.environment-variables",
    ),
    "health": (health(), "ecs.capability.container-health-check"),
    "privileged": (on(BRIDGE, privileged=True), "com.amazonaws.ecs.capability.privileged-container"),
    "efs": (efs(), "ecs.capability.efs"),
    "efs-access": (
        efs(transitEncryption="ENABLED", authorizationConfig={"iam": "ENABLED"}),
        "ecs.capability.efsAuth",
    ),
    "pids": ({"pidMode": "task"}, "ecs.capability.pid-ipc-namespace-sharing"),
    "order": (
        many({}, {"dependsOn": [{"containerName": "c0", "condition": "START"}]}),
        "ecs.capability.container-ordering",
    ),
}


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes_that_an_instance_must_have(ecs: Any, register: Any, case: str) -> None:
    """The agent's capabilities by the names of amazon-ecs-agent, none of them twice."""
    change, name = ATTRIBUTES[case]
    shown = ecs.call("RegisterTaskDefinition", **register(**change))["taskDefinition"]
    names = [item["name"] for item in shown["requiresAttributes"]]
    assert name in names
    assert len(names) == len(set(names))
