"""Variables: precedence, expansion, and values that never leave Kubernetes in clear text."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_samples import deployment, with_field
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.translation import References, Sources, references, translate
from sluice.plan.translation.expansion import expand, refers_to
from translation_cases import CONTEXT, DB

PARAMETER = "arn:aws:ssm:eu-west-1:111122223333:parameter/shop/url"
REF = {"secretKeyRef": {"name": "s", "key": "url"}}


def _secret(arn: str | None, *keys: str) -> dict[str, Any]:
    annotations = {"sluice.dev/value-from": arn} if arn else {}
    return {"metadata": {"annotations": annotations}, "data": dict.fromkeys(keys, "Y2xlYXI=")}


def _container(secret: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    obj = deployment(template={"spec": {"containers": [{"name": "app", "image": "x"} | members]}})
    config = {"config": {"data": {"A": "1", "B": "$(A)"}}}
    context = dataclasses.replace(CONTEXT, sources=Sources(config, {"s": secret}))
    body = translate(parse_deployment(obj), context).body
    container: dict[str, Any] = body["containerDefinitions"][0]
    return container


def _variables(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container.get("environment", ())}


def _secrets(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["valueFrom"] for item in container.get("secrets", ())}


ARNS = {
    "a whole secret takes the key": (DB, f"{DB}:url::"),
    "an ARN with a key is taken as it is": (f"{DB}:other:AWSCURRENT:", f"{DB}:other:AWSCURRENT:"),
    "the whole text of a secret": (f"{DB}:::", f"{DB}:::"),
    "a parameter": (PARAMETER, PARAMETER),
}


@pytest.mark.parametrize(("arn", "expected"), ARNS.values(), ids=ARNS)
def test_an_annotated_secret_becomes_an_arn(arn: str, expected: str) -> None:
    """What ECS reads is the ARN that a person annotated, with the key where one is needed."""
    container = _container(_secret(arn, "url"), env=[{"name": "URL", "valueFrom": REF}])
    assert _secrets(container) == {"URL": expected}
    assert "environment" not in container


UNREADABLE: dict[str, tuple[dict[str, Any] | None, list[dict[str, Any]], str]] = {
    "missing": (None, [{"name": "U", "valueFrom": REF}], "Secret s does not exist"),
    "not annotated": (
        _secret(None, "url"),
        [{"name": "U", "valueFrom": REF}],
        "annotation sluice.dev/value-from",
    ),
    "no ARN": (
        _secret("shop/db", "url"),
        [{"name": "U", "valueFrom": REF}],
        "is not the ARN of a Secrets Manager",
    ),
    "two keys of one parameter": (
        _secret(PARAMETER, "url", "user"),
        [
            {"name": "U", "valueFrom": REF},
            {"name": "V", "valueFrom": {"secretKeyRef": {"name": "s", "key": "user"}}},
        ],
        "gives one value, but several keys refer to it",
    ),
}


@pytest.mark.parametrize(("secret", "env", "text"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_secret_that_ecs_cannot_read_is_refused(
    secret: dict[str, Any] | None, env: list[dict[str, Any]], text: str
) -> None:
    """At the reference, with the cure, and without a value."""
    with pytest.raises(Refused) as refusal:
        _container(secret, env=env)
    assert "spec.template.spec.containers[0].env[" in refusal.value.message
    assert text in refusal.value.message
    assert "clear" not in refusal.value.message
    assert "Y2xl" not in refusal.value.message


def test_env_wins_over_env_from_and_each_name_is_there_once() -> None:
    """Kubernetes' precedence; ECS refuses a name that is both a variable and a secret."""
    container = _container(
        _secret(DB, "A", "C"),
        envFrom=[{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "config"}}],
        env=[{"name": "C", "value": "literal"}],
    )
    assert _variables(container) == {"A": "1", "B": "$(A)", "C": "literal"}
    assert _secrets(container) == {}


def test_values_and_commands_are_expanded_as_the_kubelet_does() -> None:
    """Earlier literals in values, all of them in commands; unknown names and $$ stay what they mean."""
    container = _container(
        envFrom=[{"configMapRef": {"name": "config"}}],
        env=[{"name": "X", "value": "$(A)-$(LATER)"}, {"name": "LATER", "value": "z"}],
        command=["$(X)", "$$(X)", "$(NONE)", "$(", "$A"],
        args=["$(LATER)"],
    )
    assert _variables(container)["X"] == "1-$(LATER)"
    assert container["entryPoint"] == ["1-$(LATER)", "$(X)", "$(NONE)", "$(", "$A"]
    assert container["command"] == ["z"]


@pytest.mark.parametrize("member", ["command", "args"])
def test_a_command_that_needs_a_secret_is_refused(member: str) -> None:
    """Only ECS knows the value, and it expands nothing."""
    with pytest.raises(Refused, match=rf"containers\[0\]\.{member}\[0\]: \$\(U\) is a secret"):
        _container(_secret(DB, "url"), env=[{"name": "U", "valueFrom": REF}], **{member: ["--url=$(U)"]})


FIELDS = ["status.podIP", "spec.nodeName", "metadata.uid", "status.hostIP"]


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_a_task_has_not_is_refused(field: str) -> None:
    """The text names where a task finds such things."""
    path = "spec.containers[].env[].valueFrom.fieldRef.fieldPath"
    with pytest.raises(Refused, match="ask the task metadata endpoint"):
        translate(parse_deployment(with_field(path, field)), CONTEXT)


def test_labels_and_annotations_are_literals() -> None:
    """A task cannot ask Kubernetes, so the template's own values are written in."""
    path = "spec.containers[].env[].valueFrom.fieldRef.fieldPath"
    obj = with_field(path, "metadata.labels['app']", with_field("metadata.labels", {"app": "web"}))
    body = translate(parse_deployment(obj), CONTEXT).body
    assert body["containerDefinitions"][0]["environment"] == [{"name": "X", "value": "web"}]


def test_references_name_every_object_that_is_read() -> None:
    """ConfigMaps and Secrets of env, envFrom and pull secrets, of all containers; nothing of ECR."""
    obj = deployment(
        template={
            "spec": {
                "imagePullSecrets": [{"name": "pull"}],
                "initContainers": [
                    {"name": "i", "image": "x", "envFrom": [{"configMapRef": {"name": "one"}}]}
                ],
                "containers": [
                    {
                        "name": "c",
                        "image": "x",
                        "envFrom": [{"secretRef": {"name": "two"}}],
                        "env": [
                            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "three", "key": "a"}}},
                            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "four", "key": "a"}}},
                        ],
                    }
                ],
            }
        }
    )
    spec = parse_deployment(obj)
    assert references(spec) == References(frozenset({"one", "three"}), frozenset({"two", "four", "pull"}))
    for container in obj["spec"]["template"]["spec"]["containers"]:
        container["image"] = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:1"
    obj["spec"]["template"]["spec"]["initContainers"][0]["image"] = "public.ecr.aws/x/y"
    assert "pull" not in references(parse_deployment(obj)).secrets


@given(st.text(alphabet="$()AB "), st.dictionaries(st.sampled_from(["A", "B"]), st.text(alphabet="xyz")))
def test_expansion_ends_and_knows_what_it_used(text: str, values: dict[str, str]) -> None:
    """Text that refers to nothing known only loses the doubling of dollar signs; it ends for any text."""
    expanded = expand(text, values)
    if not refers_to(text, values) and "(" not in text:
        assert expanded == text.replace("$$", "$")
    if not values:
        assert len(expanded) <= len(text)
