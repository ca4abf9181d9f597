"""What the demo shows and measures: the picture of three weights, and the way back by AWS's record."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from sluice_sandbox.demo.picture import line, picture
from sluice_sandbox.demo.report import Served
from sluice_sandbox.demo.stage import DemoFailed
from sluice_sandbox.demo.way_back import there, way_back
from sluice_sandbox.demo.weights import Look

LOOK = Look(
    name="checkout",
    phase="Progressing",
    ready=False,
    step="4/7",
    doing="pause 3s",
    slot="b",
    desired=25.0,
    configured=5.0,
    observed=4.7,
    requests=160,
    gates=("metric errors: Passed, 1 passed, 0 failed",),
)


def rule(number: int, *weights: int) -> dict[str, Any]:
    """Return a recorded write of a rule that gives these weights."""
    groups = [{"TargetGroupArn": f"group-{at}", "Weight": weight} for at, weight in enumerate(weights)]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    return call(number, "ModifyRule", Actions=actions)


def call(number: int, operation: str, **params: Any) -> dict[str, Any]:
    """Return a recorded call; it arrives at the second of its number and takes a quarter of one."""
    return {
        "number": number,
        "operation": operation,
        "time": float(number),
        "duration": 0.25,
        "params": params,
    }


def test_the_picture_tells_the_three_weights_apart() -> None:
    """Each has a line of its own with its number; step and gate stand beside them."""
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(picture(LOOK, title="canary", seconds=7))
    lines = console.export_text().splitlines()
    for name, share in (("desired", "25.0%"), ("configured", "5.0%"), ("observed", "4.7%")):
        (found,) = [text for text in lines if name in text]
        assert share in found
    assert any("step 4/7: pause 3s" in text for text in lines)
    assert any("metric errors: Passed" in text for text in lines)


def test_a_line_tells_the_same_without_a_terminal() -> None:
    """What nobody counted is shown as such, not as zero."""
    assert "desired  25.0%  configured   5.0%  observed   4.7% of 160  step 4/7: pause 3s" in line(LOOK)
    unknown = Look(name="checkout", phase="", ready=True)
    assert "observed      -" in line(unknown)


def test_the_way_back_is_measured_from_the_answer_of_the_last_metric() -> None:
    """First weight → metric's answer → the rule to one group → the next reading of rules."""
    calls = [rule(1, 95, 5), call(4, "GetMetricData"), call(9, "GetMetricData"), rule(10, 1)]
    calls += [call(12, "DescribeRules"), call(13, "DescribeRules"), call(14, "GetMetricData")]
    assert [seconds for _, seconds in way_back(calls).figures()] == [8.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([], id="nothing"),
        pytest.param([rule(1, 95, 5), call(2, "GetMetricData"), rule(3, 50, 50)], id="never back"),
        pytest.param([rule(1, 1), call(2, "GetMetricData"), rule(3, 50, 50)], id="wrong order"),
        pytest.param([rule(1, 95, 5), rule(2, 1), call(3, "DescribeRules")], id="no metric"),
        pytest.param([rule(1, 95, 5), call(2, "GetMetricData"), rule(3, 1)], id="not read back"),
    ],
)
def test_a_way_back_that_is_not_whole_is_no_figure(calls: list[dict[str, Any]]) -> None:
    """A story that did not happen fails the demo."""
    with pytest.raises(DemoFailed):
        way_back(calls)


def test_the_way_there_is_measured_by_the_candidates_own_groups() -> None:
    """First share → all of it; what goes on in other rules meanwhile is somebody else's."""
    other = rule(3, 1)
    other["params"]["Actions"][0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"] = "another"
    assert there([rule(1, 95, 5), rule(2, 50, 50), other, rule(7, 1)]) == (1.25, 7.25)


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([], id="nothing"),
        pytest.param([rule(1, 1)], id="no share"),
        pytest.param([rule(1, 95, 5), rule(2, 50, 50)], id="never all"),
    ],
)
def test_a_way_there_that_is_not_whole_is_no_figure(calls: list[dict[str, Any]]) -> None:
    """A story that did not happen fails the demo."""
    with pytest.raises(DemoFailed):
        there(calls)


def test_a_candidates_own_failures_are_not_lost_requests() -> None:
    """Lost is what the load balancer or nobody answered, or a good image failed, or was never sent."""
    report = {
        "sent": 100,
        "notSent": 1,
        "statusCodes": {"200": 90, "500": 7, "502": 2},
        "images": {},
        "failuresBy": {"shop:bad": 6, "shop:good": 1, "load balancer": 2},
        "latencySeconds": {"p99": 0.1},
    }
    served = Served.of(report)
    assert (served.sent, served.failed) == (101, 11)
    assert served.lost(candidate="shop:bad") == 5
