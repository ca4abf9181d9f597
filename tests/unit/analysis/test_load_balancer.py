"""What the load balancer counted, as a sample."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.analysis.load_balancer import LoadBalancerSource
from unit.analysis.scenes import FakeAws, metric, scene, series

RATE = {"metric": "TargetErrorRate"}
TIME = {"metric": "TargetResponseTime", "statistic": "p99"}
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, list[float]], float | None]] = {
    "errors per request over all minutes": (RATE, {}, {"b0_requests": [60, 40], "b0_bad": [3, 2]}, 0.05),
    "no error": (RATE, {}, {"b0_requests": [60]}, 0.0),
    "no request is no data": (RATE, {}, {}, None),
    "too few requests are no data": (
        RATE,
        {"min_requests": 101},
        {"b0_requests": [100], "b0_bad": [100]},
        None,
    ),
    "just enough": (RATE, {"min_requests": 100}, {"b0_requests": [100], "b0_bad": [10]}, 0.1),
    "failed connections beyond the requests are all of them": (
        {"metric": "TargetConnectionErrorRate"},
        {},
        {"b0_requests": [2], "b0_bad": [9]},
        1.0,
    ),
    "against the live slot at the same time": (
        RATE,
        {"compare_to_live": True},
        {"b0_requests": [100], "b0_bad": [5], "a0_requests": [1000], "a0_bad": [20]},
        0.03,
    ),
    "nothing to compare with": (RATE, {"compare_to_live": True}, {"b0_requests": [100], "b0_bad": [5]}, None),
    "the worst minute of a quantile": (TIME, {}, {"b0_requests": [9, 9], "b0_time": [0.2, 0.9]}, 0.9),
    "the mean of an average": (
        {"metric": "TargetResponseTime", "statistic": "Average"},
        {},
        {"b0_requests": [9, 9], "b0_time": [0.2, 0.4]},
        0.3,
    ),
    "requests are counted": ({"metric": "RequestCount"}, {}, {"b0_requests": [7, 5]}, 12.0),
    "no requests are a number, too": ({"metric": "RequestCount"}, {}, {}, 0.0),
}


@pytest.mark.parametrize(("query", "changes", "counted", "value"), TABLE.values(), ids=TABLE)
def test_a_sample_of_what_was_counted(
    query: dict[str, Any], changes: dict[str, Any], counted: dict[str, list[float]], value: float | None
) -> None:
    """Counts add up over the window, quantiles take their worst minute."""
    aws = FakeAws({"GetMetricData": series(counted)})
    sample = LoadBalancerSource(aws).measure(scene(), metric("loadBalancer", query, **changes), now=9.0)
    assert sample.value == (pytest.approx(value) if value is not None else None)
    assert (sample.at, sample.error) == (9.0, "")
    assert len(aws.calls) == 1, "the slots are compared within one answer"


def test_the_dimensions_are_those_that_cloudwatch_has() -> None:
    """`app/<name>/<id>` and `targetgroup/<name>/<id>`, minutes as periods, windows of whole minutes."""
    aws = FakeAws({"GetMetricData": series({})})
    LoadBalancerSource(aws).measure(scene(), metric("loadBalancer", RATE), now=0.0)
    params = aws.calls[0][2]
    query = params["MetricDataQueries"][0]["MetricStat"]
    assert query["Metric"]["Dimensions"] == [
        {"Name": "LoadBalancer", "Value": "app/public/50dc6c495c0c9188"},
        {"Name": "TargetGroup", "Value": "targetgroup/web-b/73e2d6bc24d8a067"},
    ]
    assert query["Period"] == 60
    assert (params["StartTime"].timestamp(), params["EndTime"].timestamp()) == (960, 1_080)


def test_a_candidate_without_a_target_group_is_an_error() -> None:
    """There is nothing that a load balancer could count for it: never a silent pass."""
    sample = LoadBalancerSource(FakeAws({})).measure(scene(groups={}), metric("loadBalancer", RATE), now=0.0)
    assert "no target group" in sample.error
