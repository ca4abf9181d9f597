"""ECS takes whole percent: what becomes of a service in which one is more than a task."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.model.desired import Strategy
from sluice.model.errors import Refused
from sluice.plan.deployment.percentages import bounds, deployment_configuration, resolve


@pytest.mark.parametrize(
    ("value", "count", "up", "expected"),
    [
        pytest.param(7, 200, True, 7, id="a number"),
        pytest.param("7", 200, False, 7, id="a number as text"),
        pytest.param("100%", 200, True, 200, id="all"),
        pytest.param("100%", 200, False, 200, id="all, down"),
        pytest.param("25%", 10, True, 3, id="two and a half, up"),
        pytest.param("25%", 10, False, 2, id="two and a half, down"),
        pytest.param("0%", 10, True, 0, id="none"),
    ],
)
def test_a_share_of_the_count(value: int | str, count: int, up: bool, expected: int) -> None:  # noqa: FBT001 - a table
    """As Kubernetes rounds."""
    assert resolve(value, count, up=up) == expected


@pytest.mark.parametrize(
    ("surge", "unavailable", "count", "expected"),
    [
        pytest.param(1, 0, 1000, (100, 101), id="one more of a thousand: none less meanwhile"),
        pytest.param(1, 1, 1000, (100, 101), id="one more and one less: room above, so none less"),
        pytest.param(0, 1, 1000, (99, 100), id="one less of a thousand: ten less, or it could never move"),
        pytest.param(0, 15, 1000, (99, 100), id="fifteen less: ten rather than twenty"),
        pytest.param(0, 25, 1000, (98, 100), id="twenty-five less: twenty rather than thirty"),
        pytest.param(0, 20, 1000, (98, 100), id="twenty less, exactly"),
        pytest.param("50%", "50%", 1, (100, 200), id="of one task half is one more and none less"),
        pytest.param(0, "50%", 1, (0, 100), id="and without one more it is the one"),
        pytest.param(1, 0, 0, (100, 200), id="no tasks count as one"),
    ],
)
def test_bounds_of_large_and_small_services(
    surge: int | str, unavailable: int | str, count: int, expected: tuple[int, int]
) -> None:
    """In doubt more healthy tasks than asked for, as long as the deployment can move."""
    assert bounds(Strategy(max_surge=surge, max_unavailable=unavailable), count) == expected


@pytest.mark.parametrize(("surge", "unavailable"), [(0, 0), ("0%", 0), ("0", "0%")])
def test_nothing_may_move(surge: int | str, unavailable: int | str) -> None:
    """However zero is written."""
    with pytest.raises(Refused) as refused:
        bounds(Strategy(max_surge=surge, max_unavailable=unavailable), 3)
    assert refused.value.reason == "InvalidSpec"


ALARMS = {"alarmNames": ["errors"], "enable": True, "rollback": True}
NONE = {"alarmNames": [], "enable": False, "rollback": False}


@pytest.mark.parametrize(
    ("strategy", "alarms", "breaker"),
    [
        pytest.param(Strategy(), NONE, {"enable": True, "rollback": True}, id="silent"),
        pytest.param(Strategy(alarms=ALARMS), ALARMS, {"enable": True, "rollback": True}, id="alarms"),
        pytest.param(Strategy(circuit_breaker={}), NONE, {"enable": True, "rollback": True}, id="empty"),
        pytest.param(
            Strategy(circuit_breaker={"rollback": False}),
            NONE,
            {"enable": True, "rollback": False},
            id="stays",
        ),
    ],
)
def test_the_whole_configuration(strategy: Strategy, alarms: dict[str, Any], breaker: dict[str, Any]) -> None:
    """UpdateService keeps what is left out, so alarms that are gone are taken off and the breaker is said."""
    assert deployment_configuration(strategy, 2) == {
        "alarms": alarms,
        "deploymentCircuitBreaker": breaker,
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
    }
