"""One example for every line of docs/translation.md that needs one: what is written, what ECS gets."""

from __future__ import annotations

from typing import Any

from api_samples import EXECUTION_ROLE, spec_field, with_field
from sluice.plan.translation import Sources, TranslationContext

DB = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
CONTEXT = TranslationContext(
    namespace="shop",
    name="web",
    family="web-0123456789",
    region="eu-west-1",
    execution_role_arn=EXECUTION_ROLE,
    sources=Sources(
        config_maps={"config": {"data": {"a": "1", "b": "2"}}},
        secrets={
            "secret": {
                "metadata": {"annotations": {"sluice.dev/value-from": DB}},
                "data": {"a": "c2VjcmV0", "z": "c2VjcmV0"},
            },
            "pull": {"metadata": {"annotations": {"sluice.dev/value-from": DB}}},
        },
    ),
)
EC2 = spec_field(
    "ecs", {"launchType": "EC2", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}
)
CONTAINER = "spec.containers[]"
INIT = "spec.initContainers[]"
GET = f"{CONTAINER}.readinessProbe.httpGet"
PORT = with_field(f"{CONTAINER}.ports", [{"name": "http", "containerPort": 8080}])
READY = with_field(GET, {"port": 8080}, PORT)
LIVE = with_field(f"{CONTAINER}.livenessProbe.exec", {"command": ["true"]})
STARTING = with_field(f"{CONTAINER}.startupProbe.httpGet", {"port": 8080}, PORT)
MOUNTED = with_field(f"{CONTAINER}.volumeMounts[].name", "data", with_field("spec.volumes[].emptyDir", {}))
EFS = with_field("spec.volumes[].csi.driver", "efs.csi.aws.com")
SIDECAR = with_field(f"{INIT}.restartPolicy", "Always")
RESOURCE = f"{CONTAINER}.env[].valueFrom.resourceFieldRef"
GRACE, CHECK, TARGET = "grace", "container.healthCheck", "ports[0].health_check"
SECRET = [{"name": "X", "valueFrom": f"{DB}:a::"}]
VALUE = "container.environment[0].value"
CAPS = {"capabilities": {"drop": ["ALL"], "add": ["KILL"]}}
REST = [
    *["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"],
    *["SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
]

# (path, value, where to look, what is there[, the object to start from])
TRANSLATED: list[tuple[Any, ...]] = [
    ("metadata.labels", {"app": "web"}, "tags", {"app": "web"}),
    (f"{CONTAINER}", [{"name": "one", "image": "nginx"}], "container.[name,essential]", ["one", True]),
    (f"{CONTAINER}.name", "one", "container.name", "one"),
    (f"{CONTAINER}.image", "nginx:2", "container.image", "nginx:2"),
    (f"{CONTAINER}.command[]", ["sh", "-c"], "container.entryPoint", ["sh", "-c"]),
    (f"{CONTAINER}.args[]", ["serve", "$(X)", "$$(X)"], "container.command", ["serve", "$(X)", "$(X)"]),
    (f"{CONTAINER}.workingDir", "/srv", "container.workingDirectory", "/srv"),
    (f"{CONTAINER}.ports[]", [{"containerPort": 80}], "ports[0].container_port", 80),
    (f"{CONTAINER}.ports[].name", "http", "container.portMappings[0].name", "http"),
    (f"{CONTAINER}.ports[].containerPort", 81, "container.portMappings[0].containerPort", 81),
    (f"{CONTAINER}.ports[].protocol", "UDP", "[container.portMappings[0].protocol, ports]", ["udp", []]),
    (f"{CONTAINER}.env[]", [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}], VALUE, "1"),
    (f"{CONTAINER}.env[].name", "NAME", "container.environment[0].name", "NAME"),
    (f"{CONTAINER}.env[].value", "v", VALUE, "v"),
    (f"{CONTAINER}.env[].valueFrom.configMapKeyRef", {"name": "config", "key": "b"}, VALUE, "2"),
    (f"{CONTAINER}.env[].valueFrom.configMapKeyRef.name", "config", VALUE, "1"),
    (f"{CONTAINER}.env[].valueFrom.configMapKeyRef.key", "b", VALUE, "2"),
    (
        f"{CONTAINER}.env[].valueFrom.configMapKeyRef",
        {"name": "gone", "key": "a", "optional": True},
        "container.environment",
        None,
    ),
    (
        f"{CONTAINER}.env[].valueFrom.secretKeyRef",
        {"name": "secret", "key": "a"},
        "container.secrets",
        SECRET,
    ),
    (f"{CONTAINER}.env[].valueFrom.secretKeyRef.name", "secret", "container.secrets", SECRET),
    (f"{CONTAINER}.env[].valueFrom.secretKeyRef.key", "a", "container.secrets", SECRET),
    (
        f"{CONTAINER}.env[].valueFrom.secretKeyRef",
        {"name": "gone", "key": "a", "optional": True},
        "container.secrets",
        None,
    ),
    (f"{CONTAINER}.env[].valueFrom.fieldRef", {"fieldPath": "metadata.name"}, VALUE, "web"),
    (f"{CONTAINER}.env[].valueFrom.fieldRef.fieldPath", "metadata.namespace", VALUE, "shop"),
    (
        f"{CONTAINER}.env[].valueFrom.resourceFieldRef",
        {"resource": "limits.memory"},
        VALUE,
        str(512 * 1024**2),
    ),
    (f"{CONTAINER}.env[].valueFrom.resourceFieldRef.resource", "limits.cpu", VALUE, "1"),
    (
        f"{CONTAINER}.env[].valueFrom.resourceFieldRef",
        {"resource": "limits.cpu", "divisor": "1m"},
        VALUE,
        "250",
    ),
    (
        f"{CONTAINER}.env[].valueFrom.resourceFieldRef",
        {"resource": "requests.cpu", "containerName": "app", "divisor": "1m"},
        VALUE,
        "0",
    ),
    (
        f"{CONTAINER}.envFrom[]",
        [{"configMapRef": {"name": "config"}}],
        "container.environment[].value",
        ["1", "2"],
    ),
    (
        f"{CONTAINER}.envFrom[]",
        [{"prefix": "P_", "configMapRef": {"name": "config"}}],
        "container.environment[0].name",
        "P_a",
    ),
    (f"{CONTAINER}.envFrom[].configMapRef", {"name": "config"}, "container.environment[].name", ["a", "b"]),
    (f"{CONTAINER}.envFrom[].configMapRef.name", "config", "container.environment[].name", ["a", "b"]),
    (
        f"{CONTAINER}.envFrom[].configMapRef",
        {"name": "gone", "optional": True},
        "container.environment",
        None,
    ),
    (f"{CONTAINER}.envFrom[].secretRef", {"name": "secret"}, "container.secrets[].name", ["a", "z"]),
    (f"{CONTAINER}.envFrom[].secretRef.name", "secret", "container.secrets[1].valueFrom", f"{DB}:z::"),
    (f"{CONTAINER}.envFrom[].secretRef", {"name": "gone", "optional": True}, "container.secrets", None),
    (f"{CONTAINER}.resources", {"requests": {"cpu": "2"}}, "size.[cpu, memory]", [2048, 4096]),
    (
        f"{CONTAINER}.resources.requests",
        {"cpu": "500m", "memory": "1500Mi"},
        "[container.cpu, container.memoryReservation || container.memory, size.memory]",
        [512, 1500, 2048],
    ),
    (f"{CONTAINER}.resources.limits", {"memory": "1Gi"}, "container.memory", 1024),
    (GET, {"port": 8080}, f"{TARGET}.Matcher.HttpCode", "200-399", PORT),
    (f"{GET}.path", "/ok", f"{TARGET}.HealthCheckPath", "/ok", READY),
    (f"{GET}.port", 9090, f"{TARGET}.HealthCheckPort", "9090", READY),
    (f"{GET}.port", "http", f"{TARGET}.HealthCheckPort", "traffic-port", READY),
    (f"{GET}.scheme", "HTTPS", f"{TARGET}.HealthCheckProtocol", "HTTPS", READY),
    (f"{CONTAINER}.readinessProbe.tcpSocket", {"port": 8080}, f"{TARGET}.Matcher.HttpCode", "200-499", PORT),
    (f"{CONTAINER}.readinessProbe.tcpSocket.port", 9, f"{TARGET}.HealthCheckPort", "9", PORT),
    (f"{CONTAINER}.readinessProbe.grpc", {"port": 8080}, "ports[0].protocol_version", "GRPC", PORT),
    (f"{CONTAINER}.readinessProbe.grpc.port", 8080, f"{TARGET}.Matcher.GrpcCode", "0", PORT),
    (f"{CONTAINER}.readinessProbe.initialDelaySeconds", 7, GRACE, 7, READY),
    (f"{CONTAINER}.readinessProbe.periodSeconds", 9, f"{TARGET}.HealthCheckIntervalSeconds", 9, READY),
    (f"{CONTAINER}.readinessProbe.timeoutSeconds", 4, f"{TARGET}.HealthCheckTimeoutSeconds", 4, READY),
    (f"{CONTAINER}.readinessProbe.successThreshold", 3, f"{TARGET}.HealthyThresholdCount", 3, READY),
    (f"{CONTAINER}.readinessProbe.failureThreshold", 4, f"{TARGET}.UnhealthyThresholdCount", 4, READY),
    (f"{CONTAINER}.readinessProbe.exec.command[]", ["ok"], f"{CHECK}.command", ["CMD", "ok"]),
    (f"{CONTAINER}.livenessProbe.exec", {"command": ["ok"]}, f"{CHECK}.command", ["CMD", "ok"]),
    (f"{CONTAINER}.livenessProbe.exec.command[]", ["a", "b"], f"{CHECK}.command", ["CMD", "a", "b"]),
    (f"{CONTAINER}.livenessProbe.initialDelaySeconds", 20, f"{CHECK}.startPeriod", 20, LIVE),
    (f"{CONTAINER}.livenessProbe.periodSeconds", 20, f"{CHECK}.interval", 20, LIVE),
    (f"{CONTAINER}.livenessProbe.timeoutSeconds", 20, f"{CHECK}.timeout", 20, LIVE),
    (f"{CONTAINER}.livenessProbe.successThreshold", 1, f"{CHECK}.retries", 3, LIVE),
    (f"{CONTAINER}.livenessProbe.failureThreshold", 5, f"{CHECK}.retries", 5, LIVE),
    (
        f"{CONTAINER}.livenessProbe.httpGet",
        {"port": 8080, "path": "/live", "scheme": "HTTP"},
        f"{TARGET}.HealthCheckPath",
        "/live",
        PORT,
    ),
    (f"{CONTAINER}.livenessProbe.httpGet.path", "/live", f"{TARGET}.HealthCheckPath", "/live", PORT),
    (f"{CONTAINER}.livenessProbe.httpGet.port", 9, f"{TARGET}.HealthCheckPort", "9", PORT),
    (f"{CONTAINER}.livenessProbe.httpGet.scheme", "HTTPS", f"{TARGET}.HealthCheckProtocol", "HTTPS", PORT),
    (f"{CONTAINER}.livenessProbe.tcpSocket.port", 9, f"{TARGET}.HealthCheckPort", "9", PORT),
    (f"{CONTAINER}.livenessProbe.grpc.port", 8080, "ports[0].protocol_version", "GRPC", PORT),
    (f"{CONTAINER}.startupProbe.exec", {"command": ["a"]}, GRACE, 30),
    (f"{CONTAINER}.startupProbe.exec.command[]", ["a"], GRACE, 30),
    (f"{CONTAINER}.startupProbe.httpGet", {"port": 1}, GRACE, 30),
    (f"{CONTAINER}.startupProbe.httpGet.path", "/x", GRACE, 30),
    (f"{CONTAINER}.startupProbe.httpGet.port", 1, GRACE, 30),
    (f"{CONTAINER}.startupProbe.httpGet.scheme", "HTTP", GRACE, 30),
    (f"{CONTAINER}.startupProbe.tcpSocket", {"port": 1}, GRACE, 30),
    (f"{CONTAINER}.startupProbe.tcpSocket.port", 1, GRACE, 30),
    (f"{CONTAINER}.startupProbe.grpc", {"port": 1}, GRACE, 30),
    (f"{CONTAINER}.startupProbe.grpc.port", 1, GRACE, 30),
    (f"{CONTAINER}.startupProbe.initialDelaySeconds", 5, GRACE, 35, STARTING),
    (f"{CONTAINER}.startupProbe.periodSeconds", 5, GRACE, 15, STARTING),
    (f"{CONTAINER}.startupProbe.failureThreshold", 60, GRACE, 600, STARTING),
    (f"{CONTAINER}.securityContext.runAsUser", 0, "container.user", "0"),
    (f"{CONTAINER}.securityContext", {"runAsUser": 5, "runAsGroup": 6}, "container.user", "5:6"),
    (f"{CONTAINER}.securityContext.readOnlyRootFilesystem", True, "container.readonlyRootFilesystem", True),
    (f"{CONTAINER}.securityContext.privileged", True, "container.privileged", True, EC2),
    (f"{CONTAINER}.securityContext", CAPS, "container.linuxParameters.capabilities", {"drop": REST}),
    (
        f"{CONTAINER}.securityContext.capabilities",
        {"add": ["SYS_PTRACE"]},
        "container.linuxParameters.capabilities.add",
        ["SYS_PTRACE"],
    ),
    (
        f"{CONTAINER}.securityContext.capabilities.add[]",
        ["CAP_NET_ADMIN"],
        "container.linuxParameters.capabilities.add",
        ["NET_ADMIN"],
        EC2,
    ),
    (
        f"{CONTAINER}.securityContext.capabilities.drop[]",
        ["ALL"],
        "container.linuxParameters.capabilities.drop",
        ["ALL"],
    ),
    (
        f"{CONTAINER}.securityContext.allowPrivilegeEscalation",
        False,
        "container.dockerSecurityOptions",
        ["no-new-privileges"],
        EC2,
    ),
    (
        f"{CONTAINER}.volumeMounts[]",
        [{"name": "data", "mountPath": "/d"}],
        "length(container.mountPoints)",
        1,
        MOUNTED,
    ),
    (f"{CONTAINER}.volumeMounts[].name", "data", "container.mountPoints[0].sourceVolume", "data", MOUNTED),
    (f"{CONTAINER}.volumeMounts[].mountPath", "/d", "container.mountPoints[0].containerPath", "/d", MOUNTED),
    (f"{CONTAINER}.volumeMounts[].readOnly", True, "container.mountPoints[0].readOnly", True, MOUNTED),
    (f"{CONTAINER}.stdin", True, "container.interactive", True),
    (f"{CONTAINER}.tty", True, "container.pseudoTerminal", True),
    (INIT, [{"name": "one", "image": "x"}], "init.essential", False),
    (f"{INIT}.image", "x", "container.dependsOn", [{"containerName": "init", "condition": "SUCCESS"}]),
    (f"{INIT}.resources", {"requests": {"memory": "3Gi"}}, "[size.memory, init.memory]", [3072, None]),
    (
        f"{INIT}.restartPolicy",
        "Always",
        "[init.restartPolicy.enabled, container.dependsOn[0].condition]",
        [True, "START"],
    ),
    ("spec.volumes[]", [{"name": "v", "emptyDir": {}}], "body.volumes", [{"name": "v"}]),
    ("spec.volumes[].name", "v", "body.volumes[0].name", "v"),
    ("spec.volumes[].emptyDir", {}, "body.volumes", [{"name": "data"}]),
    (
        "spec.volumes[].emptyDir",
        {"medium": "Memory", "sizeLimit": "64Mi"},
        "[body.volumes, container.linuxParameters.tmpfs]",
        [None, [{"containerPath": "/data", "size": 64}]],
        MOUNTED,
    ),
    ("spec.volumes[].emptyDir.sizeLimit", "30Gi", "body.ephemeralStorage.sizeInGiB", 30),
    (
        "spec.volumes[].csi",
        {"driver": "efs.csi.aws.com", "volumeAttributes": {"fileSystemId": "fs-1"}},
        "body.volumes[0].efsVolumeConfiguration.fileSystemId",
        "fs-1",
    ),
    (
        "spec.volumes[].csi.volumeAttributes",
        {"fileSystemId": "fs-2", "iam": "true"},
        "body.volumes[0].efsVolumeConfiguration.transitEncryption",
        "ENABLED",
        EFS,
    ),
    (
        "spec.volumes[].csi.readOnly",
        True,
        "container.mountPoints[0].readOnly",
        True,
        with_field(f"{CONTAINER}.volumeMounts[].name", "data", EFS),
    ),
    ("spec.securityContext.runAsUser", 7, "container.user", "7"),
    ("spec.securityContext", {"runAsUser": 7, "runAsGroup": 8}, "container.user", "7:8"),
    (
        "spec.securityContext.sysctls[]",
        [{"name": "net.core.somaxconn", "value": "1024"}],
        "container.systemControls",
        [{"namespace": "net.core.somaxconn", "value": "1024"}],
    ),
    ("spec.securityContext.sysctls[].name", "kernel.x", "container.systemControls[0].namespace", "kernel.x"),
    ("spec.securityContext.sysctls[].value", "9", "container.systemControls[0].value", "9"),
    ("spec.serviceAccountName", "web", "body.taskRoleArn", None),
    ("spec.terminationGracePeriodSeconds", 60, "container.stopTimeout", 60),
    (
        "spec.imagePullSecrets[]",
        [{"name": "pull"}],
        "container.repositoryCredentials.credentialsParameter",
        DB,
    ),
    ("spec.imagePullSecrets[].name", "pull", "container.repositoryCredentials.credentialsParameter", DB),
    ("spec.shareProcessNamespace", True, "body.pidMode", "task"),
    ("spec.resources", {"requests": {"cpu": "1", "memory": "2Gi"}}, "[size.cpu, size.memory]", [1024, 2048]),
    ("spec.resources.requests", {"cpu": "1"}, "size.cpu", 1024),
    ("spec.resources.limits", {"memory": "2Gi"}, "size.memory", 2048),
    ("spec.hostNetwork", True, "body.networkMode", "host", EC2),
    ("spec.hostPID", True, "body.pidMode", "host", EC2),
    ("spec.hostIPC", True, "body.ipcMode", "host", EC2),
]
COVERED_BY = {
    f"{CONTAINER}.env[].valueFrom.configMapKeyRef.optional": f"{CONTAINER}.env[].valueFrom.configMapKeyRef",
    f"{CONTAINER}.env[].valueFrom.secretKeyRef.optional": f"{CONTAINER}.env[].valueFrom.secretKeyRef",
    f"{RESOURCE}.containerName": RESOURCE,
    f"{RESOURCE}.divisor": RESOURCE,
    f"{CONTAINER}.envFrom[].prefix": f"{CONTAINER}.envFrom[]",
    f"{CONTAINER}.envFrom[].configMapRef.optional": f"{CONTAINER}.envFrom[].configMapRef",
    f"{CONTAINER}.envFrom[].secretRef.optional": f"{CONTAINER}.envFrom[].secretRef",
    f"{CONTAINER}.securityContext.runAsGroup": f"{CONTAINER}.securityContext",
    "spec.securityContext.runAsGroup": "spec.securityContext",
    "spec.volumes[].emptyDir.medium": "spec.volumes[].emptyDir",
}
"""Fields that mean nothing alone: the case of their parent sets them."""

# (path, value, text[, the object to start from])
CONDITIONAL: list[tuple[Any, ...]] = [
    (f"{CONTAINER}.ports[].hostPort", 80, "refused", "a task has its own address; remove hostPort"),
    (
        f"{CONTAINER}.resources.limits",
        {"cpu": "1"},
        "warned",
        "ECS has no CPU limit of a container",
        with_field(f"{CONTAINER}.resources.requests", {"cpu": "500m"}),
    ),
    (f"{CONTAINER}.securityContext.privileged", True, "refused", "Fargate runs no privileged containers"),
    (
        f"{CONTAINER}.securityContext.allowPrivilegeEscalation",
        False,
        "warned",
        "Fargate has no no-new-privileges",
    ),
    (f"{INIT}.resources", {"limits": {"memory": "1Gi"}}, "warned", "the task's size bounds it"),
    (
        f"{INIT}.readinessProbe",
        {"exec": {"command": ["a"]}},
        "refused",
        "an init container that ends takes no probes",
    ),
    (
        f"{INIT}.livenessProbe",
        {"exec": {"command": ["a"]}},
        "refused",
        "an init container that ends takes no probes",
    ),
    (
        f"{INIT}.startupProbe",
        {"exec": {"command": ["a"]}},
        "refused",
        "an init container that ends takes no probes",
    ),
    (
        "spec.resources.limits",
        {"cpu": "2"},
        "warned",
        "ECS has no CPU limit of a container",
        with_field("spec.resources.requests", {"cpu": "1"}),
    ),
    ("spec.securityContext.fsGroup", 1, "warned", "ECS changes no ownership of volumes", MOUNTED),
    ("spec.serviceAccountName", "web", "warned", "no AWS role belongs to it"),
    ("spec.terminationGracePeriodSeconds", 121, "refused", "Fargate waits 120 seconds at most"),
    ("spec.hostNetwork", True, "refused", "remove hostNetwork"),
    ("spec.hostPID", True, "refused", "remove hostPID"),
    ("spec.hostIPC", True, "refused", "remove hostIPC"),
]
