"""From a Deployment's spec to ECS's words: the table of docs/translation.md, complete.

Pure. The same spec and the same ConfigMaps and annotations give the same task definition; a change of
any of them gives another one. Nothing is dropped in silence: a field is translated, is known to make
no difference, is told in a warning, or the whole spec is refused with every offending field.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sluice.api.v1alpha1.deployment import DeploymentSpec
from sluice.api.v1alpha1.parse import refuse
from sluice.plan.translation.definition import translate_definition
from sluice.plan.translation.model import (
    Findings,
    PortSpec,
    References,
    Sources,
    TaskSize,
    Translated,
    TranslationContext,
    Warning,  # noqa: A004 - the word of the condition `Warnings`
)
from sluice.plan.translation.references import references
from sluice.plan.translation.template import translate_template

MAX_TAGS: Final = 40  # of AWS's 50; the rest is Sluice's own

__all__ = [
    "PortSpec",
    "References",
    "Sources",
    "TaskSize",
    "Translated",
    "TranslationContext",
    "Warning",
    "references",
    "translate",
]


def translate(spec: DeploymentSpec, context: TranslationContext) -> Translated:
    """Return the Deployment in ECS's words.

    Raises Refused("InvalidSpec") that names every field that can't be translated and what to use.
    """
    findings = Findings()
    if spec.template is not None:
        result = translate_template(spec, spec.template, context, findings)
    else:
        result = translate_definition(spec, spec.task_definition or {}, context, findings)
    _service_rules(spec, result, context, findings)
    if findings.problems:
        raise refuse(findings.problems)
    return replace(result, warnings=findings.warnings)


def _service_rules(
    spec: DeploymentSpec, result: Translated, context: TranslationContext, findings: Findings
) -> None:
    """Check what the service needs for such a task definition."""
    configuration = spec.settings.network_configuration or context.default_network_configuration
    network = configuration.get("awsvpcConfiguration") or {}
    if result.body.get("networkMode") == "awsvpc" and not network.get("subnets"):
        findings.refuse(
            "spec.ecs.networkConfiguration",
            "awsvpc tasks need awsvpcConfiguration.subnets (and securityGroups)",
        )
    count = len(set(result.tags) | set(spec.settings.tags or {}))
    if count > MAX_TAGS:
        findings.refuse("spec.ecs.tags", f"{count} tags with the template's labels, {MAX_TAGS} at most")
