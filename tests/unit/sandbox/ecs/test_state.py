"""The state as a whole: it can be copied, swapped and put back, as faults and resets do."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sluice_sandbox.aws.ecs.state import EcsState


def test_an_older_copy_answers_stale_reads(ecs: Any) -> None:
    """Reads through a copy of the state tell what was; the live state goes on unharmed."""
    ecs.create()
    ecs.run(0.1)
    old = deepcopy(ecs.service.state)
    ecs.until(ecs.completed)
    live, ecs.service.state = ecs.service.state, old
    assert ecs.describe()["runningCount"] == 0
    ecs.service.state = live
    assert ecs.describe()["runningCount"] == 2
    assert ecs.completed()


def test_a_reset_leaves_no_ghosts(ecs: Any) -> None:
    """Timers of what is gone find nothing and end; a service of the same name starts afresh."""
    ecs.create()
    ecs.run(0.5)
    ecs.service.state = EcsState()
    ecs.run(120)
    assert ecs.call("ListClusters")["clusterArns"] == []
    ecs.call("CreateCluster", clusterName="main")
    ecs.register()
    ecs.create()
    assert ecs.until(ecs.completed) < 2


def test_answers_are_not_the_state(ecs: Any) -> None:
    """A request that its caller changes afterwards changes no service."""
    request = {"subnets": ["subnet-0a1b2c3d4e5f60001"]}
    ecs.create(networkConfiguration={"awsvpcConfiguration": request})
    request["subnets"].append("subnet-nope")
    shown = ecs.describe()["networkConfiguration"]["awsvpcConfiguration"]
    assert shown["subnets"] == ["subnet-0a1b2c3d4e5f60001"]
