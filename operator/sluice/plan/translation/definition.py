"""`spec.taskDefinition`: the body of RegisterTaskDefinition as a person wrote it.

It is taken as it is, but for the family, which is Sluice's own (another one is told in a warning, because
the output of `aws ecs describe-task-definition` carries it). Roles come from the body, else from `ecs` or
the tenancy: whoever calls this has to permit the roles of the finished body.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from sluice.api.v1alpha1.deployment import DeploymentSpec
from sluice.plan.canonical import canonical_definition
from sluice.plan.translation.logs import explicit_log_configuration
from sluice.plan.translation.model import Findings, TaskSize, Translated, TranslationContext
from sluice.plan.translation.ports import definition_ports

_PATH = "spec.taskDefinition"


def translate_definition(
    spec: DeploymentSpec, definition: Mapping[str, Any], context: TranslationContext, findings: Findings
) -> Translated:
    """Complete the body; what can't be is in `findings`, and the result is then not to be used."""
    body = deepcopy(dict(definition))
    ecs = spec.settings
    if body.get("family", context.family) != context.family:
        findings.warn(f"{_PATH}.family", f"the family is Sluice's own: {context.family}; remove it")
    body["family"] = context.family
    tags = {tag["key"]: tag.get("value", "") for tag in body.pop("tags", None) or ()}
    for key in sorted(tags):
        if key.startswith(("sluice.dev/", "aws:")):
            findings.refuse(f"{_PATH}.tags", f"{key} is reserved; choose another key")
    _role(body, "taskRoleArn", ecs.task_role_arn, context.task_role_arn, findings)
    _role(body, "executionRoleArn", ecs.execution_role_arn, context.execution_role_arn, findings)
    context = replace(context, execution_role_arn=body.get("executionRoleArn") or "")
    if ecs.runtime_platform and not body.get("runtimePlatform"):
        body["runtimePlatform"] = dict(ecs.runtime_platform)
    containers = body.get("containerDefinitions") or []
    if not containers:
        findings.refuse(f"{_PATH}.containerDefinitions", "at least one container is needed")
    logs = explicit_log_configuration(ecs.logging, ecs, context, findings) if ecs.logging else None
    for container in containers:
        if logs and not container.get("logConfiguration"):
            container["logConfiguration"] = deepcopy(logs)
    return Translated(
        body=body,
        task_size=_size(body),
        ports=definition_ports(body, ecs, findings),
        health_check_grace_period_seconds=None,
        tags=dict(sorted(tags.items())),
    )


def _role(body: dict[str, Any], member: str, asked: str | None, given: str, findings: Findings) -> None:
    """Keep the body's role, else take the given one; two different ones are refused."""
    written = body.get(member)
    if written and asked and written != asked:
        findings.refuse(f"{_PATH}.{member}", f"spec.ecs.{member} is another role; say it once")
    if not written and given:
        body[member] = given


def _size(body: Mapping[str, Any]) -> TaskSize | None:
    canonical = canonical_definition({**body, "containerDefinitions": []})
    cpu, memory = str(canonical.get("cpu", "")), str(canonical.get("memory", ""))
    if not (cpu.isdecimal() and memory.isdecimal()):
        return None
    return TaskSize(cpu=int(cpu), memory=int(memory), requested_cpu=int(cpu), requested_memory=int(memory))
