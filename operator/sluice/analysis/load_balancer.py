"""The load balancer as a source: what it counted for the slots' own target groups.

The candidate's and the live slot's numbers come from one call and one window, so a comparison is fair
(`compareTo: Live`). A sample over fewer requests than `minRequests` is no data: one failure among three
requests proves nothing. Metrics: "CloudWatch metrics for your Application Load Balancer", dimensions
TargetGroup and LoadBalancer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sluice.analysis.cloud_watch import Statistic, ask, combined
from sluice.analysis.placeholders import dimension
from sluice.model.rollout import MetricRequest
from sluice.model.situation import Sample
from sluice.model.traffic import SlotTarget
from sluice.ports import Aws, GateScene

NAMESPACE: Final = "AWS/ApplicationELB"
_RATES: Final[Mapping[str, str]] = {
    "TargetErrorRate": "HTTPCode_Target_5XX_Count",
    "TargetClientErrorRate": "HTTPCode_Target_4XX_Count",
    "TargetConnectionErrorRate": "TargetConnectionErrorCount",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    requests: float
    value: float | None


class LoadBalancerSource:
    """`metrics[].loadBalancer`."""

    def __init__(self, aws: Aws) -> None:
        """Ask through `aws`."""
        self._aws = aws

    def measure(self, scene: GateScene, request: MetricRequest, *, now: float) -> Sample:
        """Return one sample; raises SluiceError."""
        metric = request.metric
        name, statistic = str(metric.query["metric"]), str(metric.query.get("statistic") or "p99")
        slots = [request.candidate, *([request.live] if metric.compare_to_live and request.live else [])]
        queries = [
            query.query()
            for slot in slots
            for number, group in enumerate(scene.groups.get(slot, ()))
            for query in _queries(f"{slot}{number}", group, name, statistic)
        ]
        if not queries:
            return Sample(at=now, error="the candidate has no target group that a load balancer counts for")
        found = ask(self._aws, scene, queries, window=request.window)
        readings = {
            slot: _reading(slot, scene.groups.get(slot, ()), name, statistic, found) for slot in slots
        }
        own = readings[request.candidate]
        detail = f"{own.requests:g} requests"
        if own.requests < max(1, metric.min_requests) and name != "RequestCount":
            return Sample(at=now, detail=f"{detail}, {max(1, metric.min_requests)} needed")
        value = own.value
        if metric.compare_to_live and request.live:
            live = readings[request.live]
            if live.value is None or value is None:
                return Sample(at=now, detail=f"{detail}, the live slot has none to compare with")
            detail = f"{detail}; {value:g} against {live.value:g} of {live.requests:g} live"
            value -= live.value
        return Sample(at=now, value=value, detail=detail)


def _queries(prefix: str, group: SlotTarget, name: str, statistic: str) -> list[Statistic]:
    dimensions = {
        "TargetGroup": dimension(group.target_group_arn),
        "LoadBalancer": dimension(group.load_balancer_arn),
    }

    def query(suffix: str, metric: str, stat: str) -> Statistic:
        return Statistic(
            id=f"{prefix}_{suffix}", namespace=NAMESPACE, metric=metric, dimensions=dimensions, statistic=stat
        )

    found = [query("requests", "RequestCount", "Sum")]
    if name in _RATES:
        found.append(query("bad", _RATES[name], "Sum"))
    elif name == "TargetResponseTime":
        found.append(query("time", name, statistic))
    return found


def _reading(
    slot: str, groups: Sequence[SlotTarget], name: str, statistic: str, found: Mapping[str, list[float]]
) -> _Reading:
    prefixes = [f"{slot}{number}" for number, _ in enumerate(groups)]
    requests = sum(sum(found.get(f"{prefix}_requests", ())) for prefix in prefixes)
    if name == "RequestCount":
        return _Reading(requests=requests, value=requests)
    if name in _RATES:
        bad = sum(sum(found.get(f"{prefix}_bad", ())) for prefix in prefixes)
        # Connections that failed are not in RequestCount's answers; a rate above 1 would read oddly.
        return _Reading(requests=requests, value=min(1.0, bad / requests) if requests else None)
    times = [value for prefix in prefixes for value in found.get(f"{prefix}_time", ())]
    return _Reading(requests=requests, value=combined(statistic, times))
