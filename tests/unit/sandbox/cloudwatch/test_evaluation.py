"""The truth tables of alarm evaluation, as the user guide prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.cloudwatch.evaluation import Datapoint, Settings, evaluate

TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
INSUFFICIENT, KEPT = "INSUFFICIENT_DATA", None


def settings(*, periods: int, to_alarm: int, missing: str = "missing") -> Settings:
    """Return an alarm on values above 0."""
    return Settings(
        periods=periods, to_alarm=to_alarm, threshold=0.0, comparison="GreaterThanThreshold", missing=missing
    )


def points(text: str) -> list[Datapoint]:
    """Read `0 - X`: not breaching, missing, breaching; oldest first."""
    values = {"0": 0.0, "X": 1.0, "-": None}
    return [Datapoint(float(60 * index), values[sign]) for index, sign in enumerate(text.split())]


@pytest.mark.parametrize(
    ("to_alarm", "text", "expected"),
    [
        (3, "0 - X - X", ("OK", "OK", "OK", "OK")),
        (3, "0 - - - -", ("OK", "OK", "OK", "OK")),
        (3, "- - - - -", (INSUFFICIENT, KEPT, "ALARM", "OK")),
        (3, "0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (3, "- - X - -", ("ALARM", KEPT, "ALARM", "OK")),
        (3, "- - - - X", (INSUFFICIENT, KEPT, "ALARM", "OK")),
        (3, "X - - - -", ("ALARM", KEPT, "ALARM", "OK")),
        (2, "0 - X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 0 X 0 X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 - X - -", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - - 0", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - X -", ("ALARM", KEPT, "ALARM", "OK")),
        (2, "- - - - X", (INSUFFICIENT, KEPT, "ALARM", "OK")),
    ],
)
def test_the_guides_tables(to_alarm: int, text: str, expected: tuple[str | None, ...]) -> None:
    """Each row of "How alarm state is evaluated when data is missing", for each treatment."""
    found = tuple(
        evaluate(settings(periods=3, to_alarm=to_alarm, missing=treatment), points(text), present="OK").state
        for treatment in TREATMENTS
    )
    # Where the guide says "retain current state", None is returned and the present state stays.
    assert found == expected


@given(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=5),
    st.integers(1, 3),
    st.sampled_from(TREATMENTS),
)
def test_without_missing_data_the_treatment_does_not_matter(
    values: list[float], to_alarm: int, treatment: str
) -> None:
    """When every data point is there, M of the newest N decide and nothing else."""
    data = [Datapoint(float(60 * index), value) for index, value in enumerate(values)]
    outcome = evaluate(settings(periods=3, to_alarm=to_alarm, missing=treatment), data, present="OK")
    assert outcome.state == ("ALARM" if sum(values[-3:]) >= to_alarm else "OK")


@pytest.mark.parametrize(
    ("comparison", "value", "state"),
    [
        ("GreaterThanThreshold", 5.0, "OK"),
        ("GreaterThanThreshold", 5.1, "ALARM"),
        ("GreaterThanOrEqualToThreshold", 5.0, "ALARM"),
        ("LessThanThreshold", 5.0, "OK"),
        ("LessThanThreshold", 4.9, "ALARM"),
        ("LessThanOrEqualToThreshold", 5.0, "ALARM"),
    ],
)
def test_the_comparisons_at_the_threshold(comparison: str, value: float, state: str) -> None:
    """The threshold itself breaches only where the operator says so."""
    alarm = Settings(periods=1, to_alarm=1, threshold=5.0, comparison=comparison, missing="missing")
    assert evaluate(alarm, [Datapoint(0.0, value)], present="OK").state == state


@pytest.mark.parametrize(
    ("alarm", "text", "reason"),
    [
        pytest.param(
            settings(periods=1, to_alarm=1),
            "X",
            "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (01/01/70 00:00:00)] was greater than "
            "the threshold (0.0) (minimum 1 datapoint for OK -> ALARM transition).",
            id="alarm",
        ),
        pytest.param(
            settings(periods=1, to_alarm=1),
            "0",
            "Threshold Crossed: 1 out of the last 1 datapoints [0.0 (01/01/70 00:00:00)] was not greater "
            "than the threshold (0.0) (minimum 1 datapoint for ALARM -> OK transition).",
            id="ok",
        ),
        pytest.param(
            settings(periods=3, to_alarm=2),
            "X 0 X",
            "Threshold Crossed: 2 out of the last 3 datapoints [1.0 (01/01/70 00:02:00), "
            "1.0 (01/01/70 00:00:00)] were greater than the threshold (0.0) (minimum 2 datapoints for "
            "OK -> ALARM transition).",
            id="two of three, newest first",
        ),
        pytest.param(
            settings(periods=2, to_alarm=2),
            "- - - -",
            "Insufficient Data: 2 datapoints were unknown.",
            id="unknown",
        ),
        pytest.param(
            settings(periods=2, to_alarm=2, missing="breaching"),
            "- - - -",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were "
            "treated as [Breaching].",
            id="missing as breaching",
        ),
        pytest.param(
            settings(periods=1, to_alarm=1, missing="notBreaching"),
            "- - -",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
            "treated as [NonBreaching].",
            id="missing as good",
        ),
    ],
)
def test_reasons(alarm: Settings, text: str, reason: str) -> None:
    """The reason is worded as AWS words it."""
    assert evaluate(alarm, points(text), present="OK").reason == reason
