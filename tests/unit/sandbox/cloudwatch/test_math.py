"""Metric math, by the examples of the user guide and a table of expressions."""

from __future__ import annotations

import pytest
from cw_world import START, CloudWatch, stat
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.cloudwatch import statistics
from sluice_sandbox.aws.cloudwatch.series import Bucket

NOT_THERE = None
SERIES = {
    "a": (30.0, 20.0, 0.0, 0.0),
    "b": (20.0, NOT_THERE, 20.0, NOT_THERE),
    "errors_1": (1.0, 2.0, 3.0, 4.0),
    "errors_2": (10.0, 10.0, NOT_THERE, 10.0),
    "neg": (-1.5, 2.5, -3.0, 0.0),
    "yes": (1.0, 1.0, 0.0, 0.0),
    "third": (0.0, 0.0, 20.0, NOT_THERE),
}


@pytest.fixture
def series(cw: CloudWatch) -> CloudWatch:
    """Return a world with the series above, in the four minutes that end now."""
    for name, values in SERIES.items():
        for index, value in enumerate(values):
            if value is not None:
                cw.put(value, metric=name, at=START - 180 + 60 * index)
    return cw


def computed(cw: CloudWatch, expression: str) -> list[list[float]]:
    """Return the results of an expression over those four minutes, oldest first."""
    answer = cw.call(
        "GetMetricData",
        MetricDataQueries=[
            *(stat(name, ReturnData=False) for name in SERIES),
            {"Id": "x", "Expression": expression},
        ],
        StartTime=START - 180,
        EndTime=START + 60,
        ScanBy="TimestampAscending",
    )
    return [result["Values"] for result in answer["MetricDataResults"]]


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        # The guide's own examples of operators and IF.
        ("(a < b)", [0, 0, 1, 0]),
        ("(a >= 30)", [1, 0, 0, 0]),
        ("(a > 15 AND b > 15)", [1, 0, 0, 0]),
        ("(a > 15 && b > 15) || a == 20", [1, 1, 0, 0]),
        ("IF(yes, b, third)", [20, 0, 20]),
        ("IF(yes, 5, third)", [5, 5, 20]),
        ("IF(yes, b, 5)", [20, 0, 5, 5]),
        ("IF(a<25, a)", [20, 0, 0]),
        ("IF(1, a, b)", [30, 20, 0, 0]),
        ("IF(0, a, b)", [20, 20]),
        # Arithmetic: what is missing counts as 0, a division by zero is dropped.
        ("a + b", [50, 20, 20, 0]),
        ("a - b", [10, 20, -20, 0]),
        ("100 * b / a", [100 * 20 / 30, 0]),
        ("a / b", [1.5, 0]),
        ("1 / 0 * a", []),
        ("TIME_SERIES(1 / 0)", []),
        ("FILL(b, 1 / 0)", [20, 20]),
        ("IF(yes, 5, 0 / 0)", [5, 5]),
        ("-a", [-30, -20, 0, 0]),
        ("2 ^ 3 ^ 1 * yes", [8, 8, 0, 0]),
        ("1 + 2 * yes - 4 / 2", [1, 1, -1, -1]),
        ("(1 + 2) * yes", [3, 3, 0, 0]),
        ("yes != 1", [0, 0, 1, 1]),
        ("yes <= 0", [0, 0, 1, 1]),
        # Functions.
        ("ABS(neg)", [1.5, 2.5, 3, 0]),
        ("CEIL(neg)", [-1, 3, -3, 0]),
        ("FLOOR(neg)", [-2, 2, -3, 0]),
        ("LOG10(errors_2)", [1, 1, 1]),
        ("LOG(neg) * 0", [0]),
        ("DIFF(errors_1)", [1, 1, 1]),
        ("RATE(errors_1) * 60", [1, 1, 1]),
        ("DIFF_TIME(errors_2)", [60, 120]),
        ("RUNNING_SUM(errors_1)", [1, 3, 6, 10]),
        ("errors_1 - AVG(errors_1)", [-1.5, -0.5, 0.5, 1.5]),
        ("errors_1 / MAX(errors_1)", [0.25, 0.5, 0.75, 1]),
        ("errors_1 - MIN(errors_1)", [0, 1, 2, 3]),
        ("errors_1 * 0 + SUM(errors_1)", [10, 10, 10, 10]),
        ("errors_1 * 0 + STDDEV(errors_2)", [0, 0, 0, 0]),
        ("errors_1 * 0 + DATAPOINT_COUNT(errors_2)", [3, 3, 3, 3]),
        ("errors_1 / PERIOD(errors_1) * 60", [1, 2, 3, 4]),
        ("SUM([errors_1, errors_2])", [11, 12, 3, 14]),
        ("AVG([errors_1, errors_2])", [5.5, 6, 1.5, 7]),
        ("MAX([errors_1, errors_2])", [10, 10, 3, 10]),
        ("MIN([errors_1, errors_2])", [1, 2, 3, 4]),
        ('SUM(METRICS("errors"))', [11, 12, 3, 14]),
        ("yes * 0 + METRIC_COUNT(METRICS())", [7, 7, 7, 7]),
        ("FILL(errors_2, 0)", [10, 10, 0, 10]),
        ("FILL(errors_2, errors_1)", [10, 10, 3, 10]),
        ("FILL(errors_2, REPEAT)", [10, 10, 10, 10]),
        ("FILL(errors_2 + errors_1 * 0, LINEAR)", [10, 10, 0, 10]),
        ("FILL(b, LINEAR)", [20, 20, 20]),
        ("TIME_SERIES(7)", [7, 7, 7, 7]),
        ("TIME_SERIES(MAX(a))", [30, 30, 30, 30]),
        ("FIRST([a, b])", [30, 20, 0, 0]),
        ("LAST([a, b])", [20, 20]),
        ("FIRST(SORT([yes, a, b], SUM, DESC))", [30, 20, 0, 0]),
        ("FIRST(SORT([a, yes, b], SUM, ASC))", [1, 1, 0, 0]),
        ("FIRST(SLICE([yes, a, b], 1))", [30, 20, 0, 0]),
        ("MINUTE(a)", [57, 58, 59, 0]),
        ("HOUR(a)", [7, 7, 7, 8]),
        ("YEAR(a)", [2027] * 4),
        ("MONTH(a)", [1] * 4),
        ("DATE(a)", [15] * 4),
        ("DAY(a)", [5] * 4),
        ("EPOCH(a)", [START - 180, START - 120, START - 60, START]),
    ],
)
def test_expressions(series: CloudWatch, expression: str, values: list[float]) -> None:
    """Each operator and function gives what the user guide says."""
    assert computed(series, expression) == [pytest.approx(values)]


@pytest.mark.parametrize(
    ("expression", "results"),
    [
        ("[a, b] * 2", [[60, 40, 0, 0], [40, 40]]),
        ("SLICE([a, b, yes], 0, 2)", [[30, 20, 0, 0], [20, 20]]),
        ("SORT([yes, a, b], AVG, DESC, 1)", [[20, 20]]),
        ("REMOVE_EMPTY([a, IF(0, a)])", [[30, 20, 0, 0]]),
        ("SEARCH('{Shop} MetricName=\"a\"', 'Sum', 60)", [[30, 20, 0, 0]]),
        ("SEARCH('errors', 'Sum', 60)", [[1, 2, 3, 4], [10, 10, 10]]),
        ("SEARCH('{Shop} errors NOT _2', 'Sum')", [[1, 2, 3, 4]]),
        ("SEARCH('MetricName=(a OR b) Namespace=\"Shop\"', 'Sum', 60)", [[30, 20, 0, 0], [20, 20]]),
    ],
)
def test_arrays(series: CloudWatch, expression: str, results: list[list[float]]) -> None:
    """An array of time series gives a result for each."""
    assert computed(series, expression) == results


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        pytest.param("AVG(a)", "ValidationError", id="a number at the end"),
        pytest.param("ghost + 1", "ValidationError", id="unknown id"),
        pytest.param("x + 1", "ValidationError", id="itself"),
        pytest.param("a +", "ValidationError", id="ends too early"),
        pytest.param("a b", "ValidationError", id="two in a row"),
        pytest.param("(a", "ValidationError", id="open parenthesis"),
        pytest.param("a ? b", "ValidationError", id="foreign sign"),
        pytest.param("sum([a, b])", "ValidationError", id="small letters"),
        pytest.param("MEDIAN(a)", "ValidationError", id="unknown function"),
        pytest.param("[a, b] + [a, b]", "ValidationError", id="array and array"),
        pytest.param("ABS(a, b)", "ValidationError", id="too many arguments"),
        pytest.param("FILL(a)", "ValidationError", id="too few arguments"),
        pytest.param("'text'", "ValidationError", id="a string"),
        pytest.param("ANOMALY_DETECTION_BAND(a)", "UnsupportedOperation", id="anomaly detection"),
        pytest.param("SERVICE_QUOTA(a)", "UnsupportedOperation", id="service quotas"),
    ],
)
def test_expressions_refused(series: CloudWatch, expression: str, code: str) -> None:
    """What is no metric math is refused with the expression's id; what is not modelled says so."""
    error = series.refusal(
        "GetMetricData",
        MetricDataQueries=[stat("a"), stat("b"), {"Id": "x", "Expression": expression}],
        StartTime=START - 180,
        EndTime=START + 60,
    )
    assert error.code == code


def test_a_circle_of_expressions_is_refused(cw: CloudWatch) -> None:
    """Two expressions that need each other have no value."""
    error = cw.refusal(
        "GetMetricData",
        MetricDataQueries=[{"Id": "x", "Expression": "y + 1"}, {"Id": "y", "Expression": "x + 1"}],
        StartTime=START - 180,
        EndTime=START + 60,
    )
    assert "Circular" in error.message


def test_labels(series: CloudWatch) -> None:
    """An expression's label is its id unless given; dynamic parts are filled in."""
    answer = series.call(
        "GetMetricData",
        MetricDataQueries=[
            stat("a", Label="worst ${MAX}, ${MIN_MAX_RANGE}"),
            {"Id": "x", "Expression": "a * 2"},
            {"Id": "z", "Expression": "[a] * 2", "Label": "twice"},
        ],
        StartTime=START - 180,
        EndTime=START + 60,
    )
    labels = [result["Label"] for result in answer["MetricDataResults"]]
    assert labels[:2] == ["worst 30, 0 / 30", "x"]
    assert labels[2].startswith("twice ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p0", 1.0),
        ("p50", 5.0),
        ("p99.9", 10.0),
        ("tm80", 4.5),
        ("TM(10%:90%)", 5.5),
        ("tc50", 5.0),
        ("ts50", 15.0),
        ("TS(:5)", 15.0),
        ("TC(5:)", 5.0),
        ("PR(:5)", 50.0),
        ("PR(2:4)", 20.0),
        ("IQM", 5.5),
        ("wm80", 5.2),
        ("WM(3:8)", 5.5),
    ],
)
def test_extended_statistics_of_one_to_ten(name: str, value: float) -> None:
    """Percentiles and trimmed statistics of the numbers 1 to 10."""
    bucket = Bucket()
    for number in range(1, 11):
        bucket.add(float(number), 1.0)
    assert statistics.is_extended(name)
    assert statistics.value(bucket, name) == pytest.approx(value)


@pytest.mark.parametrize("name", ["p101", "q50", "Average", "TM(10%:90)", "PR(10%:20%)", "TM()", "tm"])
def test_what_is_no_extended_statistic(name: str) -> None:
    """Misspelled ones are none, and neither are the five plain ones."""
    assert not statistics.is_extended(name)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 100))
def test_a_percentile_is_one_of_the_values(values: list[float], share: float) -> None:
    """It lies between minimum and maximum, and the share of values not above it is large enough."""
    bucket = Bucket()
    for value in values:
        bucket.add(value, 1.0)
    found = statistics.value(bucket, f"p{share:.2f}")
    assert found in values
    assert found is not None
    assert sum(value <= found for value in values) >= float(f"{share:.2f}") / 100 * len(values) - 1e-6
