"""A rollback waits for nobody: neither other rollouts, nor spent budgets, nor a rule that fails.

Time is virtual: what is measured is the waiting for budgets, timers and back-off, not the calls
themselves. Those are measured with processes (docs/bench.md).
"""

from __future__ import annotations

from typing import Any

import pytest

from sim import console
from sim.rollback_scene import abort, at_its_pause
from sim.universe import Universe
from sluice.model import ownership

WRITE_BURST, WRITE_RATE = 20, 3
"""The published bucket of ELB writes (aws/operations.py)."""


@pytest.mark.parametrize(
    ("routes", "each", "most"),
    [
        pytest.param(1, 1, 0.1, id="1 rule"),
        pytest.param(10, 1, 0.1, id="10 rules of 10 routes"),
        pytest.param(1, 10, 0.1, id="10 rules of 1 route"),
        pytest.param(10, 3, (30 - WRITE_BURST) / WRITE_RATE + 1, id="30 rules"),
    ],
)
def test_alone(routes: int, each: int, most: float) -> None:
    """Up to ten rules wait for nothing; beyond that for the published bucket's own floor.

    Each rule is written once.
    """
    took = abort(at_its_pause(routes=routes, each=each))
    assert took.hearing <= 0.1
    assert took.seconds <= most
    assert took.calls["ModifyRule"] == routes * each
    assert took.calls["UpdateService"] == took.refused == 0


def test_among_fifty_others() -> None:
    """With fifty rollouts in motion and empty budgets neither the decision nor ten rules wait."""
    took = abort(at_its_pause(routes=10, each=1, others=50))
    assert took.hearing <= 0.5
    assert took.seconds <= 0.5
    assert took.refused == 0


def production(universe: Universe) -> dict[str, dict[str, Any]]:
    """Return our production rules by ARN."""
    return {
        rule["RuleArn"]: rule
        for rule in universe.rules()
        if console.elb_tags(universe, rule["RuleArn"]).get(ownership.ROLE) == "rule"
    }


def returned(universe: Universe) -> int:
    """Return how many production rules send to one slot alone."""
    return sum(
        len([group for group in rule["Actions"][0]["ForwardConfig"]["TargetGroups"] if group["Weight"]]) == 1
        for rule in production(universe).values()
    )


def test_a_deleted_rule_is_made_again() -> None:
    """And keeps no other waiting."""
    universe = at_its_pause(routes=1, each=3)
    first = next(
        arn
        for arn in production(universe)
        if console.elb_tags(universe, arn)[ownership.ROUTE_RULE].startswith("r0")
    )
    universe.aws("elbv2", "DeleteRule", RuleArn=first)
    assert abort(universe).seconds <= 2
    assert returned(universe) == 3


def tried(universe: Universe) -> list[float]:
    """Return when rules were written to, successfully or not."""
    return [call.time for call in universe.world.calls.find(operation="ModifyRule")]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "lost-response"}, id="lost answer"),
        pytest.param({"kind": "reset"}, id="lost request"),
        pytest.param({"kind": "error"}, id="server error"),
        pytest.param({"kind": "error", "code": "RuleNotFound", "status": 400}, id="not there"),
        pytest.param({"kind": "deny"}, id="denied"),
    ],
)
def test_a_failing_write_keeps_no_other_waiting(fault: dict[str, Any]) -> None:
    """Whatever becomes of the first write, the other four are made in the same moment."""
    universe = at_its_pause(routes=1, each=5)
    universe.fault(**fault, service="elbv2", operation="ModifyRule", remaining=1)
    took = abort(universe)
    assert tried(universe)[:5] == [tried(universe)[0]] * 5
    assert took.seconds <= 5
    assert returned(universe) == 5


def test_a_throttled_write_costs_a_token_and_no_back_off() -> None:
    """AWS's bucket is emptier than ours: the others come with the next tokens."""
    universe = at_its_pause(routes=1, each=5)
    universe.fault("throttle", service="elbv2", operation="ModifyRule", remaining=1)
    assert abort(universe).seconds <= 5
    assert returned(universe) == 5
