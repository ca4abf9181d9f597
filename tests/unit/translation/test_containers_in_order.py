"""Containers of one task: who waits for whom, how long they may stop, and what they share."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import SUBNETS, Json, deployment, spec_field, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import Translated, translate
from translation_cases import CONTAINER, CONTEXT, EC2, EFS, MOUNTED


def _translate(obj: Json) -> Translated:
    return translate(parse_deployment(obj), CONTEXT)


def test_each_container_waits_for_the_init_containers_before_it() -> None:
    """In their order: those that end for their success, a sidecar for its start or its health."""
    healthy = {"livenessProbe": {"exec": {"command": ["ok"]}}}
    init: list[Json] = [
        {"name": "one", "image": "x"},
        {"name": "two", "image": "x", "restartPolicy": "Always"},
        {"name": "three", "image": "x", "restartPolicy": "Always"} | healthy,
        {"name": "four", "image": "x"},
    ]
    definitions = _translate(with_field("spec.initContainers", init)).body["containerDefinitions"]
    waits = [
        {"containerName": "one", "condition": "SUCCESS"},
        {"containerName": "two", "condition": "START"},
        {"containerName": "three", "condition": "HEALTHY"},
        {"containerName": "four", "condition": "SUCCESS"},
    ]
    assert [item["name"] for item in definitions] == ["one", "two", "three", "four", "app"]
    assert [item.get("dependsOn", []) for item in definitions] == [waits[:count] for count in range(5)]
    assert "dependsOn" not in definitions[0]
    assert [item["essential"] for item in definitions] == [False, False, False, False, True]
    restarts = {"enabled": True, "restartAttemptPeriod": 60}  # seconds; the least of the ECS API
    assert [item.get("restartPolicy") for item in definitions] == [None, restarts, restarts, None, None]


def test_containers_without_init_containers_wait_for_nobody() -> None:
    """ECS takes no empty list of dependencies as none: the member is absent."""
    (container,) = _translate(deployment()).body["containerDefinitions"]
    assert "dependsOn" not in container


@pytest.mark.parametrize(("asked", "given"), [(0, 2), (1, 2), (2, 2), (3, 3), (120, 120)])
def test_the_time_to_stop(asked: int, given: int) -> None:
    """ECS takes 2 seconds at least and, on Fargate, 120 at most."""
    translated = _translate(with_field("spec.terminationGracePeriodSeconds", asked))
    assert translated.body["containerDefinitions"][0]["stopTimeout"] == given
    assert translated.warnings == ()


def test_a_time_to_stop_that_fargate_has_not() -> None:
    """The refusal says what to do; an instance of one's own waits as long as one likes."""
    with pytest.raises(Refused) as refusal:
        _translate(with_field("spec.terminationGracePeriodSeconds", 121))
    assert refusal.value.message == (
        "spec.template.spec.terminationGracePeriodSeconds: Fargate waits 120 seconds at most; set that or "
        "less, or use capacity on EC2"
    )
    body = _translate(with_field("spec.terminationGracePeriodSeconds", 121, EC2)).body
    assert body["containerDefinitions"][0]["stopTimeout"] == 121


ACCOUNTS = {"default": 0, "web": 1}


@pytest.mark.parametrize(("name", "told"), ACCOUNTS.items(), ids=ACCOUNTS)
def test_a_service_account_without_a_role_is_told(name: str, told: int) -> None:
    """But for `default`, which exported manifests carry."""
    assert len(_translate(with_field("spec.serviceAccountName", name)).warnings) == told


# -- volumes ----------------------------------------------------------------------------------------------


def _named(path: str, *names: str) -> Json:
    return spec_field(f"ecs.{path}", [{"name": name} for name in names], MOUNTED)


def test_volumes_of_template_and_ecs_have_names_of_their_own() -> None:
    """Three lists become one in ECS; EBS volumes come with each task."""
    obj = spec_field("ecs.volumes", [{"name": "b"}, {"name": "a"}], MOUNTED)
    obj = spec_field("ecs.volumeConfigurations", [{"name": "ebs"}], obj)
    assert _translate(obj).body["volumes"] == [
        {"name": "a"},
        {"name": "b"},
        {"name": "data"},
        {"name": "ebs", "configuredAtLaunch": True},
    ]


TWICE = {
    "template and ecs.volumes": (
        _named("volumes", "other", "data"),
        "spec.ecs.volumes[1]: the template has a volume of that name; rename one",
    ),
    "template and ecs.volumeConfigurations": (
        _named("volumeConfigurations", "other", "data"),
        "spec.ecs.volumeConfigurations[1]: another volume has that name; rename one",
    ),
    "memory and ecs.volumeConfigurations": (
        spec_field(
            "ecs.volumeConfigurations",
            [{"name": "data"}],
            with_field("spec.volumes[].emptyDir", {"medium": "Memory", "sizeLimit": "1Mi"}),
        ),
        "spec.ecs.volumeConfigurations[0]: another volume has that name; rename one",
    ),
}


@pytest.mark.parametrize(("obj", "message"), TWICE.values(), ids=TWICE)
def test_a_name_of_two_volumes_is_refused(obj: Json, message: str) -> None:
    """At the second of them."""
    with pytest.raises(Refused) as refusal:
        _translate(obj)
    assert refusal.value.message == message


def _in_memory(size: Any, *users: str) -> Json:
    mount = [{"name": "data", "mountPath": "/data"}]
    containers = [{"name": name, "image": "x"} | ({"volumeMounts": mount}) for name in users or ("app",)]
    empty = {"medium": "Memory"} | ({} if size is None else {"sizeLimit": size})
    volumes = [{"name": "data", "emptyDir": empty}]
    return deployment(template={"spec": {"containers": containers, "volumes": volumes}})


@pytest.mark.parametrize(("size", "mib"), [("1Ki", 1), ("1Mi", 1), ("2Mi", 2), ("1025Ki", 2)])
def test_a_volume_in_memory_is_a_tmpfs_of_whole_mebibytes(size: str, mib: int) -> None:
    """Rounded up, so that what was asked for fits."""
    (container,) = _translate(_in_memory(size)).body["containerDefinitions"]
    assert container["linuxParameters"] == {"tmpfs": [{"containerPath": "/data", "size": mib}]}


NO_MEMORY = {
    "no size": (
        _in_memory(None),
        "spec.template.spec.volumes[0].emptyDir.sizeLimit: a volume in memory needs a size; set sizeLimit",
    ),
    "no quantity": (
        _in_memory("a lot"),
        "spec.template.spec.volumes[0].emptyDir.sizeLimit: is not a quantity like 64Mi",
    ),
    "less than nothing": (
        _in_memory("-1Mi"),
        "spec.template.spec.volumes[0].emptyDir.sizeLimit: is not a quantity like 64Mi",
    ),
    "shared by two": (
        _in_memory("1Mi", "a", "b"),
        (
            "spec.template.spec.volumes: volume data in memory can't be shared by containers; use emptyDir "
            "without medium"
        ),
    ),
}


@pytest.mark.parametrize(("obj", "message"), NO_MEMORY.values(), ids=NO_MEMORY)
def test_a_volume_in_memory_that_ecs_has_not(obj: Json, message: str) -> None:
    """Each container has a tmpfs of its own (ECS API, LinuxParameters), and it has a size."""
    with pytest.raises(Refused) as refusal:
        _translate(obj)
    assert refusal.value.message == message


STORAGE = {
    "what every task has": (["20Gi"], None),
    "the least more": (["20481Mi"], 21),
    "the sum": (["15Gi", "15Gi"], 30),
    "rounded up": (["30721Mi"], 31),
    "the most": (["150Gi", "50Gi"], 200),
}


def _disks(sizes: list[str], base: Json | None = None) -> Json:
    volumes = [{"name": f"v{i}", "emptyDir": {"sizeLimit": size}} for i, size in enumerate(sizes)]
    return with_field("spec.volumes", volumes, base)


@pytest.mark.parametrize(("sizes", "gib"), STORAGE.values(), ids=STORAGE)
def test_storage_of_a_fargate_task(sizes: list[str], gib: int | None) -> None:
    """20 GiB without being asked, else 21 to 200 (ECS API, EphemeralStorage)."""
    body = _translate(_disks(sizes)).body
    assert body.get("ephemeralStorage") == (None if gib is None else {"sizeInGiB": gib})


@pytest.mark.parametrize("size", ["-1Gi", "a lot"])
def test_a_size_that_is_none(size: str) -> None:
    """It would make room for another volume's size."""
    with pytest.raises(Refused) as refusal:
        _translate(_disks(["30Gi", size]))
    assert refusal.value.message == "spec.template.spec.volumes: a size is not a quantity like 30Gi"


def test_more_storage_than_fargate_has() -> None:
    """Beyond 200 GiB the refusal names what there is; on EC2 nobody counts, and that is told."""
    with pytest.raises(Refused) as refusal:
        _translate(_disks(["200Gi", "1Mi"]))
    assert refusal.value.message == (
        "spec.template.spec.volumes: Fargate gives 200 GiB at most; use EFS or EBS"
    )
    translated = _translate(_disks(["300Gi"], EC2))
    assert "ephemeralStorage" not in translated.body
    assert [warning.text for warning in translated.warnings] == [
        "ECS on EC2 limits no storage of a task; the instance's disk is shared"
    ]


FILE_SYSTEMS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "plain": ({}, {}),
    "not encrypted": ({"encryptInTransit": "false", "iam": "false"}, {}),
    "encrypted": ({"encryptInTransit": "true"}, {"transitEncryption": "ENABLED"}),
    "a folder": ({"rootDirectory": "/shop"}, {"rootDirectory": "/shop"}),
    "by IAM": (
        {"iam": "true"},
        {"transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}},
    ),
    "an access point": (
        {"accessPointId": "fsap-1"},
        {"transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-1"}},
    ),
}


@pytest.mark.parametrize(("attributes", "members"), FILE_SYSTEMS.values(), ids=FILE_SYSTEMS)
def test_a_file_system_of_efs(attributes: dict[str, str], members: dict[str, Any]) -> None:
    """IAM and access points need encryption, which then comes by itself (ECS API)."""
    obj = with_field("spec.volumes[].csi.volumeAttributes", {"fileSystemId": "fs-1"} | attributes, EFS)
    (volume,) = _translate(obj).body["volumes"]
    assert volume == {"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"} | members}


def test_a_mount_is_read_only_where_mount_or_volume_say_so() -> None:
    """Either of the two is enough."""
    for volume, mount, expected in ((True, False, True), (False, True, True), (False, False, False)):
        obj = with_field("spec.volumes[].csi.readOnly", volume, EFS)
        mounts = [{"name": "data", "mountPath": "/data", "readOnly": mount}]
        definition = _translate(with_field(f"{CONTAINER}.volumeMounts", mounts, obj)).body
        (point,) = definition["containerDefinitions"][0]["mountPoints"]
        assert point["readOnly"] is expected


# -- tags -------------------------------------------------------------------------------------------------


def test_forty_tags_are_taken() -> None:
    """AWS takes fifty, ten are Sluice's own; a label and a tag of one key count once."""
    tags = {f"k{index}": "v" for index in range(40)}
    obj = spec_field("ecs.tags", tags, with_field("metadata.labels", {"k0": "label", "k39": "label"}))
    assert set(_translate(obj).tags) == {"k0", "k39"}
    with pytest.raises(Refused, match="41 tags with the template's labels, 40 at most"):
        _translate(spec_field("ecs.tags", tags, with_field("metadata.labels", {"k40": "label"})))


def test_tasks_outside_awsvpc_need_no_subnets() -> None:
    """The network of the host, or of Docker on machines of one's own."""
    host = with_field("spec.hostNetwork", True, spec_field("ecs", {"launchType": "EC2"}))
    own = spec_field("ecs", {"launchType": "EXTERNAL"})
    assert [_translate(obj).body["networkMode"] for obj in (host, own)] == ["host", "bridge"]
    with pytest.raises(Refused, match=r"spec\.ecs\.networkConfiguration: awsvpc tasks need"):
        _translate(spec_field("ecs", {"launchType": "EC2"}))
    assert _translate(spec_field("ecs", {"networkConfiguration": SUBNETS})).warnings == ()
