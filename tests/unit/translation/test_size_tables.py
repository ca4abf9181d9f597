"""Numbers that Kubernetes and AWS have written down: suffixes of quantities, sizes of tasks, least values."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from api_samples import Json, deployment, spec_field, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import TaskSize, Translated, translate
from sluice.plan.translation.quantity import gibibytes, quantity
from sluice.plan.translation.sizes import FARGATE_SIZES, fargate_size
from translation_cases import CONTAINER, CONTEXT, EC2

PATH = "spec.template.spec.containers[0].resources"
SUFFIXES = {
    "3n": Fraction(3, 1_000_000_000),
    "3u": Fraction(3, 1_000_000),
    "3m": Fraction(3, 1_000),
    "3": Fraction(3),
    "3k": Fraction(3_000),
    "3M": Fraction(3_000_000),
    "3G": Fraction(3_000_000_000),
    "3T": Fraction(3_000_000_000_000),
    "3P": Fraction(3_000_000_000_000_000),
    "3E": Fraction(3_000_000_000_000_000_000),
    "3Ki": Fraction(3 * 2**10),
    "3Mi": Fraction(3 * 2**20),
    "3Gi": Fraction(3 * 2**30),
    "3Ti": Fraction(3 * 2**40),
    "3Pi": Fraction(3 * 2**50),
    "3Ei": Fraction(3 * 2**60),
    "3e2": Fraction(300),
    "3E-2": Fraction(3, 100),
    "1e30": Fraction(10**30),
}


@pytest.mark.parametrize(("text", "number"), SUFFIXES.items(), ids=SUFFIXES)
def test_every_suffix_of_a_quantity(text: str, number: Fraction) -> None:
    """k8s.io/apimachinery, Quantity: decimal, binary and exponent; a lone E is exa."""
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["1e31", "1e-31", "1e999999999"])
def test_an_exponent_that_no_size_has_is_refused_at_once(text: str) -> None:
    """Its digits would fill the memory of the process that serves everybody's objects."""
    with pytest.raises(Refused) as refusal:
        _translate(with_field(f"{CONTAINER}.resources.requests", {"cpu": text}))
    assert refusal.value.message == f"{PATH}.requests[cpu]: is not a quantity like 500m or 1Gi"


def test_storage_is_counted_in_binary_gigabytes() -> None:
    """Exact: what is rounded is their sum."""
    assert [gibibytes(text) for text in ("1Gi", "512Mi", "1073741825")] == [
        1,
        Fraction(1, 2),
        1 + Fraction(1, 2**30),
    ]


GIB = 1024
TABLE = {
    256: [512, GIB, 2 * GIB],
    512: [GIB, 2 * GIB, 3 * GIB, 4 * GIB],
    1024: [number * GIB for number in (2, 3, 4, 5, 6, 7, 8)],
    2048: [number * GIB for number in (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)],
    4096: [
        number * GIB
        for number in (
            8,
            9,
            10,
            11,
            12,
            13,
            14,
            15,
            16,
            17,
            18,
            19,
            20,
            21,
            22,
            23,
            24,
            25,
            26,
            27,
            28,
            29,
            30,
        )
    ],
    8192: [number * GIB for number in (16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60)],
    16384: [number * GIB for number in (32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120)],
}


def test_the_sizes_that_fargate_offers() -> None:
    """ECS developer guide, "Task CPU and memory": seven CPU sizes, each with its own memories."""
    assert {units: list(memories) for units, memories in FARGATE_SIZES.items()} == TABLE
    for units, memories in TABLE.items():
        for memory in memories:
            assert fargate_size(units, memory) == TaskSize(
                cpu=units, memory=memory, requested_cpu=units, requested_memory=memory
            )
    assert fargate_size(16384, 120 * GIB + 1) is None
    assert fargate_size(16385, 1) is None


def _translate(obj: Json) -> Translated:
    return translate(parse_deployment(obj), CONTEXT)


def _container(resources: dict[str, Any], base: Json | None = None) -> dict[str, Any]:
    found: dict[str, Any] = _translate(with_field(f"{CONTAINER}.resources", resources, base)).body[
        "containerDefinitions"
    ][0]
    return {key: found[key] for key in ("cpu", "memory", "memoryReservation") if key in found}


SHARES: dict[str, tuple[dict[str, Any], dict[str, int], list[tuple[str, str]]]] = {
    "nothing": ({}, {}, []),
    "nothing of anything": ({"requests": {"cpu": "0"}}, {}, []),
    "less memory than ECS has": ({"requests": {"memory": "1Mi"}}, {"memoryReservation": 6}, []),
    "a smaller limit than ECS has": (
        {"limits": {"memory": "1Mi"}},
        {"memory": 6},
        [("limits", "no request for memory: the limit counts as the request")],
    ),
    "the least memory": ({"requests": {"memory": "7Mi"}}, {"memoryReservation": 7}, []),
    "both without a request": (
        {"limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}},
        {"cpu": 1024, "memory": 1024},
        [("limits", "no request for cpu and memory: the limit counts as the request")],
    ),
    "a limit equal to the request": (
        {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}},
        {"cpu": 1024, "memory": 1024},
        [],
    ),
    "limits above the requests": (
        {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        {"cpu": 1024, "memory": 2048, "memoryReservation": 1024},
        [("limits", "ECS has no CPU limit of a container, only the task's size")],
    ),
}


@pytest.mark.parametrize(("resources", "members", "told"), SHARES.values(), ids=SHARES)
def test_what_a_container_gets_of_its_requests_and_limits(
    resources: dict[str, Any], members: dict[str, int], told: list[tuple[str, str]]
) -> None:
    """A request is a reservation, a limit of memory is ECS's `memory`, 6 MiB at least (ECS API)."""
    assert _container(resources) == members
    translated = _translate(with_field(f"{CONTAINER}.resources", resources))
    assert [(warning.path, warning.text) for warning in translated.warnings] == [
        (f"{PATH}.{member}", text) for member, text in told
    ]


NO_SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "no quantity": (
        {"limits": {"memory": "1 Gi"}},
        f"{PATH}.limits[memory]: is not a quantity like 500m or 1Gi",
    ),
    "negative": (
        {"requests": {"cpu": "-1m"}},
        f"{PATH}.requests[cpu]: is not a quantity like 500m or 1Gi",
    ),
    "half a GPU": (
        {"limits": {"nvidia.com/gpu": "500m"}},
        f"{PATH}.limits[nvidia.com/gpu]: GPUs are not shared; ask for a whole number",
    ),
    "a request above the limit": (
        {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}},
        f"{PATH}.requests[memory]: is more than the limit; raise the limit or lower the request",
    ),
}


@pytest.mark.parametrize(("resources", "message"), NO_SIZES.values(), ids=NO_SIZES)
def test_what_is_no_size_is_refused_and_nothing_else(resources: dict[str, Any], message: str) -> None:
    """At the very quantity; the rest of the container counts on."""
    with pytest.raises(Refused) as refusal:
        _translate(with_field(f"{CONTAINER}.resources", resources, EC2))
    assert refusal.value.message == message


WHOLE: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "requests": ({"requests": {"cpu": "2", "memory": "5Gi"}}, (2048, 5120)),
    "a limit of memory above the request": (
        {"requests": {"cpu": "1", "memory": "3Gi"}, "limits": {"memory": "6Gi"}},
        (1024, 6144),
    ),
}


@pytest.mark.parametrize(("resources", "size"), WHOLE.values(), ids=WHOLE)
def test_the_pods_own_resources_are_the_tasks(resources: dict[str, Any], size: tuple[int, int]) -> None:
    """Instead of the containers' sum; up to the limit, which nothing could reach otherwise."""
    base = with_field(f"{CONTAINER}.resources.requests", {"cpu": "4", "memory": "16Gi"})
    shown = _translate(with_field("spec.resources", resources, base)).task_size
    assert shown is not None
    assert (shown.cpu, shown.memory) == size


def test_a_gpu_belongs_to_a_container() -> None:
    """ECS gives GPUs to containers, not to tasks."""
    with pytest.raises(Refused, match=r"spec\.template\.spec\.resources: nvidia\.com/gpu belongs"):
        _translate(with_field("spec.resources.limits", {"nvidia.com/gpu": 1}, EC2))


ON_EC2: dict[str, tuple[list[Json], TaskSize | None]] = {
    "nothing said": (
        [{}, {}],
        TaskSize(cpu=256, memory=512, requested_cpu=0, requested_memory=0),
    ),
    "CPU said": ([{"requests": {"cpu": "1"}}, {}], None),
    "memory said": ([{"requests": {"memory": "1Gi"}}, {}], None),
}


@pytest.mark.parametrize(("resources", "size"), ON_EC2.values(), ids=ON_EC2)
def test_a_task_on_ec2_has_a_size_where_no_container_has_one(
    resources: list[Json], size: TaskSize | None
) -> None:
    """Else the containers carry theirs, and an instance's room is what bounds them."""
    containers = [{"name": f"c{i}", "image": "x", "resources": item} for i, item in enumerate(resources)]
    assert _translate(with_field("spec.containers", containers, EC2)).task_size == size


def test_managed_instances_fill_in_what_is_not_said() -> None:
    """They want a task size; the half that nobody says is Sluice's least."""
    managed = spec_field("ecs.launchType", "MANAGED_INSTANCES", EC2)
    for asked, size in (({"cpu": "2"}, (2048, 512)), ({"memory": "3Gi"}, (256, 3072))):
        shown = _translate(with_field(f"{CONTAINER}.resources.requests", asked, managed)).task_size
        assert shown is not None
        assert (shown.cpu, shown.memory) == size


def test_windows_has_its_own_least_size() -> None:
    """1024 CPU units at least (ECS API, RegisterTaskDefinition); Linux starts at 256."""
    platforms = {"LINUX": 256, "WINDOWS_SERVER_2022_CORE": 1024}
    for family, units in platforms.items():
        obj = spec_field("ecs.runtimePlatform", {"operatingSystemFamily": family}, deployment())
        size = _translate(obj).task_size
        assert size is not None
        assert size.cpu == units
