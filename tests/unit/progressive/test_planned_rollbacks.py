"""What a pass writes in a rollback before its rules are verified: nothing, unless routes can't write them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.binding import Priority
from unit.deployment import wishes
from unit.progressive.planned import (
    BOTH,
    BOTH_SEEN,
    NEW,
    ONLY_A,
    ROLLOUT,
    A,
    calls,
    decision,
    planned,
)

BACK = dataclasses.replace(ROLLOUT, stage="RollingBack")
MORE_A = dataclasses.replace(A, count=3)


@pytest.mark.parametrize("how", ["not told", "deleted", "only the candidate's is there"])
def test_a_rollback_that_routes_cannot_write_mends_target_groups_first(how: str) -> None:
    """Somebody deleted them: the source gets one that routes can be told of by nothing but this pass."""
    what = decision(MORE_A, rollout=BACK, traffic=dataclasses.replace(ONLY_A, rollback=True))
    state, seen = BOTH, BOTH_SEEN
    assert state.traffic is not None
    names = [group.name for group in state.target_groups if group.slot == "a"]
    if how != "not told":
        seen = dataclasses.replace(seen, target_groups={**seen.target_groups, **dict.fromkeys(names)})
    if how != "deleted":
        targets = tuple(target for target in state.traffic.targets if target.slot == "b")
        state = dataclasses.replace(state, traffic=dataclasses.replace(state.traffic, targets=targets))
        seen = dataclasses.replace(seen, healthy={})
    done = planned(seen, state, what, wish=NEW)
    assert ("UpdateService" if how == "not told" else "CreateTargetGroup") in calls(done)
    assert {action.priority for action in done.actions} <= {Priority.ROLLBACK}


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        pytest.param({}, True, id="as it was"),
        pytest.param({"port": "8080"}, True, id="the port by its number"),
        pytest.param({"port": ""}, True, id="the only port"),
        pytest.param({"load_balancer_arn": "arn:elb:second"}, False, id="another load balancer"),
        pytest.param({"port": "9090"}, False, id="another port"),
    ],
)
@pytest.mark.parametrize("test", ["", "b"], ids=["", "tests still see the candidate"])
def test_a_rollback_waits_for_no_rule_that_routes_cannot_write(
    asked: dict[str, Any], test: str, *, first: bool
) -> None:
    """A route was edited in the same moment: it has nothing there to write before there are target groups."""
    traffic = dataclasses.replace(ONLY_A, rollback=True, test=test)
    what = decision(MORE_A, rollout=BACK, traffic=traffic)
    more = dataclasses.replace(wishes.BACKEND, **asked)
    done = planned(BOTH_SEEN, BOTH, what, wish=dataclasses.replace(NEW, backends=(wishes.BACKEND, more)))
    assert (calls(done) == []) is first


def test_a_rollback_from_everything_writes_its_rules_first() -> None:
    """Routes were told of the candidate alone; of the source, which is well, they are told by this pass."""
    assert BOTH.traffic is not None
    alone = tuple(target for target in BOTH.traffic.targets if target.slot == "b")
    full = dataclasses.replace(BOTH.traffic, targets=alone, weights={"b": 1000})
    what = decision(MORE_A, rollout=BACK, traffic=dataclasses.replace(ONLY_A, rollback=True))
    done = planned(BOTH_SEEN, dataclasses.replace(BOTH, traffic=full), what, wish=NEW)
    assert calls(done) == []
    assert done.state.traffic is not None
    assert {target.slot for target in done.state.traffic.targets} == {"a"}
