"""The path of a native deployment and the weights of its traffic: facts of pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_sandbox.aws.ecs.stages import is_native, path, steps
from sluice_sandbox.aws.ecs.traffic import weights

STEPS = {
    "blue-green": ({"strategy": "BLUE_GREEN"}, [(100.0, 0.0)]),
    "linear-default": ({"strategy": "LINEAR"}, [(10.0 * n, 6.0) for n in range(1, 10)] + [(100.0, 0.0)]),
    "linear-thirds": (
        {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 33.3, "stepBakeTimeInMinutes": 2}},
        [(33.3, 2.0), (66.6, 2.0), (99.9, 2.0), (100.0, 0.0)],
    ),
    "linear-at-once": ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 100.0}}, [(100.0, 0.0)]),
    "canary-default": ({"strategy": "CANARY"}, [(5.0, 10.0), (100.0, 0.0)]),
    "canary-tenth": (
        {
            "strategy": "CANARY",
            "canaryConfiguration": {"canaryPercent": 0.1, "canaryBakeTimeInMinutes": 0},
        },
        [(0.1, 0.0), (100.0, 0.0)],
    ),
    "canary-at-once": (
        {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 100.0}},
        [(100.0, 0.0)],
    ),
}


@pytest.mark.parametrize("case", STEPS)
def test_traffic_moves_in_the_steps_of_its_strategy(case: str) -> None:
    """Defaults and steps as botocore documents them; nothing waits at 100 percent but the bake time."""
    configuration, expected = STEPS[case]
    assert steps(configuration) == expected


def stages(configuration: dict[str, Any], sources: int) -> list[str]:
    """Return the names of the stages."""
    return [stop.stage for stop in path(configuration, sources=sources)]


def test_stages_come_in_the_documented_order() -> None:
    """PRE_PRODUCTION_TRAFFIC_SHIFT before every step; RECONCILE_SERVICE with more than one revision only."""
    canary = {"strategy": "CANARY"}
    before = [
        "PRE_SCALE_UP",
        "SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
    ]
    shift = ["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]
    after = ["POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]
    assert stages(canary, 1) == [*before, *shift, *shift, *after]
    assert stages(canary, 2) == ["RECONCILE_SERVICE", *before, *shift, *shift, *after]
    assert stages(canary, 0) == [*before, *shift, *after]


def test_only_the_three_strategies_are_native() -> None:
    """ROLLING, and none at all, are not."""
    found = [name for name in ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY") if is_native({"strategy": name})]
    assert found == ["BLUE_GREEN", "LINEAR", "CANARY"]
    assert not is_native({})


@given(tenths=st.integers(30, 1000), minutes=st.integers(0, 1440))
def test_linear_steps_rise_evenly_and_end_at_hundred(tenths: int, minutes: int) -> None:
    """Each step is the same share more than the one before, the last takes what is left."""
    percent = tenths / 10
    shape = {"stepPercent": percent, "stepBakeTimeInMinutes": minutes}
    found = [share for share, _ in steps({"strategy": "LINEAR", "linearConfiguration": shape})]
    assert found[-1] == 100.0
    assert found == sorted(set(found))
    moves = [round(b - a, 1) for a, b in zip([0.0, *found], found, strict=False)]
    assert all(move == percent for move in moves[:-1])
    assert 0 < moves[-1] <= percent


@given(tenths=st.integers(0, 1000))
def test_weights_say_exactly_the_percent(tenths: int) -> None:
    """Both weights are ones that a rule can have, and their ratio is the percent to the tenth."""
    percent = tenths / 10
    found = weights(("blue", "green"), to="green", percent=percent)
    assert list(found) == ["blue", "green"]
    assert all(0 <= weight <= 999 for weight in found.values())
    assert 100 * found["green"] / sum(found.values()) == pytest.approx(percent)
