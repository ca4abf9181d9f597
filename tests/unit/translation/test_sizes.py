"""Sizes: quantities, the sum that a task needs, and what Fargate offers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_samples import deployment, spec_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import Translated, translate
from sluice.plan.translation.quantity import cpu_units, mebibytes, quantity
from sluice.plan.translation.sizes import FARGATE_SIZES, fargate_size
from translation_cases import CONTEXT

QUANTITIES = {
    "cores": ("2", 2048, None),
    "number": (1, 1024, None),
    "millicores are rounded up": ("100m", 103, None),
    "half": ("0.5", 512, None),
    "exponent": ("1e3", 1024_000, None),
    "mebibytes": ("128Mi", None, 128),
    "megabytes are rounded up": ("128M", None, 123),
    "bytes": (134217729, None, 129),
    "gibibytes": ("1.5Gi", None, 1536),
}


@pytest.mark.parametrize(("text", "units", "memory"), QUANTITIES.values(), ids=QUANTITIES)
def test_a_quantity_is_read_as_kubernetes_does(
    text: str | int, units: int | None, memory: int | None
) -> None:
    """CPU in units of 1/1024 core, memory in MiB, both rounded up so that a request is never cut."""
    if units is not None:
        assert cpu_units(text) == units
    if memory is not None:
        assert mebibytes(text) == memory


@pytest.mark.parametrize("text", ["", "1 Gi", "many", "1gi", "--1"])
def test_what_is_no_quantity_is_an_error(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


@given(cpu=st.integers(1, 16_384), memory=st.integers(1, 122_880))
def test_a_fargate_size_is_the_smallest_that_holds_the_request(cpu: int, memory: int) -> None:
    """It holds both numbers, is in AWS's table, and nothing smaller in the table does."""
    size = fargate_size(cpu, memory)
    holding = [
        (units, mib)
        for units, mibs in FARGATE_SIZES.items()
        for mib in mibs
        if units >= cpu and mib >= memory
    ]
    assert size is not None
    assert (size.cpu, size.memory) == min(holding)
    assert (size.requested_cpu, size.requested_memory) == (cpu, memory)


def test_windows_starts_at_one_vcpu() -> None:
    """Fargate has no Windows task below 1024 CPU units (ECS API, RegisterTaskDefinition)."""
    size = fargate_size(256, 512, windows=True)
    assert size is not None
    assert (size.cpu, size.memory) == (1024, 2048)


def _task(*resources: dict[str, Any] | None, init: dict[str, Any] | None = None, **ecs: Any) -> Translated:
    containers = [
        {"name": f"c{index}", "image": "x"} | ({"resources": item} if item else {})
        for index, item in enumerate(resources)
    ]
    pod: dict[str, Any] = {"containers": containers}
    if init:
        pod["initContainers"] = [{"name": "init", "image": "x", "resources": init}]
    obj = deployment(template={"spec": pod})
    return translate(parse_deployment(spec_field("ecs", obj["spec"]["ecs"] | ecs, obj)), CONTEXT)


SIZES: dict[str, tuple[list[dict[str, Any] | None], dict[str, Any], tuple[int, int]]] = {
    "nothing said": ([None], {}, (256, 512)),
    "a sum": ([{"requests": {"cpu": "300m", "memory": "700Mi"}}] * 2, {}, (1024, 2048)),
    "only one says something": ([{"requests": {"cpu": "1"}}, None], {}, (1024, 2048)),
    "memory decides": ([{"requests": {"cpu": "100m", "memory": "5Gi"}}], {}, (1024, 5120)),
    "a limit is the request": ([{"limits": {"cpu": "1", "memory": "3Gi"}}], {}, (1024, 3072)),
    "a limit above the sum": (
        [{"requests": {"memory": "128Mi"}, "limits": {"memory": "2Gi"}}],
        {},
        (256, 2048),
    ),
    "the largest init container": ([None], {"init": {"requests": {"cpu": "2"}}}, (2048, 4096)),
}


@pytest.mark.parametrize(("resources", "more", "expected"), SIZES.values(), ids=SIZES)
def test_a_task_is_as_large_as_its_containers_need(
    resources: list[dict[str, Any] | None], more: dict[str, Any], expected: tuple[int, int]
) -> None:
    """As Kubernetes counts, rounded up to what Fargate offers; the body has the same numbers."""
    translated = _task(*resources, **more)
    assert translated.task_size is not None
    assert (translated.task_size.cpu, translated.task_size.memory) == expected
    assert (translated.body["cpu"], translated.body["memory"]) == tuple(map(str, expected))


def test_more_than_fargate_offers_is_refused() -> None:
    """The message has the sum and the largest size."""
    with pytest.raises(Refused, match=r"20480 CPU units and 0 MiB are more than Fargate's largest size"):
        _task({"requests": {"cpu": "20"}})


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 4_000)), min_size=1, max_size=5))
def test_the_containers_always_fit_into_the_task(sizes: list[tuple[int, int]]) -> None:
    """ECS refuses a task smaller than the sum of its containers: rounding never makes one."""
    translated = _task(*({"requests": {"cpu": f"{cpu}m", "memory": f"{mib}M"}} for cpu, mib in sizes))
    containers = translated.body["containerDefinitions"]
    assert sum(item.get("cpu", 0) for item in containers) <= int(translated.body["cpu"])
    reserved = [item.get("memoryReservation") or item.get("memory", 0) for item in containers]
    assert sum(reserved) <= int(translated.body["memory"])


def test_ec2_rounds_nothing_and_gives_every_container_a_memory() -> None:
    """On EC2 containers carry their sizes; one that says nothing gets 128 MiB, and a warning."""
    translated = _task({"requests": {"cpu": "100m", "memory": "100Mi"}}, None, launchType="EC2")
    assert translated.task_size is None
    assert "cpu" not in translated.body
    assert [item.get("memoryReservation") for item in translated.body["containerDefinitions"]] == [100, 128]
    assert any("128 MiB" in warning.text for warning in translated.warnings)


def test_managed_instances_get_the_sum_without_rounding() -> None:
    """Managed instances want a task size, but offer more than Fargate's table."""
    translated = _task({"requests": {"cpu": "300m", "memory": "700Mi"}}, launchType="MANAGED_INSTANCES")
    assert (translated.body["cpu"], translated.body["memory"]) == ("308", "700")
    assert translated.body["requiresCompatibilities"] == ["MANAGED_INSTANCES"]


REFUSED = {
    "unknown resource": ({"requests": {"example.com/fpga": 1}}, "resources.requests[example.com/fpga]"),
    "request above limit": (
        {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}},
        "is more than the limit",
    ),
    "negative": ({"requests": {"cpu": "-1"}}, "is not a quantity like"),
    "GPU on Fargate": ({"limits": {"nvidia.com/gpu": 1}}, "Fargate has no GPUs"),
}


@pytest.mark.parametrize(("resources", "text"), REFUSED.values(), ids=REFUSED)
def test_resources_that_ecs_has_not_are_refused(resources: dict[str, Any], text: str) -> None:
    """At the field, with what there is instead."""
    with pytest.raises(Refused) as refusal:
        _task(resources)
    assert text in refusal.value.message


def test_a_gpu_on_ec2_is_a_resource_requirement() -> None:
    """ECS's own words for nvidia.com/gpu."""
    translated = _task({"limits": {"nvidia.com/gpu": 2, "memory": "1Gi"}}, launchType="EC2")
    container = translated.body["containerDefinitions"][0]
    assert container["resourceRequirements"] == [{"type": "GPU", "value": "2"}]
