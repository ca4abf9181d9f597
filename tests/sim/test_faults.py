"""AWS on a bad day: each kind of failure at each write ends as if nothing had happened, and is told.

The table is made from the writes of two stories, so a new call of the operator is in it by itself.
"""

from __future__ import annotations

import pytest

from sim.silence import silence
from sim.stories import BY_NAME, tell
from sim.universe import ROUTE, WEB, Crashes, Universe, deployment, route

STORIES = ("create", "update", "delete", "replace")
FAULTS = ("lost-response", "error", "reset", "throttle")


def operations(name: str) -> list[str]:
    """Return the AWS writes of a story, each once."""
    with silence():
        return sorted(set(tell(BY_NAME[name]).writes()))


CASES = [
    pytest.param(story, operation, fault, id=f"{story}-{operation}-{fault}")
    for story in STORIES
    for operation in operations(story)
    for fault in FAULTS
]


@pytest.mark.parametrize(("story", "operation", "fault"), CASES)
def test_one_failed_write(story: str, operation: str, fault: str) -> None:
    """The first call of an operation fails in one way; the end is the same picture, nothing twice."""
    universe = Universe(seed=7, hook=Crashes())
    universe.fault(fault, operation=operation, remaining=1)
    assert tell(BY_NAME[story], universe=universe).picture() == tell(BY_NAME[story]).picture()


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        pytest.param("RegisterTaskDefinition", WEB, id="register"),
        pytest.param("CreateTargetGroup", WEB, id="target group"),
        pytest.param("CreateService", WEB, id="service"),
        pytest.param("CreateRule", WEB, id="anchor"),
        pytest.param("DescribeServices", WEB, id="services"),
        pytest.param("DescribeRules", ROUTE, id="rules"),
    ],
)
def test_denied_is_told_and_heals(operation: str, key: object) -> None:
    """A missing permission is Stalled/AccessDenied with the action's name, and heals when granted."""
    universe = Universe()
    universe.fault("deny", operation=operation)
    universe.cluster.apply(deployment())
    universe.cluster.apply(route())
    universe.settle(lambda: universe.reason(key) == "AccessDenied", within=120)  # type: ignore[arg-type]
    assert operation in universe.condition("Stalled", key)["message"]  # type: ignore[arg-type]
    universe.heal()
    universe.settle(lambda: universe.ready(WEB, ROUTE))


def test_an_aws_that_does_not_answer_is_told_and_heals() -> None:
    """A new object says so after some seconds of silence; one that is Ready stays so, and writes nothing."""
    universe = Universe()
    universe.fault("reset", operation="Describe*")
    universe.cluster.apply(deployment())
    universe.cluster.apply(route())
    universe.settle(lambda: universe.reason() == "WaitingForAWSBudget", within=120)
    assert "AWS gives no answer to elbv2:Describe" in universe.condition("Ready")["message"]
    universe.heal()
    universe.settle(lambda: universe.ready(WEB, ROUTE))
    before = len(universe.calls())
    universe.fault("reset")
    universe.run(300)
    assert universe.ready(WEB, ROUTE)
    assert universe.calls()[before:] == []


def test_a_throttled_minute() -> None:
    """Throttled for a minute in the middle of an update: told as waiting, never as failure, then done."""
    universe = tell(BY_NAME["create"])
    universe.fault("throttle", until=universe.clock.now() + 60)
    universe.cluster.apply(deployment(image="web:2"))
    seen = universe.reasons_until_ready(WEB, ROUTE, within=300)
    assert "WaitingForAWSBudget" in seen
    assert seen <= {"WaitingForAWSBudget", "RollingOut", "Available"}
    assert universe.picture() == tell(BY_NAME["update"]).picture()


def test_throttled_reads_at_rest_change_nothing() -> None:
    """What is Ready stays Ready while AWS does not let us look: no status write, no transition."""
    universe = tell(BY_NAME["create"])
    before = len(universe.calls())
    universe.fault("throttle")
    universe.run(300)
    assert universe.ready(WEB, ROUTE)
    assert universe.calls()[before:] == []


@pytest.mark.parametrize("story", sorted(BY_NAME))
def test_stale_reads(story: str) -> None:
    """Reads that miss the last four seconds of writes all the time: the same end, nothing twice."""
    universe = Universe(seed=7, hook=Crashes())
    universe.fault("stale-read", seconds=4)
    assert tell(BY_NAME[story], universe=universe).picture() == tell(BY_NAME[story]).picture()


def test_published_buckets_are_kept() -> None:
    """With the stand-in enforcing the published token buckets, thirty Deployments meet no throttling."""
    universe = Universe(budgets=True)
    universe.fault("buckets")
    for number in range(30):
        universe.cluster.apply(deployment(f"web-{number:02d}"))
    keys = sorted(universe.cluster.objects)
    universe.settle(lambda: universe.ready(*keys), within=600)
    throttled = [call for call in universe.world.calls.find() if "Throttl" in call.outcome]
    assert throttled == []


@pytest.mark.parametrize("operation", ["DeregisterTaskDefinition", "UpdateService", "RegisterTaskDefinition"])
def test_what_was_decided_is_told_and_collected_though_a_write_fails(operation: str) -> None:
    """Status keeps a decision before the writes, so it is decided once: told then, or never."""
    universe = Universe()
    universe.cluster.apply(deployment(revisionHistoryLimit=0))
    universe.settle(lambda: universe.ready(WEB))
    universe.fault("throttle", operation=operation, until=universe.clock.now() + 30)
    for image in ("web:2", "web:3"):
        universe.cluster.apply(deployment(image=image, revisionHistoryLimit=0))
        universe.settle(lambda: universe.ready(WEB), within=300)
    told = [reason for _, _, reason, _ in universe.operator.recorder.events]
    assert told.count("RolloutCompleted") >= 2
    assert told.count("RolloutStarted") >= 2
    assert len(universe.cluster.revisions) == 2  # the live one and the one before
