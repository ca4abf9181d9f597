"""docs/translation.md, line by line: what is translated, accepted, warned of and refused is just that."""

from __future__ import annotations

import dataclasses
from typing import Any

import jmespath
import pytest

from api_samples import EXECUTION_ROLE, Json, deployment, sample_of, schema_at, with_field
from sluice.api.crdgen.table import lines
from sluice.api.v1alpha1.deployment import parse_deployment
from sluice.model.errors import Refused
from sluice.plan.canonical import definition_hash
from sluice.plan.translation import Translated, TranslationContext, translate
from sluice_sandbox.aws.clock import VirtualClock
from sluice_sandbox.aws.world import World
from translation_cases import CONDITIONAL, CONTEXT, COVERED_BY, PORT, STARTING, TRANSLATED


def _short(path: str) -> str:
    return path.removeprefix("spec.template.")


def result(obj: Json, context: TranslationContext = CONTEXT) -> Translated:
    """Parse and translate."""
    return translate(parse_deployment(obj), context)


def view(translated: Translated) -> Json:
    """Return what the cases look at."""
    definitions = {item["name"]: item for item in translated.body["containerDefinitions"]}
    init = definitions.get("init") or translated.body["containerDefinitions"][0]
    return {
        "body": dict(translated.body),
        "container": definitions.get("app") or translated.body["containerDefinitions"][-1],
        "init": init,
        "ports": [dataclasses.asdict(port) for port in translated.ports],
        "grace": translated.health_check_grace_period_seconds,
        "size": dataclasses.asdict(translated.task_size) if translated.task_size else None,
        "tags": dict(translated.tags),
    }


@pytest.mark.parametrize("case", TRANSLATED, ids=lambda case: f"{case[0]}={str(case[1])[:40]}")
def test_a_translated_field_is_where_the_table_says(case: tuple[Any, ...]) -> None:
    """The field's value is found in ECS's words."""
    path, value, where, expected, *base = case
    seen = view(result(with_field(path, value, *base)))
    assert jmespath.search(where, seen) == expected


@pytest.mark.parametrize("case", CONDITIONAL, ids=lambda case: f"{case[0]} {case[2]}")
def test_a_field_whose_answer_depends_gets_it_when_it_does(case: tuple[Any, ...]) -> None:
    """Refused or warned exactly where the table's condition holds, at the field's path."""
    path, value, kind, text, *base = case
    obj = with_field(path, value, *base)
    where = f"spec.template.{path.removesuffix('[]').replace('[]', '[0]')}"
    if kind == "warned":
        assert any(w.path.startswith(where) and text in w.text for w in result(obj).warnings)
        return
    with pytest.raises(Refused) as refusal:
        result(obj)
    assert where in refusal.value.message
    assert text in refusal.value.message


WARNED = [line for line in lines() if line.answer.kind == "warned" and not line.answer.when]


@pytest.mark.parametrize("line", WARNED, ids=lambda line: _short(line.path))
def test_a_warned_field_is_told(line: Any) -> None:
    """The field is taken, and a warning has the table's words and the field's path."""
    path = _short(line.path)
    warnings = result(with_field(path, _warned_value(path), PORT)).warnings
    where = line.path.removesuffix("[]").replace("[]", "[0]")
    assert [w.text for w in warnings if w.path == where and w.text == line.answer.text]


def _warned_value(path: str) -> Any:
    last = path.rsplit(".", 1)[-1]
    known = {
        "exec": {"command": ["a"]},
        "httpGet": {"port": 8080},
        "tcpSocket": {"port": 8080},
        "grpc": {"port": 8080},
    }
    special = {"imagePullPolicy": "Never", "type": "RuntimeDefault"}
    return known.get(last) or special.get(last) or sample_of(schema_at(path))


ACCEPTED = [line for line in lines() if line.answer.kind == "accepted"]


@pytest.mark.parametrize("line", ACCEPTED, ids=lambda line: _short(line.path))
def test_an_accepted_field_changes_nothing(line: Any) -> None:
    """The task definition is the same with and without it, and nothing is warned of."""
    path = _short(line.path)
    base = STARTING if "startupProbe" in path else PORT
    if ".fieldRef." in path or ".volumeDevices" in path:
        return  # parts of a field whose own case is in the other tables
    value = _accepted_value(path)
    context = dataclasses.replace(CONTEXT, task_role_arn="arn:aws:iam::111122223333:role/task")
    with_it, without = result(with_field(path, value, base), context), result(base, context)
    assert with_it.body == without.body
    if not line.answer.text.startswith("see"):
        assert with_it.warnings == without.warnings


def _accepted_value(path: str) -> Any:
    known = {
        "os": {"name": "linux"},
        "seccompProfile": {"type": "RuntimeDefault"},
        "appArmorProfile": {"type": "RuntimeDefault"},
        "affinity": {},
        "lifecycle": {},
    }
    last = path.rsplit(".", 1)[-1]
    return known[last] if last in known else sample_of(schema_at(path))


def test_every_line_of_the_table_has_a_case() -> None:
    """A translated or conditional line without an example would be a promise that nothing checks."""
    cases = {case[0].removesuffix("[]") for case in TRANSLATED}
    missing = []
    for line in lines():
        path = _short(line.path).removesuffix("[]")
        if line.answer.kind == "translated" and not line.answer.text.startswith("see "):
            told = path in cases or COVERED_BY.get(path, "").removesuffix("[]") in cases
            if not told:
                missing.append(f"translated {path}")
        if line.answer.when and not any(
            case[0].removesuffix("[]") == path and case[2] == line.answer.kind for case in CONDITIONAL
        ):
            missing.append(f"{line.answer.kind} {path}")
    assert missing == []


def test_the_smallest_deployment() -> None:
    """One image: 256 CPU units and 512 MiB on Fargate, awsvpc, logs by the execution role, nothing else."""
    translated = result(deployment())
    assert dict(translated.body) == {
        "family": "web-0123456789",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": EXECUTION_ROLE,
        "containerDefinitions": [
            {
                "name": "app",
                "image": "nginx",
                "essential": True,
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-create-group": "true",
                        "awslogs-group": "/ecs/shop/web",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "web",
                    },
                },
            }
        ],
    }
    assert translated.warnings == ()


@pytest.fixture(scope="module")
def world() -> World:
    """The stand-in's AWS, in process; it refuses what AWS refuses."""
    return World.build(clock=VirtualClock())


@pytest.mark.parametrize("case", TRANSLATED, ids=lambda case: f"{case[0]}={str(case[1])[:40]}")
def test_every_example_is_a_task_definition_that_ecs_takes(case: tuple[Any, ...], world: World) -> None:
    """What comes out is valid by botocore's model and the rules around it, and is registered as it is."""
    path, value, _, _, *base = case
    body = result(with_field(path, value, *base)).body
    registered = world.call("ecs", "RegisterTaskDefinition", dict(body))["taskDefinition"]
    assert definition_hash(registered) == definition_hash(body)
