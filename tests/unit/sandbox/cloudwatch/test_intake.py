"""PutMetricData: what is kept, and what is refused with which code."""

from __future__ import annotations

from typing import Any

import pytest
from cw_world import NAMESPACE, START, CloudWatch, stat

DAY = 86_400


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        pytest.param({}, "MissingParameter", id="no value"),
        pytest.param({"Value": 1.0, "Values": [1.0]}, "InvalidParameterValue", id="value and values"),
        pytest.param(
            {"Value": 1.0, "StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}},
            "InvalidParameterCombination",
            id="value and statistic set",
        ),
        pytest.param({"Value": float("nan")}, "InvalidParameterValue", id="NaN"),
        pytest.param({"Value": float("inf")}, "InvalidParameterValue", id="infinity"),
        pytest.param({"Value": 2.0**361}, "InvalidParameterValue", id="too large"),
        pytest.param({"Value": -(2.0**361)}, "InvalidParameterValue", id="too small"),
        pytest.param({"Values": [1.0, 2.0], "Counts": [1.0]}, "InvalidParameterValue", id="counts too few"),
        pytest.param({"Values": [float(n) for n in range(151)]}, "InvalidParameterValue", id="151 values"),
        pytest.param({"Values": []}, "MissingParameter", id="empty values"),
        pytest.param({"Values": [1.0], "Counts": [-1.0]}, "InvalidParameterValue", id="negative count"),
        pytest.param(
            {"StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}},
            "InvalidParameterValue",
            id="empty statistic set",
        ),
        pytest.param(
            {"StatisticValues": {"SampleCount": 2, "Sum": 1, "Minimum": 5, "Maximum": 1}},
            "InvalidParameterValue",
            id="minimum above maximum",
        ),
        pytest.param({"Value": 1.0, "StorageResolution": 30}, "InvalidParameterValue", id="resolution 30"),
        pytest.param({"Value": 1.0, "Unit": "Apples"}, "ValidationError", id="unknown unit"),
        pytest.param(
            {"Value": 1.0, "Timestamp": START - 14 * DAY - 60}, "InvalidParameterValue", id="too old"
        ),
        pytest.param({"Value": 1.0, "Timestamp": START + 7_260}, "InvalidParameterValue", id="too new"),
        pytest.param(
            {"Value": 1.0, "Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)]},
            "ValidationError",
            id="31 dimensions",
        ),
        pytest.param(
            {"Value": 1.0, "Dimensions": [{"Name": ":d", "Value": "v"}]},
            "InvalidParameterValue",
            id="colon first",
        ),
        pytest.param(
            {"Value": 1.0, "Dimensions": [{"Name": "d", "Value": "  "}]},
            "InvalidParameterValue",
            id="blank dimension value",
        ),
        pytest.param(
            {"Value": 1.0, "Dimensions": [{"Name": "d", "Value": "1"}, {"Name": "d", "Value": "2"}]},
            "InvalidParameterValue",
            id="dimension twice",
        ),
    ],
)
def test_a_datum_is_refused(cw: CloudWatch, datum: dict[str, Any], code: str) -> None:
    """Each rule of PutMetricData's reference has its refusal, and nothing of the request is kept."""
    good = {"MetricName": "good", "Value": 1.0}
    error = cw.refusal("PutMetricData", Namespace=NAMESPACE, MetricData=[good, {"MetricName": "m", **datum}])
    assert (error.code, error.status) == (code, 400)
    assert cw.call("ListMetrics")["Metrics"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param(
            {"Namespace": "AWS/ECS", "MetricData": [{"MetricName": "m", "Value": 1.0}]},
            "InvalidParameterValue",
            id="namespace of AWS",
        ),
        pytest.param({"Namespace": NAMESPACE, "MetricData": []}, "MissingParameter", id="no data"),
        pytest.param({"Namespace": NAMESPACE}, "MissingParameter", id="no member for data"),
        pytest.param(
            {
                "Namespace": NAMESPACE,
                "MetricData": [{"MetricName": f"m{n}", "Value": 1.0} for n in range(1001)],
            },
            "ValidationError",
            id="1001 metrics",
        ),
        pytest.param(
            {"Namespace": ":n", "MetricData": [{"MetricName": "m", "Value": 1.0}]},
            "ValidationError",
            id="namespace with a colon first",
        ),
    ],
)
def test_a_request_is_refused(cw: CloudWatch, params: dict[str, Any], code: str) -> None:
    """What is wrong with the whole request is refused before any datum is looked at."""
    assert cw.refusal("PutMetricData", **params).code == code


@pytest.mark.parametrize(
    "at",
    [pytest.param(START - 14 * DAY, id="two weeks ago"), pytest.param(START + 7_200, id="in two hours")],
)
def test_the_ends_of_the_window_are_accepted(cw: CloudWatch, at: float) -> None:
    """Two weeks back and two hours ahead are still accepted."""
    cw.put(1.0, at=at)
    assert len(cw.call("ListMetrics")["Metrics"]) == 1


def test_values_count_as_often_as_counts_say(cw: CloudWatch) -> None:
    """Values and Counts add up as if each value had been put that often."""
    cw.call(
        "PutMetricData",
        Namespace=NAMESPACE,
        MetricData=[{"MetricName": "m", "Values": [1.0, 5.0], "Counts": [3.0, 1.0]}],
    )
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50", "p100")
    found = cw.values(*(stat("m", name, id=f"q{index}") for index, name in enumerate(names)))
    assert [found[f"q{index}"] for index in range(len(names))] == [
        [4.0],
        [8.0],
        [2.0],
        [1.0],
        [5.0],
        [1.0],
        [5.0],
    ]


def test_a_statistic_set_hides_its_percentiles(cw: CloudWatch) -> None:
    """A set with different minimum and maximum has statistics but no percentile; one value n times has."""
    for name, low in (("spread", 1.0), ("same", 5.0)):
        cw.call(
            "PutMetricData",
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": name,
                    "StatisticValues": {"SampleCount": 4, "Sum": 20, "Minimum": low, "Maximum": 5},
                }
            ],
        )
    found = cw.values(
        stat("spread", "p90"), stat("spread", "Average", id="mean"), stat("same", "p90"), minutes=1
    )
    assert found == {"spread": [], "mean": [5.0], "same": [5.0]}


def test_each_combination_of_dimensions_is_a_metric(cw: CloudWatch) -> None:
    """A metric with a dimension is not found without it; the order of dimensions does not matter."""
    one, two = {"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}
    cw.put(1.0, Dimensions=[one, two])
    cw.put(2.0, Dimensions=[two, one])
    cw.put(4.0)
    query = stat("errors")
    query["MetricStat"]["Metric"]["Dimensions"] = [two, one]
    assert cw.values(query, stat("errors", id="bare")) == {"errors": [3.0], "bare": [4.0]}
    assert len(cw.call("ListMetrics", MetricName="errors")["Metrics"]) == 2


def test_high_resolution_is_kept_by_the_second(cw: CloudWatch) -> None:
    """Only what was put with StorageResolution 1 is seen in periods below a minute."""
    for second in range(0, 30, 10):
        cw.put(1.0, metric="fine", at=START + second, StorageResolution=1)
        cw.put(1.0, metric="coarse", at=START + second)
    found = cw.values(stat("fine", period=10), stat("coarse", period=10), stat("fine", id="minute"))
    assert found == {"fine": [1.0, 1.0, 1.0], "coarse": [3.0], "minute": [3.0]}


def test_entities_bring_their_metrics(cw: CloudWatch) -> None:
    """EntityMetricData is kept like MetricData, and at most two entities are taken."""
    entity = {"Entity": {}, "MetricData": [{"MetricName": "m", "Value": 1.0}]}
    cw.call("PutMetricData", Namespace=NAMESPACE, EntityMetricData=[entity, entity])
    assert cw.values(stat("m")) == {"m": [2.0]}
    assert cw.refusal("PutMetricData", Namespace=NAMESPACE, EntityMetricData=[entity] * 3).code == (
        "ValidationError"
    )


def test_services_publish_into_their_own_namespaces(cw: CloudWatch) -> None:
    """The port takes any namespace, any time, and values with counts; it is asked before a read."""
    cw.service.on_flush(
        lambda: cw.service.publish(
            cw.world.caller,
            namespace="AWS/ApplicationELB",
            metric="RequestCount",
            dimensions={"LoadBalancer": "app/a/1"},
            values=[1.0],
            counts=[7.0],
            unit="Count",
            at=START,
        )
    )
    assert cw.call("ListMetrics", Namespace="AWS/ApplicationELB")["Metrics"] == [
        {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCount",
            "Dimensions": [{"Name": "LoadBalancer", "Value": "app/a/1"}],
        }
    ]
