"""How long the ways there and back took, by AWS's own record of the calls: a witness beside the operator.

The metric's answer is the detection; the write of the rule to the live slot alone is the rollback; the
reading of rules after it is the proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice_sandbox.demo.stage import DemoFailed

Call = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """Times of the calls, epoch seconds of AWS's clock."""

    weighted: float
    """The candidate got its first requests."""
    detected: float
    written: float
    verified: float

    def figures(self) -> Iterable[tuple[str, float]]:
        """Return names and seconds for the report."""
        return (
            ("seconds from its first requests to detection", self.detected - self.weighted),
            ("seconds from detection to the rule written", self.written - self.detected),
            ("seconds from the rule written to read back", self.verified - self.written),
        )


def way_back(calls: Sequence[Call]) -> WayBack:
    """Find the way back in the calls of one rollout, oldest first. Raises DemoFailed where there is none."""
    weights = [call for call in calls if call["operation"] == "ModifyRule" and _shares(call)]
    alone = next((call for call in reversed(weights) if len(_shares(call)) == 1), None)
    first = next((call for call in weights if len(_shares(call)) > 1), None)
    if alone is None or first is None or alone["number"] < first["number"]:
        raise DemoFailed("AWS recorded no rule that went to two target groups and back to one")
    asked = [c for c in calls if c["operation"] == "GetMetricData" and c["number"] < alone["number"]]
    read = [c for c in calls if c["operation"] == "DescribeRules" and c["number"] > alone["number"]]
    if not asked or not read:
        raise DemoFailed("AWS recorded no reading of metrics before the rollback, or of rules after it")
    return WayBack(
        weighted=_ended(first),
        detected=_ended(asked[-1]),
        written=_ended(alone),
        verified=_ended(read[0]),
    )


def there(calls: Sequence[Call]) -> tuple[float, float]:
    """Return when a candidate got its first requests and when all of them, in the calls of one rollout.

    Raises DemoFailed where there is no such way.
    """
    weights = [call for call in calls if call["operation"] == "ModifyRule" and _shares(call)]
    first = next((call for call in weights if len(_shares(call)) > 1), None)
    if first is None:
        raise DemoFailed("AWS recorded no rule that went to two target groups")
    groups = {share["TargetGroupArn"] for share in _shares(first)}
    for call in weights:
        shares = _shares(call)
        if call["number"] > first["number"] and len(shares) == 1 and shares[0]["TargetGroupArn"] in groups:
            return _ended(first), _ended(call)
    raise DemoFailed("AWS recorded no rule that went on to one of the two target groups alone")


def _shares(call: Call) -> list[Mapping[str, Any]]:
    """Return the target groups with weight of a written rule that can carry requests."""
    actions = call["params"].get("Actions") or ()
    groups = [g for action in actions for g in (action.get("ForwardConfig") or {}).get("TargetGroups", ())]
    return [group for group in groups if group.get("Weight", 1)]


def _ended(call: Call) -> float:
    return float(call["time"]) + float(call["duration"])
