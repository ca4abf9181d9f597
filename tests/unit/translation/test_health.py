"""Probes, target groups and task definitions of one's own: what load balancers will ask."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from api_samples import EXECUTION_ROLE, SUBNETS, deployment, spec_field, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import Translated, translate
from translation_cases import CONTEXT, PORT

CONTAINER = "spec.containers[]"


def _translate(obj: dict[str, Any]) -> Translated:
    return translate(parse_deployment(obj), CONTEXT)


def _groups(*groups: dict[str, Any], base: dict[str, Any] = PORT) -> dict[str, Any]:
    return spec_field("ecs.targetGroups", list(groups), base)


def test_a_port_without_a_probe_is_up_when_it_answers() -> None:
    """Kubernetes would send to it at once; a load balancer at least wants an answer below 500."""
    (port,) = _translate(PORT).ports
    assert port.health_check == {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/",
        "HealthCheckPort": "traffic-port",
        "Matcher": {"HttpCode": "200-499"},
    }


CLAMPED = {
    "exported defaults are silent": (
        {"periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1},
        (10, 2, 2, 3),
        0,
    ),
    "too often": ({"periodSeconds": 3}, (5, 2, 2, 3), 1),
    "too many failures": ({"failureThreshold": 30}, (10, 2, 2, 10), 1),
    "timeout as long as the period": ({"periodSeconds": 5, "timeoutSeconds": 5}, (6, 5, 2, 3), 1),
}


@pytest.mark.parametrize(("probe", "numbers", "warnings"), CLAMPED.values(), ids=CLAMPED)
def test_numbers_are_brought_into_aws_ranges(
    probe: dict[str, int], numbers: tuple[int, ...], warnings: int
) -> None:
    """A number that a person wrote and AWS refuses is changed and told."""
    obj = with_field(f"{CONTAINER}.readinessProbe", {"httpGet": {"port": 8080}} | probe, PORT)
    translated = _translate(obj)
    check = translated.ports[0].health_check
    assert numbers == (
        check["HealthCheckIntervalSeconds"],
        check["HealthCheckTimeoutSeconds"],
        check["HealthyThresholdCount"],
        check["UnhealthyThresholdCount"],
    )
    assert len(translated.warnings) == warnings


def test_a_probe_on_an_unknown_port_name_is_refused() -> None:
    """At the probe's port."""
    obj = with_field(f"{CONTAINER}.readinessProbe.httpGet.port", "web", PORT)
    with pytest.raises(Refused, match=r"readinessProbe\.httpGet\.port: container app has no port"):
        _translate(obj)


def test_a_grpc_probe_of_another_port_leaves_this_one_http() -> None:
    """A target group of HTTP1 cannot be asked by gRPC."""
    obj = with_field(f"{CONTAINER}.readinessProbe.grpc.port", 9090, PORT)
    (port,) = _translate(obj).ports
    assert port.protocol_version == "HTTP1"
    assert port.health_check["Matcher"] == {"HttpCode": "200-499"}


def test_target_groups_refine_what_probes_say() -> None:
    """Every member of ecs.targetGroups wins over the probe and lands in the port it names."""
    check = {"path": "/deep", "intervalSeconds": 20, "healthyThresholdCount": 5, "matcher": "200", "port": 9}
    obj = _groups(
        {
            "port": "http",
            "healthCheck": check,
            "deregistrationDelaySeconds": 5,
            "attributes": {"slow_start.duration_seconds": "30"},
        }
    )
    (port,) = _translate(obj).ports
    assert port.health_check == {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPath": "/deep",
        "HealthCheckPort": "9",
        "HealthCheckIntervalSeconds": 20,
        "HealthyThresholdCount": 5,
        "Matcher": {"HttpCode": "200"},
    }
    assert port.attributes == {
        "deregistration_delay.timeout_seconds": "5",
        "slow_start.duration_seconds": "30",
    }


@pytest.mark.parametrize("again", ["http", 8080], ids=["by name", "by number"])
def test_one_entry_for_a_port(again: str | int) -> None:
    """Two entries for one port would be mixed member by member: refused, and which two it are."""
    obj = _groups({"port": "http"}, {"port": again, "deregistrationDelaySeconds": 5})
    with pytest.raises(Refused) as refusal:
        _translate(obj)
    assert "spec.ecs.targetGroups[1].port: targetGroups[0] is about the same port" in refusal.value.message


def test_protocol_version_grpc_brings_its_own_check() -> None:
    """Elastic Load Balancing takes gRPC codes only with protocol version GRPC."""
    (port,) = _translate(_groups({"port": 8080, "protocolVersion": "GRPC"})).ports
    assert port.protocol_version == "GRPC"
    assert port.health_check["Matcher"] == {"GrpcCode": "0"}
    assert port.health_check["HealthCheckPath"] == "/grpc.health.v1.Health/Check"


BAD_GROUPS = {
    "unknown port": (
        {"port": "https"},
        "spec.ecs.targetGroups[0].port: no container has that TCP port; there are: http",
    ),
    "timeout not below interval": (
        {"port": "http", "healthCheck": {"intervalSeconds": 5, "timeoutSeconds": 5}},
        "must be less than the interval",
    ),
    "delay twice": (
        {
            "port": "http",
            "deregistrationDelaySeconds": 5,
            "attributes": {"deregistration_delay.timeout_seconds": "9"},
        },
        "say it once",
    ),
}


@pytest.mark.parametrize(("group", "text"), BAD_GROUPS.values(), ids=BAD_GROUPS)
def test_a_bad_target_group_setting_is_refused(group: dict[str, Any], text: str) -> None:
    """Before AWS refuses it, at its field."""
    with pytest.raises(Refused) as refusal:
        _translate(_groups(group))
    assert text in refusal.value.message


def test_an_interval_below_the_default_timeout_lowers_the_timeout() -> None:
    """AWS's default timeout of 5 seconds does not fit an interval of 5."""
    (port,) = _translate(_groups({"port": "http", "healthCheck": {"intervalSeconds": 5}})).ports
    assert port.health_check["HealthCheckTimeoutSeconds"] == 4


def test_liveness_exec_is_the_check_and_a_second_one_is_told() -> None:
    """ECS has one check in a container."""
    obj = with_field(f"{CONTAINER}.livenessProbe.exec.command", ["live"])
    obj = with_field(f"{CONTAINER}.readinessProbe.exec.command", ["ready"], obj)
    translated = _translate(obj)
    assert translated.body["containerDefinitions"][0]["healthCheck"]["command"] == ["CMD", "live"]
    assert any("livenessProbe's is used" in warning.text for warning in translated.warnings)


DEFINITION: dict[str, Any] = {
    "family": "theirs",
    "cpu": ".25 vCPU",
    "memory": "1 GB",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "tags": [{"key": "team", "value": "shop"}],
    "containerDefinitions": [
        {
            "name": "app",
            "image": "nginx",
            "portMappings": [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "udp"}],
        }
    ],
}


def test_a_task_definition_is_taken_as_it_is() -> None:
    """Only the family is Sluice's own (told); tags are apart; roles that are absent are filled in."""
    translated = _translate(deployment(template=None, taskDefinition=DEFINITION))
    body = {key: value for key, value in DEFINITION.items() if key != "tags"}
    assert translated.body == body | {"family": CONTEXT.family, "executionRoleArn": EXECUTION_ROLE}
    assert translated.tags == {"team": "shop"}
    assert [warning.path for warning in translated.warnings] == ["spec.taskDefinition.family"]
    assert [(port.name, port.container_port) for port in translated.ports] == [("http", 80)]
    assert translated.task_size is not None
    assert (translated.task_size.cpu, translated.task_size.memory) == (256, 1024)


def test_two_roles_for_one_task_are_refused() -> None:
    """The body's role and the one of ecs differ: nobody can tell which is meant."""
    body = DEFINITION | {"taskRoleArn": "arn:aws:iam::111122223333:role/a"}
    obj = spec_field(
        "ecs.taskRoleArn", "arn:aws:iam::111122223333:role/b", deployment(template=None, taskDefinition=body)
    )
    with pytest.raises(
        Refused, match=r"spec\.taskDefinition\.taskRoleArn: spec\.ecs\.taskRoleArn is another role"
    ):
        _translate(obj)


MISSING = {
    "subnets": (spec_field("ecs", {}), "spec.ecs.networkConfiguration: awsvpc tasks need"),
    "too many tags": (spec_field("ecs.tags", {f"k{index}": "v" for index in range(41)}), "41 tags"),
    "reserved label": (
        with_field("metadata.labels", {"sluice.dev/x": "y"}),
        "labels of sluice.dev/ are reserved",
    ),
    "unknown volume": (
        with_field("spec.containers[].volumeMounts[].name", "nothing"),
        "there is no such volume",
    ),
    "log driver of EC2": (
        spec_field("ecs.logging", {"driver": "syslog"}),
        "Fargate has awsfirelens, awslogs",
    ),
    "SCTP": (with_field(f"{CONTAINER}.ports[].protocol", "SCTP"), "ECS has TCP and UDP only"),
    "a group alone": (with_field(f"{CONTAINER}.securityContext.runAsGroup", 5), "set runAsUser too"),
    "a capability that Fargate lacks": (
        with_field(f"{CONTAINER}.securityContext.capabilities.add", ["NET_ADMIN"]),
        "Fargate adds only SYS_PTRACE",
    ),
    "memory volume without size": (with_field("spec.volumes[].emptyDir.medium", "Memory"), "set sizeLimit"),
    "too much storage": (with_field("spec.volumes[].emptyDir.sizeLimit", "300Gi"), "200 GiB at most"),
    "EFS without file system": (
        with_field("spec.volumes[].csi.volumeAttributes", {}),
        "fileSystemId is",
    ),
    "two pull secrets": (
        with_field("spec.imagePullSecrets", [{"name": "a"}, {"name": "b"}]),
        "one secret for each image",
    ),
}


@pytest.mark.parametrize(("obj", "text"), MISSING.values(), ids=MISSING)
def test_what_ecs_could_not_run_is_refused(obj: dict[str, Any], text: str) -> None:
    """A person reads it before AWS is asked."""
    with pytest.raises(Refused) as refusal:
        _translate(obj)
    assert text in refusal.value.message


def test_the_tenancy_may_give_the_subnets() -> None:
    """A manifest without a network configuration runs where the operator's configuration has one."""
    context = dataclasses.replace(CONTEXT, default_network_configuration=SUBNETS)
    assert translate(parse_deployment(spec_field("ecs", {})), context).body["networkMode"] == "awsvpc"
