"""docs/translation.md: what becomes of every PodTemplate field, from the answers in the types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from sluice.api.v1alpha1.container import Container
from sluice.api.v1alpha1.pod import PodTemplateSpec
from sluice.api.v1alpha1.schema import Answer, Typed, answers

_PREFIX: Final = "spec.template."
INTRODUCTION: Final = """# PodTemplate on ECS

Generated from the types (`make generate`). Every field that Kubernetes knows has an answer: it is
**translated**, **accepted** (it makes no difference on ECS), accepted with a warning (**warned**: a
condition `Warnings` and `kubectl apply` say it) or **refused** with what to use instead. Nothing is
dropped in silence; a field that is missing here is refused by the API server as unknown.

Paths are below `spec.template`; `[]` stands for each item. `spec.taskDefinition` takes the body of ECS's
RegisterTaskDefinition instead, as it is.

Beyond the fields:

- **Task size.** The sum of the containers' requests (or the largest init container's, or the pod's own
  `resources`), on Fargate rounded up to the next size that AWS offers; `status.taskSize` shows both. No
  requests at all: 256 CPU units and 512 MiB. On EC2 nothing is rounded and containers carry their own sizes.
- **Secrets.** A Kubernetes Secret is usable when it is annotated `sluice.dev/value-from: <ARN>`
  with the ARN of a Secrets Manager secret or an SSM parameter; ECS reads the value, Sluice never
  does. A key becomes the JSON key of a Secrets Manager secret, unless the ARN itself ends with one
  (`...:key::`); an SSM parameter has one value, so only one key can refer to it.
- **Health checks.** Of the readiness probe of the container that owns the port, else of its liveness probe,
  else a request to `/` that any answer below 500 passes. `ecs.targetGroups` refines each port. Values are
  brought into the ranges that AWS allows: interval 5 to 300 s, timeout 2 to 120 s and below the interval,
  thresholds 2 to 10.
- **Names in values.** `$(NAME)` in `value`, `command` and `args` is expanded as the kubelet does, for
  variables with literal values; one that refers to a secret is refused.
- **Logs.** `awslogs` into `/ecs/<namespace>/<name>` when there is an execution role, unless
  `ecs.logging` says otherwise.

| field | answer | what it means |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    path: str
    """As in `spec.template.spec.containers[].image`."""
    answer: Answer


def lines() -> list[Line]:
    """Return every line of the table; init containers only where they differ from containers."""
    return list(_walk(PodTemplateSpec, "spec.template"))


def translation_table() -> str:
    """Return the Markdown text."""
    rows = [
        f"| `{line.path.removeprefix(_PREFIX)}` | {line.answer.kind}{_when(line.answer)} | {_cell(line)} |"
        for line in lines()
    ]
    return INTRODUCTION + "\n".join(rows) + "\n"


def _when(answer: Answer) -> str:
    if answer.when:
        return f" ({answer.when})"
    if answer.unless and answer.kind in {"warned", "refused"}:
        harmless = (str(value).lower() if isinstance(value, bool) else value for value in answer.unless)
        return f" (unless {' or '.join(harmless)})"
    return ""


def _cell(line: Line) -> str:
    return line.answer.text.replace("|", "\\|")


def _walk(kind: type[Typed], path: str) -> Iterator[Line]:
    """Yield a type's lines; of a type made from another one (init containers) only what differs."""
    special = kind.__mro__[1] is Container
    for name, field in kind.model_fields.items():
        if special and name not in kind.__annotations__:
            continue
        marker = "[]" if _is_list(field.annotation) else ""
        here = f"{path}.{field.alias or name}{marker}"
        for answer in answers(kind, name):
            yield Line(here, answer)
        nested = None if special else _typed(field.annotation)
        if nested is not None:
            yield from _walk(nested, here)


def _typed(annotation: Any) -> type[Typed] | None:  # noqa: ANN401 - an annotation is any type form
    if isinstance(annotation, type) and issubclass(annotation, Typed):
        return annotation
    found = (_typed(argument) for argument in get_args(annotation) if get_origin(annotation) is not dict)
    return next((kind for kind in found if kind is not None), None)


def _is_list(annotation: Any) -> bool:  # noqa: ANN401
    return get_origin(annotation) is list or any(_is_list(argument) for argument in get_args(annotation))
