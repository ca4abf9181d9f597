"""Shares to ALB weights: static backend share by slot share, composed by largest remainder.

rollout.md §4: integers 0-999, parts of 100 where that is exact and of 1000 otherwise; what is not
zero never rounds to zero; what is zero is left out; a survivor is written alone; at most five target
groups in a rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from sluice.model.errors import Refused

TARGET_GROUPS_PER_RULE: Final = 5
ALONE: Final = 1
"""Weight of a target group that gets everything: ALB answers 1 when none was given."""


def compose(shares: Sequence[tuple[int, Mapping[str, int]]]) -> dict[str, int]:
    """Return target group ARN → weight.

    `shares` has, for each backend, its static weight and the parts of its target groups. A target
    group that occurs twice gets both shares. Raises Refused(InvalidSpec) for more than five target
    groups, or when nothing would get anything.
    """
    total_static = sum(weight for weight, _ in shares)
    fractions: dict[str, Fraction] = {}
    for weight, parts in shares:
        total_parts = sum(parts.values())
        for arn, part in parts.items():
            if weight and part:
                share = Fraction(weight, total_static) * Fraction(part, total_parts)
                fractions[arn] = fractions.get(arn, Fraction(0)) + share
    if not fractions:
        raise Refused("InvalidSpec", "spec.rules: every backendRef has weight 0; give one of them a weight")
    if len(fractions) > TARGET_GROUPS_PER_RULE:
        raise Refused(
            "InvalidSpec",
            f"spec.rules: the backends need {len(fractions)} target groups, an ALB rule forwards to at"
            f" most {TARGET_GROUPS_PER_RULE}; use fewer backendRefs",
        )
    if len(fractions) == 1:
        return dict.fromkeys(fractions, ALONE)
    exact = all((share * 100).denominator == 1 for share in fractions.values())
    return largest_remainder(fractions, total=100 if exact else 1000)


def largest_remainder(shares: Mapping[str, Fraction], *, total: int) -> dict[str, int]:
    """Split `total` in proportion to `shares` (which sum to 1), at least 1 for each, sum exact.

    Ties go to the earlier name, so that the result does not depend on the order of the mapping.
    """
    names = sorted(shares)
    parts = {name: max(1, int(shares[name] * total)) for name in names}
    by_need = sorted(names, key=lambda name: (parts[name] - shares[name] * total, name))
    missing = total - sum(parts.values())
    for name in by_need[: max(missing, 0)]:
        parts[name] += 1
    while sum(parts.values()) > total:
        # A share below one part was lifted to one: the largest pays, it notices least.
        parts[max(names, key=lambda name: (parts[name], name))] -= 1
    return parts


def forward_weights(actions: Sequence[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return target group ARN → weight of a rule's forward action, without zeros; None without one.

    A single target group reads as `ALONE`, whatever weight AWS shows.
    """
    for action in actions:
        if action["Type"] != "forward":
            continue
        groups = action.get("ForwardConfig", {}).get("TargetGroups")
        if not groups:
            return {action["TargetGroupArn"]: ALONE}
        weights = {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
        present = {arn: weight for arn, weight in weights.items() if weight}
        return dict.fromkeys(present, ALONE) if len(present) == 1 else present
    return None


def sticky_seconds(actions: Sequence[Mapping[str, Any]]) -> int:
    """Return how long a rule keeps clients on their target group; 0 when it does not."""
    for action in actions:
        sticky = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {})
        if action["Type"] == "forward" and sticky.get("Enabled"):
            return int(sticky.get("DurationSeconds", 0))
    return 0


def with_forward(
    actions: Sequence[Mapping[str, Any]], weights: Mapping[str, int], *, sticky: int | None = None
) -> list[dict[str, Any]]:
    """Return `actions` with the forward action's target groups replaced and all else as it is.

    Other actions and their Order stay (rollout.md §4), an OIDC action with the client secret that AWS
    has and does not show. `sticky` is the session persistence in seconds, 0 to end it, None to leave
    it. What answered instead of a forward (a hand-made redirect or fixed response) is replaced by one.
    """
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in sorted(weights.items())]
    kept: list[dict[str, Any]] = []
    forward: dict[str, Any] = {"Type": "forward", "ForwardConfig": {}}
    for action in actions:
        if action["Type"] == "forward":
            config = {k: v for k, v in action.get("ForwardConfig", {}).items() if k != "TargetGroups"}
            forward = {k: v for k, v in action.items() if k != "TargetGroupArn"} | {"ForwardConfig": config}
        elif action["Type"].startswith("authenticate-"):
            kept.append(_with_secret(action))
    forward["ForwardConfig"]["TargetGroups"] = groups
    if sticky is not None:
        enabled = {"Enabled": True, "DurationSeconds": sticky} if sticky else {"Enabled": False}
        forward["ForwardConfig"]["TargetGroupStickinessConfig"] = enabled
    return [*kept, forward]


def _with_secret(action: Mapping[str, Any]) -> dict[str, Any]:
    """Return an authenticate action that can be sent back.

    DescribeRules leaves the OIDC client secret out; ModifyRule takes `UseExistingClientSecret` instead
    (botocore elbv2, AuthenticateOidcActionConfig).
    """
    config = action.get("AuthenticateOidcConfig")
    if config is None:
        return dict(action)
    kept = {name: value for name, value in config.items() if name != "ClientSecret"}
    return dict(action) | {"AuthenticateOidcConfig": kept | {"UseExistingClientSecret": True}}
