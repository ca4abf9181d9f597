"""CloudWatch, Prometheus and web servers as sources: numbers, no data, and every kind of no."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

import pytest

from sluice.analysis import prometheus, web
from sluice.analysis.alarms import states
from sluice.analysis.cloud_watch import CloudWatchSource
from sluice.analysis.http import HttpClient, NoReply
from sluice.analysis.placeholders import UnknownPlaceholderError
from sluice.analysis.prometheus import PrometheusSource
from sluice.analysis.web import WebSource
from unit.analysis.scenes import CONTEXT, FakeAws, Secrets, metric, said, scene, series, server

ORDERS = {
    "namespace": "Shop",
    "metricName": "Orders",
    "statistic": "Sum",
    "dimensions": {"Rev": "{{revision}}"},
}


def test_a_cloudwatch_statistic() -> None:
    """Placeholders reach dimensions; a Sum adds up over the minutes of the window."""
    aws = FakeAws({"GetMetricData": series({"value": [4, 3]})})
    sample = CloudWatchSource(aws).measure(scene(), metric("cloudWatch", ORDERS), now=1.0)
    assert sample.value == 7
    (dimension,) = aws.calls[0][2]["MetricDataQueries"][0]["MetricStat"]["Metric"]["Dimensions"]
    assert dimension == {"Name": "Rev", "Value": "web-2"}


def test_cloudwatch_metric_math_answers_with_its_newest_value() -> None:
    """Inputs are not returned, the expression is."""
    query = {"expression": "100 * e / r", "queries": [{"id": "e", **ORDERS}, {"id": "r", **ORDERS}]}
    aws = FakeAws({"GetMetricData": series({"sluice_result": [5, 50]})})
    assert CloudWatchSource(aws).measure(scene(), metric("cloudWatch", query), now=1.0).value == 5
    assert [entry["ReturnData"] for entry in aws.calls[0][2]["MetricDataQueries"]] == [False, False, True]


def test_cloudwatch_without_values_is_no_data() -> None:
    """Not 0: nothing is known."""
    aws = FakeAws({"GetMetricData": series({})})
    assert CloudWatchSource(aws).measure(scene(), metric("cloudWatch", ORDERS), now=1.0).value is None


def test_alarms_are_read_together_and_missing_ones_are_told_apart() -> None:
    """Metric and composite alarms alike, a hundred names a call."""
    names = [f"alarm-{number}" for number in range(150)]

    def describe(params: Any) -> dict[str, Any]:
        return {
            "MetricAlarms": [
                {"AlarmName": n, "StateValue": "OK"} for n in params["AlarmNames"] if n != "alarm-7"
            ],
            "CompositeAlarms": [],
        }

    aws = FakeAws({"DescribeAlarms": describe})
    found = states(aws, CONTEXT, names)
    assert (found["alarm-7"], found["alarm-149"], len(aws.calls)) == (None, "OK", 2)


def vector(*numbers: str) -> str:
    """Return Prometheus's answer with a series for each number."""
    result = [{"metric": {}, "value": [1, number]} for number in numbers]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


PROMETHEUS: dict[str, tuple[str, int, float | str | None]] = {
    "one series": (vector("0.5"), 200, 0.5),
    "no series is no data": (vector(), 200, None),
    "NaN is no data": (vector("NaN"), 200, None),
    "a scalar": (
        json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, "3"]}}),
        200,
        3.0,
    ),
    "two series": (vector("1", "2"), 200, "aggregate"),
    "a range": (
        json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}),
        200,
        "matrix",
    ),
    "a wrong query": (json.dumps({"status": "error", "error": "parse error at char 3"}), 400, "parse error"),
    "not Prometheus": ("<html>", 200, "200"),
    "a proxy's error": ("bad gateway", 502, "502"),
}


@pytest.mark.parametrize(("text", "status", "want"), PROMETHEUS.values(), ids=PROMETHEUS)
def test_prometheus(text: str, status: int, want: float | str | None) -> None:
    """A number, no data, or an error that says what to do."""
    with server(said(text, status)) as (address, received):
        source = PrometheusSource(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
        request = metric("prometheus", {"address": address, "query": 'up{rev="{{revision}}"}'})
        if isinstance(want, str):
            with pytest.raises(NoReply, match=want):
                source.measure(scene(), request, now=1.0)
        else:
            assert source.measure(scene(), request, now=1.0).value == want
    assert received[0].path == "/api/v1/query"
    assert parse_qs(received[0].body.decode())["query"] == ['up{rev="web-2"}']


WEB: dict[str, tuple[str, int, float | str | None]] = {
    "a number": ('{"data": {"rate": 0.25}}', 200, 0.25),
    "a number as text": ('{"data": {"rate": "0.25"}}', 200, 0.25),
    "true is one": ('{"data": {"rate": true}}', 200, 1.0),
    "null is no data": ('{"data": {"rate": null}}', 200, None),
    "absent is no data": ("{}", 200, None),
    "not a number": ('{"data": {"rate": "many"}}', 200, "number"),
    "not JSON": ("hello", 200, "can't be read"),
    "an error": ("{}", 500, "500"),
    "a redirect is not followed": ("", 302, "302"),
}


@pytest.mark.parametrize(("text", "status", "want"), WEB.values(), ids=WEB)
def test_web(text: str, status: int, want: float | str | None) -> None:
    """A number in JSON, by JMESPath; a redirect could carry a secret header elsewhere."""
    with server(said(text, status, Location="http://127.0.0.1:1/")) as (address, _):
        source = WebSource(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
        request = metric("web", {"url": f"{address}/{{{{name}}}}", "jsonPath": "data.rate"})
        if isinstance(want, str):
            with pytest.raises(NoReply, match=want):
                source.measure(scene(), request, now=1.0)
        else:
            assert source.measure(scene(), request, now=1.0).value == want


def test_a_header_from_a_secret_is_sent_and_never_told() -> None:
    """Not in the URL that an error names, nor in the error."""
    secrets = Secrets(token=b64encode(b"Bearer xyz\n").decode())
    with server(said("no", 500)) as (address, received):
        source = WebSource(HttpClient(secrets))  # type: ignore[arg-type]  # only secret() is used
        headers = [{"name": "Authorization", "secretKeyRef": {"name": "s", "key": "token"}}]
        request = metric("web", {"url": f"{address}/?key=hidden", "jsonPath": "x", "headers": headers})
        with pytest.raises(NoReply) as told:
            source.measure(scene(), request, now=1.0)
    assert received[0].headers["Authorization"] == "Bearer xyz"
    assert "xyz" not in str(told.value)
    assert "hidden" not in str(told.value)


def test_a_secret_that_is_not_there_is_named() -> None:
    """Which Secret and which key."""
    source = WebSource(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
    headers = [{"name": "Authorization", "secretKeyRef": {"name": "gone", "key": "token"}}]
    request = metric("web", {"url": "http://127.0.0.1:1/", "jsonPath": "x", "headers": headers})
    with pytest.raises(NoReply, match="Secret gone has no key token"):
        source.measure(scene(), request, now=1.0)


@pytest.mark.parametrize("module", [prometheus, web])
def test_a_server_that_hangs_is_an_error_in_time(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread is never held longer than the timeout."""
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with server(lambda _got: None) as (address, _):
        client = HttpClient(Secrets())  # type: ignore[arg-type]  # only secret() is used
        source: Any = PrometheusSource(client) if module is prometheus else WebSource(client)
        query = {"address": address, "query": "up", "url": address, "jsonPath": "x"}
        with pytest.raises(NoReply, match="no answer in time"):
            source.measure(scene(), metric("web", query), now=1.0)


def test_nobody_listens() -> None:
    """Says so, with the address and without the query."""
    source = WebSource(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
    request = metric("web", {"url": "http://127.0.0.1:1/x?k=v", "jsonPath": "x"})
    with pytest.raises(NoReply, match=r"GET http://127\.0\.0\.1:1/x: no connection"):
        source.measure(scene(), request, now=1.0)


def test_an_unknown_placeholder_is_named_with_the_known_ones() -> None:
    """A typo is found by its text."""
    request = metric("prometheus", {"address": "http://127.0.0.1:1", "query": "{{revison}}"})
    source = PrometheusSource(HttpClient(Secrets()))  # type: ignore[arg-type]  # only secret() is used
    with pytest.raises(UnknownPlaceholderError, match=r"revison.*revision"):
        source.measure(scene(), request, now=1.0)
