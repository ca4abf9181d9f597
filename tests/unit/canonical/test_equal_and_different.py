"""Where ECS makes a difference and where not: members that are left out, filled in, named or sorted."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.plan.canonical import (
    FieldDiff,
    canonical_definition,
    canonical_service,
    definition_hash,
    diff,
)

Json = dict[str, Any]
BRIDGE: Json = {"networkMode": "bridge"}


def _body(container: Json, **members: Any) -> Json:
    return {"containerDefinitions": [{"name": "app", "image": "nginx"} | container]} | members


def _ports(*mappings: Json) -> Json:
    return {"portMappings": list(mappings)}


def _volume(**members: Any) -> Json:
    return _body({}, volumes=[{"name": "data"} | members])


def _efs(**members: Any) -> Json:
    return _volume(efsVolumeConfiguration={"fileSystemId": "fs-1"} | members)


EQUAL: dict[str, tuple[Json, Json]] = {
    "no network mode is bridge": (_body({}), _body({}, **BRIDGE)),
    "no network mode is bridge for ports, too": (
        _body(_ports({"containerPort": 80, "hostPort": 8080})),
        _body(_ports({"containerPort": 80, "hostPort": 8080}), **BRIDGE),
    ),
    "a host port of the agent's choice": (
        _body(_ports({"containerPort": 80}), **BRIDGE),
        _body(_ports({"containerPort": 80, "hostPort": 0}), **BRIDGE),
    ),
    "a range of ports": (
        _body(_ports({"containerPortRange": "80-90"}), networkMode="awsvpc"),
        _body(_ports({"containerPortRange": "80-90", "protocol": "tcp"}), networkMode="awsvpc"),
    ),
    "essential that is null": (_body({"essential": None}), _body({})),
    "a volume of the definition": (_volume(configuredAtLaunch=False), _volume()),
    "EFS without IAM": (
        _efs(authorizationConfig={"accessPointId": "fsap-1"}, transitEncryption="ENABLED"),
        _efs(authorizationConfig={"accessPointId": "fsap-1", "iam": "DISABLED"}, transitEncryption="ENABLED"),
    ),
    "ports with and without a name, in any order": (
        _body(_ports({"containerPort": 80, "name": "http"}, {"containerPort": 81}, {"containerPort": 82})),
        _body(_ports({"containerPort": 82}, {"containerPort": 80, "name": "http"}, {"containerPort": 81})),
    ),
    "mounts in any order": (
        _body({"mountPoints": [{"sourceVolume": "a"}, {"sourceVolume": "b"}]}),
        _body({"mountPoints": [{"sourceVolume": "b"}, {"sourceVolume": "a"}]}),
    ),
}
DIFFERENT: dict[str, tuple[Json, Json]] = {
    "one CPU share is not none": (_body({}), _body({"cpu": 1})),
    "CPU shares": (_body({"cpu": 256}), _body({"cpu": 512})),
    "a host port": (
        _body(_ports({"containerPort": 80, "hostPort": 8080}), **BRIDGE),
        _body(_ports({"containerPort": 80, "hostPort": 8081}), **BRIDGE),
    ),
    "a volume that comes with each task": (_volume(configuredAtLaunch=True), _volume()),
    "EFS by IAM": (_efs(authorizationConfig={"iam": "ENABLED"}, transitEncryption="ENABLED"), _efs()),
    "half a vCPU": (_body({}, cpu=".5 vCPU"), _body({}, cpu="1 vCPU")),
    "the order of files of variables": (
        _body({"environmentFiles": [{"value": "a"}, {"value": "b"}]}),
        _body({"environmentFiles": [{"value": "b"}, {"value": "a"}]}),
    ),
    "a privileged container": (_body({"privileged": True}), _body({})),
    "fault injection": (_body({}, enableFaultInjection=True), _body({})),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_what_ecs_takes_as_one_has_one_form(one: Json, other: Json) -> None:
    """And no difference is told."""
    assert definition_hash(one) == definition_hash(other)
    assert diff(canonical_definition(one), canonical_definition(other)) == ()


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_ecs_takes_as_two_has_two_forms(one: Json, other: Json) -> None:
    """A new revision is registered for it."""
    assert definition_hash(one) != definition_hash(other)
    forms = canonical_definition(one), canonical_definition(other)
    assert diff(*forms) or diff(*reversed(forms))


def test_the_hash_of_a_definition_stays_from_version_to_version() -> None:
    """It is a tag of what runs: another hash of the same body would roll out everything at an upgrade."""
    body = _body(
        {
            "environment": [{"name": "GREETING", "value": "grüß Gott"}],
            "portMappings": [{"containerPort": 80}],
        },
        networkMode="awsvpc",
        cpu="256",
        memory="512",
    )
    assert definition_hash(body) == "46c4bf8a39"


PATHS: dict[str, tuple[Json, Json, list[FieldDiff]]] = {
    "of a named port": (
        _ports({"containerPort": 80, "name": "http"}),
        _ports({"containerPort": 81, "name": "http"}),
        [FieldDiff("containerDefinitions.app.portMappings.http.containerPort", 80, 81)],
    ),
    "of ports of which one has a name": (
        _ports({"containerPort": 80, "name": "http"}, {"containerPort": 81}),
        _ports({"containerPort": 80, "name": "http"}),
        [
            FieldDiff(
                "containerDefinitions.app.portMappings",
                [
                    {"containerPort": 80, "name": "http", "protocol": "tcp"},
                    {"containerPort": 81, "protocol": "tcp"},
                ],
                [{"containerPort": 80, "name": "http", "protocol": "tcp"}],
            )
        ],
    ),
    "of ports without a name": (
        _ports({"containerPort": 80}),
        _ports({"containerPort": 81}),
        [
            FieldDiff(
                "containerDefinitions.app.portMappings",
                [{"containerPort": 80, "protocol": "tcp"}],
                [{"containerPort": 81, "protocol": "tcp"}],
            )
        ],
    ),
    "of a list that is gone": (
        {"environment": [{"name": "A", "value": "1"}]},
        {},
        [FieldDiff("containerDefinitions.app.environment", [{"name": "A", "value": "1"}], None)],
    ),
    "of a list that came": (
        {},
        {"environment": [{"name": "A", "value": "1"}]},
        [FieldDiff("containerDefinitions.app.environment", None, [{"name": "A", "value": "1"}])],
    ),
    "of one of several": (
        {"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]},
        [FieldDiff("containerDefinitions.app.environment.B.value", "2", "3")],
    ),
}


@pytest.mark.parametrize(("one", "other", "told"), PATHS.values(), ids=PATHS)
def test_the_path_of_a_difference(one: Json, other: Json, told: list[FieldDiff]) -> None:
    """By name as far as everything beside it has one; else the two lists."""
    assert list(diff(canonical_definition(_body(one)), canonical_definition(_body(other)))) == told


CONNECT = {"enabled": True, "namespace": "shop"}
SERVICES: dict[str, tuple[Json, Json, list[str]]] = {
    "Service Connect": ({"serviceConnectConfiguration": CONNECT}, {}, ["serviceConnectConfiguration"]),
    "Service Connect as described": (
        {"serviceConnectConfiguration": CONNECT},
        {
            "deployments": [
                {"status": "ACTIVE", "serviceConnectConfiguration": {"enabled": False}},
                {"status": "PRIMARY", "serviceConnectConfiguration": CONNECT},
            ]
        },
        [],
    ),
    "Service Connect that only the old deployment has": (
        {"serviceConnectConfiguration": CONNECT},
        {
            "deployments": [
                {"status": "PRIMARY", "serviceConnectConfiguration": {"enabled": False}},
                {"status": "ACTIVE", "serviceConnectConfiguration": CONNECT},
            ]
        },
        ["serviceConnectConfiguration"],
    ),
    "a percentage that AWS fills in": (
        {"deploymentConfiguration": {"minimumHealthyPercent": 50}},
        {"deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 200}},
        [],
    ),
    "a bake time": (
        {"deploymentConfiguration": {"bakeTimeInMinutes": 5}},
        {"deploymentConfiguration": {}},
        ["deploymentConfiguration"],
    ),
    "alarms": (
        {"deploymentConfiguration": {"alarms": {"alarmNames": ["a"], "enable": True, "rollback": True}}},
        {"deploymentConfiguration": {"maximumPercent": 200}},
        ["deploymentConfiguration.alarms"],
    ),
    "a breaker that counts on": (
        {"deploymentConfiguration": {"deploymentCircuitBreaker": {"resetOnHealthyTask": False}}},
        {"deploymentConfiguration": {"deploymentCircuitBreaker": {"resetOnHealthyTask": True}}},
        ["deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask"],
    ),
    "providers beside a launch type that AWS tells": (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]},
        {
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "launchType": "FARGATE",
        },
        [],
    ),
    "a platform version": ({"platformVersion": "1.4.0"}, {"platformVersion": "1.3.0"}, ["platformVersion"]),
}


@pytest.mark.parametrize(("wish", "seen", "paths"), SERVICES.values(), ids=SERVICES)
def test_the_drift_of_a_service(wish: Json, seen: Json, paths: list[str]) -> None:
    """What AWS fills in or tells elsewhere is none; anything else is told at its path."""
    found = diff(canonical_service(wish), canonical_service(seen))
    assert [entry.path for entry in found] == paths
