"""Where the containers' logs go."""

from __future__ import annotations

from typing import Any, Final

from sluice.api.v1alpha1.ecs import EcsSettings, Logging
from sluice.plan.translation.model import Findings, TranslationContext

_FARGATE_DRIVERS: Final = frozenset(
    {"awslogs", "awsfirelens", "splunk"}
)  # ECS API, LogConfiguration.logDriver


def log_configuration(
    ecs: EcsSettings, context: TranslationContext, findings: Findings
) -> dict[str, Any] | None:
    """Return logConfiguration of every container; None for none.

    Without `ecs.logging`: awslogs into /ecs/<namespace>/<name> when an execution role may write there.
    """
    wanted = ecs.logging
    if wanted is None:
        return (
            {"logDriver": "awslogs", "options": _awslogs({}, context)} if context.execution_role_arn else None
        )
    return explicit_log_configuration(wanted, ecs, context, findings)


def explicit_log_configuration(
    wanted: Logging, ecs: EcsSettings, context: TranslationContext, findings: Findings
) -> dict[str, Any] | None:
    """Return what `ecs.logging` asks for; None for driver `none`."""
    if wanted.driver == "none":
        return None
    if ecs.fargate and wanted.driver not in _FARGATE_DRIVERS:
        text = f"Fargate has {', '.join(sorted(_FARGATE_DRIVERS))}; use one of them or capacity on EC2"
        findings.refuse("spec.ecs.logging.driver", text)
    if (
        (wanted.driver == "awslogs" and ecs.fargate) or wanted.secret_options
    ) and not context.execution_role_arn:
        findings.refuse("spec.ecs.executionRoleArn", "the log driver needs a role; set it")
    options = dict(wanted.options or {})
    if wanted.driver == "awslogs":
        options = _awslogs(options, context)
    result: dict[str, Any] = {"logDriver": wanted.driver}
    if options:
        result["options"] = dict(sorted(options.items()))
    if wanted.secret_options:
        result["secretOptions"] = sorted(wanted.secret_options, key=lambda item: str(item["name"]))
    return result


def _awslogs(options: dict[str, str], context: TranslationContext) -> dict[str, str]:
    filled = {
        "awslogs-region": context.region,
        "awslogs-stream-prefix": context.name,
        **options,
    }
    if "awslogs-group" not in filled:
        filled["awslogs-group"] = context.default_log_group or f"/ecs/{context.namespace}/{context.name}"
        filled.setdefault("awslogs-create-group", "true")
    return dict(sorted(filled.items()))
