"""How old what is known of targets may be: by what ECS tells, and by how the targets were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from sluice.controllers.discovery_slots import Backend, Pace, SlotLooks
from sluice.controllers.settings import ControllerSettings
from sluice.model.binding import Binding, CallContext, Priority
from sluice.model.keys import SERVICE_ROUTE, Key
from sluice.model.tenancy import Tenancy
from sluice.ports import Facts

CONTEXT = CallContext(
    binding=Binding(account="", region="eu-west-1"),
    priority=Priority.DRIFT,
    key=Key(SERVICE_ROUTE, "shop", "web"),
)
BACKEND = Backend(
    name="web",
    deployment={
        "status": {
            "slots": [{"name": "a", "serviceName": "web-a1", "cluster": "prod", "running": 1}],
            "targetGroups": [{"slot": "a", "arn": "tg", "loadBalancerArn": "lb"}],
        }
    },
    ports=("http",),
    own=True,
)


@dataclass
class OneTask:
    """`ports.Facts` of one service with a task and a target."""

    event: str = "e1"
    state: str = "healthy"
    asked: list[float] = field(default_factory=list)
    """Ages at which the health of targets was asked for."""

    def service(self, _context: CallContext, **_: Any) -> Mapping[str, Any]:
        """Return it."""
        counts = {"desiredCount": 1, "runningCount": 1, "pendingCount": 0}
        return counts | {"loadBalancers": [{"targetGroupArn": "tg"}], "events": [{"id": self.event}]}

    def tasks(self, _context: CallContext, **_: Any) -> Sequence[Mapping[str, Any]]:
        """Return its task."""
        return [{"taskArn": "arn:task/prod/1", "lastStatus": "RUNNING", "desiredStatus": "RUNNING"}]

    def task_definition(self, _context: CallContext, _arn: str) -> None:
        """Know none."""

    def protected(self, _context: CallContext, **_: Any) -> Mapping[str, float]:
        """Return nothing."""
        return {}

    def target_health(
        self, _context: CallContext, _arn: str, *, max_age: float
    ) -> Sequence[Mapping[str, Any]]:
        """Return its target's."""
        self.asked.append(max_age)
        return [{"Target": {"Id": "10.0.0.1"}, "TargetHealth": {"State": self.state}}]


@pytest.mark.parametrize(
    ("change", "moving", "ages"),
    [
        pytest.param({}, False, [300.0], id="all well and still"),
        pytest.param({"event": "e2"}, False, [1.0], id="ECS tells of something"),
        pytest.param({"state": "unhealthy"}, False, [300.0, 45.0], id="one was not well"),
        pytest.param({"state": "initial"}, False, [300.0, 45.0], id="one is new"),
        pytest.param({}, True, [5.0], id="something is under way"),
        pytest.param({"event": "e2"}, True, [1.0], id="under way, and ECS tells of something"),
    ],
)
def test_the_health_of_targets_is_as_old_as_it_may_be(
    change: dict[str, str],
    moving: bool,  # noqa: FBT001 - a table's column
    ages: list[float],
) -> None:
    """A look at rest takes what was well five drift intervals ago; whatever is in question is read."""
    facts = OneTask()
    settings = ControllerSettings(
        installation_id="unit",
        tenancy=Tenancy(rules=(), default_binding=CONTEXT.binding),
        drift_interval=60.0,
    )
    looks = SlotLooks(cast("Facts", facts))
    looks.look(CONTEXT, [BACKEND], pace=Pace(moving=False, settings=settings), deleting=False)
    assert facts.asked == [1.0]
    facts.asked.clear()
    for name, value in change.items():
        setattr(facts, name, value)
    looks.look(CONTEXT, [BACKEND], pace=Pace(moving=moving, settings=settings), deleting=False)
    assert facts.asked == ages
