"""`ecs.targetGroups` beside probes: which of the two says what a target group asks."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import Json, deployment, spec_field, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import PortSpec, Translated, translate
from translation_cases import CONTAINER, CONTEXT, PORT, READY

ANY = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPath": "/",
    "HealthCheckPort": "traffic-port",
    "Matcher": {"HttpCode": "200-499"},
}
NUMBERS = {
    "HealthCheckIntervalSeconds": 10,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 3,
}
PROBED = ANY | {"Matcher": {"HttpCode": "200-399"}} | NUMBERS
GRPC = ANY | {"HealthCheckPath": "/grpc.health.v1.Health/Check", "Matcher": {"GrpcCode": "0"}}
GRPC_PORT = with_field(f"{CONTAINER}.readinessProbe.grpc.port", 8080, PORT)


def _translate(obj: Json) -> Translated:
    return translate(parse_deployment(obj), CONTEXT)


def _port(base: Json, **settings: Any) -> PortSpec:
    (port,) = _translate(spec_field("ecs.targetGroups", [{"port": 8080} | settings], base)).ports
    return port


VERSIONS: dict[str, tuple[Json, Json, str, Json]] = {
    "nothing said": (PORT, {}, "HTTP1", ANY),
    "HTTP2 keeps the check": (PORT, {"protocolVersion": "HTTP2"}, "HTTP2", ANY),
    "HTTP2 keeps a probe's check": (READY, {"protocolVersion": "HTTP2"}, "HTTP2", PROBED),
    "the same version keeps a probe's check": (READY, {"protocolVersion": "HTTP1"}, "HTTP1", PROBED),
    "GRPC asks the gRPC way": (PORT, {"protocolVersion": "GRPC"}, "GRPC", GRPC),
    "GRPC keeps a probe's numbers": (READY, {"protocolVersion": "GRPC"}, "GRPC", GRPC | NUMBERS),
    "a gRPC probe is GRPC": (GRPC_PORT, {}, "GRPC", GRPC | NUMBERS),
    "HTTP1 cannot ask the gRPC way": (GRPC_PORT, {"protocolVersion": "HTTP1"}, "HTTP1", ANY | NUMBERS),
    "a matcher of HTTP codes": (
        PORT,
        {"healthCheck": {"matcher": "200,202"}},
        "HTTP1",
        ANY | {"Matcher": {"HttpCode": "200,202"}},
    ),
    "a matcher of gRPC codes": (
        PORT,
        {"protocolVersion": "GRPC", "healthCheck": {"matcher": "0-5"}},
        "GRPC",
        GRPC | {"Matcher": {"GrpcCode": "0-5"}},
    ),
}


@pytest.mark.parametrize(("base", "settings", "version", "check"), VERSIONS.values(), ids=VERSIONS)
def test_the_protocol_version_and_the_check_that_fits_it(
    base: Json, settings: Json, version: str, check: Json
) -> None:
    """Elastic Load Balancing takes gRPC codes with GRPC only, and HTTP codes with the others."""
    port = _port(base, **settings)
    assert (port.protocol_version, port.health_check) == (version, check)
    assert port.attributes == {}


TIMEOUTS: dict[str, tuple[Json, Json, Json]] = {
    "the interval that AWS fills in": (PORT, {"timeoutSeconds": 29}, {"HealthCheckTimeoutSeconds": 29}),
    "the timeout that AWS fills in": (PORT, {"intervalSeconds": 6}, {"HealthCheckIntervalSeconds": 6}),
    "the timeout that AWS fills in is too long": (
        PORT,
        {"intervalSeconds": 5},
        {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4},
    ),
    "a probe's timeout is too long": (
        with_field(f"{CONTAINER}.readinessProbe.timeoutSeconds", 9, READY),
        {"intervalSeconds": 9},
        {"HealthCheckIntervalSeconds": 9, "HealthCheckTimeoutSeconds": 8},
    ),
    "both written": (
        PORT,
        {"intervalSeconds": 6, "timeoutSeconds": 5},
        {"HealthCheckIntervalSeconds": 6, "HealthCheckTimeoutSeconds": 5},
    ),
}


@pytest.mark.parametrize(("base", "check", "members"), TIMEOUTS.values(), ids=TIMEOUTS)
def test_a_timeout_is_less_than_the_interval(base: Json, check: Json, members: Json) -> None:
    """A timeout that a person did not write here gives way to the interval that they did write."""
    found = _port(base, healthCheck=check).health_check
    names = ("HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds")
    assert {name: found[name] for name in names if name in found} == members


@pytest.mark.parametrize(
    "check",
    [{"timeoutSeconds": 30}, {"timeoutSeconds": 6, "intervalSeconds": 6}],
    ids=["the interval that AWS fills in", "both written"],
)
def test_a_timeout_that_a_person_wrote_too_long_is_refused(check: Json) -> None:
    """Nothing that was written is changed in silence."""
    with pytest.raises(Refused) as refusal:
        _port(PORT, healthCheck=check)
    assert refusal.value.message == (
        "spec.ecs.targetGroups[0].healthCheck.timeoutSeconds: must be less than the interval"
    )


def test_the_delay_is_said_once() -> None:
    """As deregistrationDelaySeconds or as the attribute, not as both; 0 is a delay."""
    key = "deregistration_delay.timeout_seconds"
    assert _port(PORT, deregistrationDelaySeconds=0).attributes == {key: "0"}
    assert _port(PORT, attributes={key: "7"}).attributes == {key: "7"}
    with pytest.raises(Refused) as refusal:
        _port(PORT, deregistrationDelaySeconds=7, attributes={key: "7"})
    assert refusal.value.message == (
        f"spec.ecs.targetGroups[0].attributes[{key}]: is deregistrationDelaySeconds; say it once"
    )


def _containers(*ports: list[dict[str, Any]], **members: Any) -> Json:
    containers = [{"name": f"c{index}", "image": "x", "ports": found} for index, found in enumerate(ports)]
    return deployment(template={"spec": {"containers": containers} | members})


def test_one_name_for_one_port_of_all_containers() -> None:
    """A route that names it could mean either of them; ports without a name are told by their numbers."""
    http = {"name": "http", "containerPort": 8080}
    with pytest.raises(Refused) as refusal:
        _translate(_containers([http], [{"name": "http", "containerPort": 9090}]))
    assert refusal.value.message == (
        "spec.template.spec.containers: two ports are named http; routes need one meaning"
    )
    ports = _translate(_containers([http, {"containerPort": 81}], [{"containerPort": 82}])).ports
    assert [(port.name, port.container_name, port.container_port) for port in ports] == [
        ("http", "c0", 8080),
        ("", "c0", 81),
        ("", "c1", 82),
    ]


KNOWN = {
    "names and numbers": (
        _containers([{"name": "http", "containerPort": 80}, {"containerPort": 81}]),
        "http, 81",
    ),
    "none": (deployment(), "none"),
    "UDP is none": (_containers([{"containerPort": 53, "protocol": "UDP"}]), "none"),
}


@pytest.mark.parametrize(("base", "known"), KNOWN.values(), ids=KNOWN)
def test_settings_of_a_port_that_is_not_there_name_those_that_are(base: Json, known: str) -> None:
    """So that a person sees the typing mistake."""
    with pytest.raises(Refused) as refusal:
        _translate(spec_field("ecs.targetGroups", [{"port": 9}], base))
    assert refusal.value.message == (
        f"spec.ecs.targetGroups[0].port: no container has that TCP port; there are: {known}"
    )


def test_settings_of_a_number_are_about_every_port_of_that_number() -> None:
    """By name or by number: the ports that are not named stay as they were."""
    base = _containers([{"name": "http", "containerPort": 80}, {"name": "api", "containerPort": 81}])
    obj = spec_field("ecs.targetGroups", [{"port": "api", "deregistrationDelaySeconds": 5}], base)
    assert [(port.name, dict(port.attributes)) for port in _translate(obj).ports] == [
        ("http", {}),
        ("api", {"deregistration_delay.timeout_seconds": "5"}),
    ]


def test_a_sidecars_port_takes_requests_and_an_init_containers_does_not() -> None:
    """A proxy may run as a sidecar; what ends before the others begin answers nobody."""
    init = [
        {"name": "proxy", "image": "x", "restartPolicy": "Always", "ports": [{"containerPort": 81}]},
        {"name": "once", "image": "x", "ports": [{"containerPort": 82}]},
    ]
    ports = _translate(_containers([{"containerPort": 80}], initContainers=init)).ports
    assert [(port.container_name, port.container_port) for port in ports] == [("c0", 80), ("proxy", 81)]
