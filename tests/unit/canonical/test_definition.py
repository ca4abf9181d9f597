"""Canonical forms of task definitions: equal exactly when ECS would do the same."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plan.canonical import canonical_definition, definition_hash, diff
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.world import World

Json = dict[str, Any]
BODY: Json = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "nginx", "portMappings": [{"containerPort": 80}]}],
}


def _with(**members: Any) -> Json:
    return deepcopy(BODY) | members


def _container(**members: Any) -> Json:
    return _with(containerDefinitions=[BODY["containerDefinitions"][0] | members])


EQUAL: dict[str, tuple[Json, Json]] = {
    "family and tags": (BODY, _with(family="other", tags=[{"key": "a", "value": "b"}])),
    "what describe adds": (
        BODY,
        _with(revision=3, status="ACTIVE", registeredAt=1.0, compatibilities=["EC2"]),
    ),
    "cpu in words": (_with(cpu="1024"), _with(cpu="1 vCPU")),
    "cpu as a fraction": (_with(cpu="256"), _with(cpu=".25 vcpu")),
    "memory in words": (_with(memory="2048"), _with(memory="2 GB")),
    "numbers": (_with(cpu="1024"), _with(cpu=1024)),
    "empty lists": (BODY, _with(volumes=[], placementConstraints=[])),
    "null": (BODY, _with(taskRoleArn=None)),
    "platform": (BODY, _with(runtimePlatform={"cpuArchitecture": "X86_64"})),
    "essential": (BODY, _container(essential=True)),
    "container cpu": (BODY, _container(cpu=0)),
    "host port in awsvpc": (BODY, _container(portMappings=[{"containerPort": 80, "hostPort": 80}])),
    "protocol": (BODY, _container(portMappings=[{"containerPort": 80, "protocol": "tcp"}])),
    "false": (BODY, _container(privileged=False, readonlyRootFilesystem=False)),
    "version consistency": (BODY, _container(versionConsistency="enabled")),
    "health check": (
        _container(healthCheck={"command": ["CMD", "a"]}),
        _container(healthCheck={"command": ["CMD", "a"], "interval": 30, "timeout": 5, "retries": 3}),
    ),
    "mounts": (
        _container(mountPoints=[{"sourceVolume": "a", "containerPath": "/a"}]),
        _container(mountPoints=[{"sourceVolume": "a", "containerPath": "/a", "readOnly": False}]),
    ),
    "volume": (_with(volumes=[{"name": "a"}]), _with(volumes=[{"name": "a", "host": {}}])),
    "EFS": (
        _with(volumes=[{"name": "a", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]),
        _with(
            volumes=[
                {
                    "name": "a",
                    "efsVolumeConfiguration": {
                        "fileSystemId": "fs-1",
                        "rootDirectory": "/",
                        "transitEncryption": "DISABLED",
                        "authorizationConfig": {"iam": "DISABLED"},
                    },
                }
            ]
        ),
    ),
    "order of variables": (
        _container(environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]),
        _container(environment=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    ),
}
DIFFERENT: dict[str, tuple[Json, Json]] = {
    "image": (BODY, _container(image="nginx:2")),
    "order of a command": (_container(command=["a", "b"]), _container(command=["b", "a"])),
    "a value": (
        _container(environment=[{"name": "A", "value": "1"}]),
        _container(environment=[{"name": "A", "value": "2"}]),
    ),
    "host port in bridge": (
        _container(portMappings=[{"containerPort": 80}]) | {"networkMode": "bridge"},
        _container(portMappings=[{"containerPort": 80, "hostPort": 80}]) | {"networkMode": "bridge"},
    ),
    "architecture": (BODY, _with(runtimePlatform={"cpuArchitecture": "ARM64"})),
    "role": (BODY, _with(taskRoleArn="arn:aws:iam::111122223333:role/a")),
    "not essential": (BODY, _container(essential=False)),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_bodies_that_mean_the_same_have_one_form(one: Json, other: Json) -> None:
    """No new revision is registered for a difference that ECS does not make."""
    assert canonical_definition(one) == canonical_definition(other)
    assert definition_hash(one) == definition_hash(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_bodies_that_mean_something_else_differ(one: Json, other: Json) -> None:
    """What ECS would do differently is another hash, and the difference has a path."""
    assert definition_hash(one) != definition_hash(other)
    forms = canonical_definition(one), canonical_definition(other)
    assert diff(*forms) or diff(*reversed(forms))  # what is absent at the top is nobody's wish


def test_a_difference_names_the_container() -> None:
    """A path says which container, not which index."""
    (found,) = diff(canonical_definition(BODY), canonical_definition(_container(image="nginx:2")))
    assert found.path == "containerDefinitions.app.image"
    assert (found.desired, found.seen) == ("nginx", "nginx:2")


NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXT = st.text(alphabet="xyz$/ ", max_size=6)
PAIRS = st.dictionaries(NAMES, TEXT, max_size=4)


@st.composite
def bodies(draw: st.DrawFn) -> Json:
    """Valid task definitions of a few containers with the members that ECS fills in or reorders."""
    names = draw(st.lists(st.sampled_from(["app", "proxy", "log"]), min_size=1, max_size=3, unique=True))
    containers: list[Json] = []
    for index, name in enumerate(names):
        container: Json = {"name": name, "image": draw(st.sampled_from(["nginx", "busybox:1"]))}
        if environment := draw(PAIRS):
            container["environment"] = [{"name": key, "value": value} for key, value in environment.items()]
        if draw(st.booleans()):
            container["portMappings"] = [{"containerPort": 8000 + index}]
        if draw(st.booleans()):
            container["healthCheck"] = {"command": ["CMD", draw(TEXT) or "x"]}
        if draw(st.booleans()):
            container["command"] = draw(st.lists(TEXT, max_size=3))
        if draw(st.booleans()):
            container["mountPoints"] = [{"sourceVolume": "data", "containerPath": "/data"}]
        if draw(st.booleans()):
            container["linuxParameters"] = {
                "capabilities": {"drop": draw(st.permutations(["KILL", "CHOWN"]))}
            }
        if index and draw(st.booleans()):
            container["dependsOn"] = [{"containerName": names[0], "condition": "START"}]
        containers.append(container)
    body = _with(containerDefinitions=containers, volumes=[{"name": "data"}])
    if draw(st.booleans()):
        body |= {"cpu": "1 vCPU", "memory": "2 GB"}
    return body


def shuffled(value: Any, rng: random.Random, key: str = "") -> Any:
    """Return a copy whose lists without an order are in another one."""
    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        return {name: shuffled(item, rng, name) for name, item in items}
    if isinstance(value, list):
        copy = [shuffled(item, rng) for item in value]
        if key not in {"command", "entryPoint"}:
            rng.shuffle(copy)
        return copy
    return value


@given(body=bodies(), seed=st.integers(0, 1000))
def test_the_order_of_unordered_lists_means_nothing(body: Json, seed: int) -> None:
    """AWS may answer in any order."""
    assert canonical_definition(shuffled(body, random.Random(seed))) == canonical_definition(body)


@given(body=bodies())
def test_canonical_twice_is_canonical_once(body: Json) -> None:
    """The form is its own canonical form."""
    once = canonical_definition(body)
    assert canonical_definition(once) == once


@pytest.fixture(scope="module")
def world() -> World:
    """The stand-in's ECS, in process."""
    return World.build(clock=VirtualClock())


@given(body=bodies())
def test_what_ecs_describes_is_what_was_registered(body: Json, world: World) -> None:
    """canonical(describe(register(x))) = canonical(x): an unchanged spec never registers again."""
    arn = world.call("ecs", "RegisterTaskDefinition", body)["taskDefinition"]["taskDefinitionArn"]
    described = world.call("ecs", "DescribeTaskDefinition", {"taskDefinition": arn})["taskDefinition"]
    assert canonical_definition(described) == canonical_definition(body)
    assert definition_hash(described) == definition_hash(body)
