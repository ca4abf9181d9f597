"""GetMetricData, GetMetricStatistics, ListMetrics: shapes, orders, pages, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from cw_world import NAMESPACE, START, CloudWatch, stat

MINUTES = {"StartTime": START - 600, "EndTime": START + 60}


def filled(cw: CloudWatch) -> None:
    """Put 1, 2, 3 in three following minutes, the last one now."""
    for index in range(3):
        cw.put(float(index + 1), metric="m", at=START - 120 + 60 * index)


def test_newest_first_unless_asked(cw: CloudWatch) -> None:
    """ScanBy's default is TimestampDescending."""
    filled(cw)
    for scan, values in ((None, [3.0, 2.0, 1.0]), ("TimestampAscending", [1.0, 2.0, 3.0])):
        more = {"ScanBy": scan} if scan else {}
        answer = cw.call("GetMetricData", MetricDataQueries=[stat("m")], **MINUTES, **more)
        result = answer["MetricDataResults"][0]
        assert result["Values"] == values
        assert (result["Id"], result["Label"], result["StatusCode"]) == ("m", "m", "Complete")
        assert [moment.second for moment in result["Timestamps"]] == [0, 0, 0]


def test_start_is_inclusive_and_end_exclusive(cw: CloudWatch) -> None:
    """A point at StartTime is returned, one at EndTime is not; a start within a minute is rounded down."""
    filled(cw)
    for start, end, values in ((-120, 0, [2.0, 1.0]), (-60, 1, [3.0, 2.0]), (-31, 1, [3.0, 2.0])):
        answer = cw.call(
            "GetMetricData", MetricDataQueries=[stat("m")], StartTime=START + start, EndTime=START + end
        )
        assert answer["MetricDataResults"][0]["Values"] == values


def test_what_was_never_put_is_an_empty_result(cw: CloudWatch) -> None:
    """An unknown metric is no error: it has no values and is Complete."""
    result = cw.call("GetMetricData", MetricDataQueries=[stat("ghost")], **MINUTES)["MetricDataResults"]
    assert result == [
        {"Id": "ghost", "Label": "ghost", "Timestamps": [], "Values": [], "StatusCode": "Complete"}
    ]


def test_a_unit_that_was_not_put_finds_nothing(cw: CloudWatch) -> None:
    """Without a unit all data counts, with one only its own (botocore: GetMetricData)."""
    cw.put(1.0, metric="m", Unit="Count")
    cw.put(2.0, metric="m", Unit="Percent")
    queries = []
    for name, unit in (("all", None), ("count", "Count"), ("bytes", "Bytes")):
        query = stat("m", id=name)
        if unit is not None:
            query["MetricStat"]["Unit"] = unit
        queries.append(query)
    assert cw.values(*queries) == {"all": [3.0], "count": [1.0], "bytes": []}


def test_pages_of_data_points(cw: CloudWatch) -> None:
    """MaxDatapoints cuts over all results; a cut result is PartialData and goes on with the token."""
    filled(cw)
    cw.put(9.0, metric="n")
    found: list[tuple[str, float]] = []
    token: dict[str, str] = {}
    codes = []
    while True:
        answer = cw.call(
            "GetMetricData",
            MetricDataQueries=[stat("m"), stat("n")],
            MaxDatapoints=2,
            **MINUTES,
            **token,
        )
        for result in answer["MetricDataResults"]:
            found += [(result["Id"], value) for value in result["Values"]]
            codes.append(result["StatusCode"])
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert found == [("m", 3.0), ("m", 2.0), ("m", 1.0), ("n", 9.0)]
    assert codes == ["PartialData", "Complete", "Complete"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"StartTime": START, "EndTime": START}, "ValidationError", id="no span"),
        pytest.param({"StartTime": START, "EndTime": START - 60}, "ValidationError", id="backwards"),
        pytest.param({"MetricDataQueries": []}, "ValidationError", id="no queries"),
        pytest.param({"MetricDataQueries": [stat("m"), stat("m")]}, "ValidationError", id="id twice"),
        pytest.param({"MetricDataQueries": [stat("m", id="Big")]}, "ValidationError", id="capital id"),
        pytest.param({"MetricDataQueries": [stat("m", period=45)]}, "ValidationError", id="period 45"),
        pytest.param({"MetricDataQueries": [stat("m", "Median")]}, "ValidationError", id="no statistic"),
        pytest.param({"MetricDataQueries": [{"Id": "a"}]}, "ValidationError", id="neither stat nor math"),
        pytest.param(
            {"MetricDataQueries": [{**stat("m"), "Expression": "1"}]}, "ValidationError", id="stat and math"
        ),
        pytest.param(
            {"MetricDataQueries": [stat("m", ReturnData=False)]}, "ValidationError", id="nothing returned"
        ),
        pytest.param(
            {"MetricDataQueries": [stat("m", id=f"q{n}") for n in range(501)]},
            "ValidationError",
            id="501 queries",
        ),
        pytest.param({"NextToken": "made up"}, "InvalidNextToken", id="foreign token"),
        pytest.param({"MaxDatapoints": 100_801}, "ValidationError", id="too many points"),
        pytest.param({"ScanBy": "Sideways"}, "ValidationError", id="unknown order"),
        pytest.param(
            {"MetricDataQueries": [{"Id": "q", "Expression": "SELECT AVG(m) FROM Shop"}]},
            "UnsupportedOperation",
            id="Metrics Insights",
        ),
        pytest.param(
            {"MetricDataQueries": [stat("m", AccountId="444455556666")]},
            "UnsupportedOperation",
            id="another account",
        ),
    ],
)
def test_get_metric_data_refuses(cw: CloudWatch, params: dict[str, Any], code: str) -> None:
    """Each rule of the request has its refusal; what is not modelled says so."""
    error = cw.refusal("GetMetricData", **{"MetricDataQueries": [stat("m")], **MINUTES, **params})
    assert error.code == code


def test_statistics_by_unit(cw: CloudWatch) -> None:
    """GetMetricStatistics gives a point for each period and unit, with just what was asked."""
    cw.put(1.0, metric="m", Unit="Count")
    cw.put(3.0, metric="m", Unit="Count")
    cw.put(50.0, metric="m", Unit="Percent")
    answer = cw.call(
        "GetMetricStatistics",
        Namespace=NAMESPACE,
        MetricName="m",
        Period=60,
        Statistics=["Average", "SampleCount"],
        **MINUTES,
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Unit"])
    assert answer["Label"] == "m"
    assert [(p["Unit"], p["Average"], p["SampleCount"]) for p in points] == [
        ("Count", 2.0, 2.0),
        ("Percent", 50.0, 1.0),
    ]
    assert "Sum" not in points[0]


def test_extended_statistics(cw: CloudWatch) -> None:
    """Percentiles come in a map of their own; with a negative value there are none."""
    for value in range(1, 101):
        cw.put(float(value), metric="m")
    ask = {"Namespace": NAMESPACE, "MetricName": "m", "Period": 60, **MINUTES}
    points = cw.call("GetMetricStatistics", ExtendedStatistics=["p50", "p99", "tm90"], **ask)["Datapoints"]
    assert points[0]["ExtendedStatistics"] == {"p50": 50.0, "p99": 99.0, "tm90": 45.5}
    cw.put(-1.0, metric="m")
    assert cw.call("GetMetricStatistics", ExtendedStatistics=["p50"], **ask)["Datapoints"] == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({}, "MissingParameter", id="no statistics"),
        pytest.param(
            {"Statistics": ["Sum"], "ExtendedStatistics": ["p50"]}, "InvalidParameterCombination", id="both"
        ),
        pytest.param({"ExtendedStatistics": ["p101"]}, "InvalidParameterValue", id="p101"),
        pytest.param({"Statistics": ["p50"]}, "ValidationError", id="percentile among statistics"),
        pytest.param({"Statistics": ["Sum"], "Period": 90}, "InvalidParameterValue", id="period 90"),
        pytest.param({"Statistics": ["Sum"], "StartTime": START + 60}, "InvalidParameterValue", id="no span"),
        pytest.param(
            {"Statistics": ["Sum"], "StartTime": START + 60 - 1_441 * 60},
            "InvalidParameterCombination",
            id="1441 points",
        ),
    ],
)
def test_get_metric_statistics_refuses(cw: CloudWatch, params: dict[str, Any], code: str) -> None:
    """Each rule of the request has its refusal."""
    ask = {"Namespace": NAMESPACE, "MetricName": "m", "Period": 60, **MINUTES, **params}
    assert cw.refusal("GetMetricStatistics", **ask).code == code


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        pytest.param({}, ["a", "b", "c"], id="all"),
        pytest.param({"MetricName": "b"}, ["b"], id="name"),
        pytest.param({"Namespace": "Other"}, [], id="other namespace"),
        pytest.param({"Dimensions": [{"Name": "zone"}]}, ["b", "c"], id="dimension"),
        pytest.param({"Dimensions": [{"Name": "zone", "Value": "2"}]}, ["c"], id="dimension and value"),
    ],
)
def test_list_metrics_filters(cw: CloudWatch, filters: dict[str, Any], names: list[str]) -> None:
    """Names match exactly; a metric with more dimensions than asked is listed too."""
    cw.put(1.0, metric="a")
    cw.put(1.0, metric="b", Dimensions=[{"Name": "zone", "Value": "1"}, {"Name": "host", "Value": "x"}])
    cw.put(1.0, metric="c", Dimensions=[{"Name": "zone", "Value": "2"}])
    assert [item["MetricName"] for item in cw.call("ListMetrics", **filters)["Metrics"]] == names


def test_list_metrics_forgets_the_silent(cw: CloudWatch) -> None:
    """After three hours a metric is not recently active, after two weeks it is not listed."""
    cw.put(1.0, metric="m")
    cw.clock.advance(3 * 3_600 + 60)
    assert cw.call("ListMetrics", RecentlyActive="PT3H")["Metrics"] == []
    assert len(cw.call("ListMetrics")["Metrics"]) == 1
    cw.clock.advance(14 * 86_400)
    assert cw.call("ListMetrics")["Metrics"] == []


def test_list_metrics_pages_by_500(cw: CloudWatch) -> None:
    """500 metrics a page, each once over all pages; a foreign token is refused."""
    data = [{"MetricName": f"m{number:04}", "Value": 1.0} for number in range(501)]
    cw.call("PutMetricData", Namespace=NAMESPACE, MetricData=data)
    first = cw.call("ListMetrics")
    second = cw.call("ListMetrics", NextToken=first["NextToken"])
    assert (len(first["Metrics"]), len(second["Metrics"])) == (500, 1)
    assert "NextToken" not in second
    assert cw.refusal("ListMetrics", NextToken="x").code == "InvalidNextToken"


def test_old_samples_are_forgotten(cw: CloudWatch) -> None:
    """Sub-minute data lives for three hours; the minute that it added up to stays."""
    cw.put(1.0, metric="m", StorageResolution=1)
    cw.clock.advance(3 * 3_600 + 60)
    for _ in range(256):
        cw.put(1.0, metric="m", StorageResolution=1)
    series = next(iter(cw.service.state.region(cw.world.caller).metrics.values()))
    assert len(series.fine) == 1
    assert len(series.coarse) == 2
