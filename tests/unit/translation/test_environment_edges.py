"""What is left of a variable when a name, a key, a unit or a size is missing or odd."""

from __future__ import annotations

from typing import Any

import pytest

from api_samples import Json, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import Translated, translate
from sluice.plan.translation.expansion import expand, refers_to
from translation_cases import CONTEXT, EC2

CONTAINER = "spec.containers[]"
PATH = "spec.template.spec.containers[0]"


def _translate(obj: Json) -> Translated:
    return translate(parse_deployment(obj), CONTEXT)


def _value(obj: Json) -> str:
    container = _translate(obj).body["containerDefinitions"][-1]
    (variable,) = container["environment"]
    return str(variable["value"])


PREFIXED = {
    "a ConfigMap": ("configMapRef", "config"),
    "a Secret": ("secretRef", "secret"),
}


@pytest.mark.parametrize(("member", "name"), PREFIXED.values(), ids=PREFIXED)
def test_a_key_that_names_no_variable_is_left_out_and_told(member: str, name: str) -> None:
    """As the kubelet does: the other containers' variables are not held up by it."""
    translated = _translate(with_field(f"{CONTAINER}.envFrom", [{"prefix": "A=", member: {"name": name}}]))
    container = translated.body["containerDefinitions"][0]
    assert "environment" not in container
    assert "secrets" not in container
    assert [(warning.path, warning.text) for warning in translated.warnings] == [
        (
            f"{PATH}.envFrom[0].{member}",
            "a key that is no name for a variable is left out, as Kubernetes does",
        )
    ]


def _resources(resource: str, base: Json | None = None, **more: Any) -> Json:
    reference = {"resource": resource} | more
    return with_field(f"{CONTAINER}.env[].valueFrom.resourceFieldRef", reference, base)


ONE_CPU = with_field(f"{CONTAINER}.resources.requests", {"cpu": "1", "memory": "2Gi"})
SILENT_ON_EC2 = with_field(
    "spec.containers",
    [
        {"name": "big", "image": "x", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
        {"name": "app", "image": "x", "env": [{"name": "X"}]},
    ],
    EC2,
)


def _silent(resource: str) -> Json:
    obj = with_field("spec.containers", SILENT_ON_EC2["spec"]["template"]["spec"]["containers"], EC2)
    obj["spec"]["template"]["spec"]["containers"][1]["env"][0]["valueFrom"] = {
        "resourceFieldRef": {"resource": resource}
    }
    return obj


VALUES = {
    "the whole task's CPU, in thousandths": (_resources("limits.cpu", ONE_CPU, divisor="1m"), "1000"),
    "the whole task's memory": (_resources("limits.memory", ONE_CPU, divisor="1Mi"), "2048"),
    "the container's own limit": (
        _resources(
            "limits.memory", with_field(f"{CONTAINER}.resources.limits", {"memory": "3Gi"}), divisor="1Mi"
        ),
        "3072",
    ),
    "a request": (_resources("requests.cpu", ONE_CPU, divisor="1m"), "1000"),
    "a limit is the request": (
        _resources("requests.cpu", with_field(f"{CONTAINER}.resources.limits", {"cpu": "2"})),
        "2",
    ),
    "a divisor of 0 is 1": (_resources("limits.memory", divisor="0"), str(512 * 2**20)),
    "storage that nobody limits": (_resources("limits.ephemeral-storage"), "0"),
    "storage that nobody requests": (_resources("requests.ephemeral-storage"), "0"),
    "CPU of a task on EC2 without a size": (_silent("limits.cpu"), "0"),
    "memory of a task on EC2 without a size": (_silent("limits.memory"), "0"),
}


@pytest.mark.parametrize(("obj", "value"), VALUES.values(), ids=VALUES)
def test_a_resource_as_a_literal(obj: Json, value: str) -> None:
    """In the divisor's unit, rounded up; the task's size where the container has no limit, else 0."""
    assert _value(obj) == value


@pytest.mark.parametrize("resource", ["limits.pods", "status.cpu", "cpu", "limits"])
def test_a_resource_that_no_container_has_is_refused(resource: str) -> None:
    """Both halves of its name are looked at."""
    with pytest.raises(Refused) as refusal:
        _translate(_resources(resource))
    assert refusal.value.message == (
        f"{PATH}.env[0].valueFrom.resourceFieldRef.resource: "
        "use limits.* or requests.* of cpu, memory or ephemeral-storage"
    )


ACCOUNTS = {
    "serviceAccountName": ({"serviceAccountName": "web", "serviceAccount": "old"}, "web"),
    "its older name": ({"serviceAccount": "old"}, "old"),
    "none": ({}, "default"),
}


@pytest.mark.parametrize(("members", "expected"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_the_service_account_as_a_literal(members: dict[str, str], expected: str) -> None:
    """As Kubernetes fills it in: `default` where none is named."""
    obj = with_field(f"{CONTAINER}.env[].valueFrom.fieldRef.fieldPath", "spec.serviceAccountName")
    obj["spec"]["template"]["spec"] |= members
    assert _value(obj) == expected


def test_labels_and_annotations_of_a_template_without_metadata_are_empty() -> None:
    """A key that is not there is an empty value in Kubernetes, too."""
    for member in ("labels", "annotations"):
        path = f"{CONTAINER}.env[].valueFrom.fieldRef.fieldPath"
        assert _value(with_field(path, f"metadata.{member}['app']")) == ""


def test_an_annotation_of_the_template_is_a_literal() -> None:
    """Of annotations as of labels, each from its own list."""
    base = with_field("metadata", {"labels": {"a": "label"}, "annotations": {"a": "note"}})
    path = f"{CONTAINER}.env[].valueFrom.fieldRef.fieldPath"
    assert _value(with_field(path, "metadata.annotations['a']", base)) == "note"
    assert _value(with_field(path, "metadata.labels['a']", base)) == "label"


REFERENCES = {
    "a name": ("$(A)", ["A"], "A"),
    "the first that is known": ("$(X) $(B) $(A)", ["A", "B"], "B"),
    "doubled": ("$$(A)", ["A"], ""),
    "a name of a dollar sign": ("$($)", ["$"], "$"),
    "no reference": ("A $A (A)", ["A"], ""),
}


@pytest.mark.parametrize(("text", "names", "found"), REFERENCES.values(), ids=REFERENCES)
def test_what_a_text_refers_to(text: str, names: list[str], found: str) -> None:
    """The same that expansion would replace, so that no secret's name stays in a command unnoticed."""
    assert refers_to(text, names) == found
    assert (expand(text, dict.fromkeys(names, "value")) != text.replace("$$", "$")) == bool(found)
