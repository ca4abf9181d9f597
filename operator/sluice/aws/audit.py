"""One line in the log for each write that AWS was asked for: what, why, for whom, what became of it.

Parameters are shown by an allow-list of identifying members, so that no environment value, secret or
command line can reach a log whatever AWS adds to its API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from sluice.model.binding import CallContext

_SHOWN: Final = frozenset(
    {
        "cluster",
        "service",
        "serviceName",
        "family",
        "taskDefinition",
        "desiredCount",
        "launchType",
        "resourceArn",
        "Name",
        "ListenerArn",
        "RuleArn",
        "Priority",
        "RulePriorities",
        "TargetGroupArn",
        "ResourceArns",
        "forceNewDeployment",
        "force",
        "count",
        "startedBy",
        "Id",
        "NamespaceId",
        "ServiceId",
        "InstanceId",
        "TopicArn",
    }
)

_log = structlog.get_logger("sluice.aws")


def shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a call's parameters that may be logged, and the weights of a rule."""
    result = {name: value for name, value in params.items() if name in _SHOWN}
    weights = {
        group.get("TargetGroupArn", ""): group.get("Weight", 1)
        for action in params.get("Actions") or ()
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    }
    return result | ({"weights": weights} if weights else {})


def audit(
    service: str,
    operation: str,
    params: Mapping[str, Any],
    *,
    context: CallContext,
    outcome: str,
    detail: str = "",
    request_id: str = "",
    seconds: float = 0.0,
) -> None:
    """Log one write; `outcome` is ok, dry-run or the kind of the failure, `detail` AWS's words.

    `request_id` is what CloudTrail calls the call, '' where no answer came. Namespace, name, uid, reconcile
    id and rollout id stand beside it, as in every line of a pass.
    """
    write = _log.info if outcome in ("ok", "dry-run") else _log.warning
    write(
        "aws_write",
        service=service,
        operation=operation,
        params=shown(params),
        key=str(context.key),
        subject=context.subject,
        reason=context.reason,
        priority=context.priority.name.lower(),
        account=context.binding.account,
        region=context.binding.region,
        outcome=outcome,
        seconds=round(seconds, 4),
        **({"request_id": request_id} if request_id else {}),
        **({"detail": detail} if detail else {}),
    )
