"""Routes that never proved anything (decision 28), at one moment: what they hold, and what they do not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sluice.model.rollout import Stage
from sluice.model.situation import RouteFacts, SlotFacts, TrafficFacts
from sluice.rollout import rollback, stepping
from sluice.rollout.verdict import verdict
from sluice.rollout.work import Work
from unit.rollout.moment import NOW, moment

NEVER = RouteFacts(name="main", proven=False, problem="Deployment shop/wbe does not exist")
NAMES = dataclasses.replace(NEVER, plane="discovery")
NEW_NAMES = dataclasses.replace(NAMES, problem="")
ONCE = dataclasses.replace(NEVER, verified_at=NOW - 500)


def standing(
    stage: Stage, *routes: RouteFacts, source: int | None = 4, told: str = "b", **members: Any
) -> Work:
    """Return a rollout in a stage with routes that were told of slots; all of the candidate is healthy."""
    slots = dict(moment().situation.slots)
    carries, listed = members.pop("carries_weight", None), members.pop("listed", "")
    slots["a"] = dataclasses.replace(slots["a"], healthy=source)
    slots["b"] = dataclasses.replace(slots["b"], healthy=4, carries_weight=carries, listed=listed)
    traffic = TrafficFacts(
        weights={"a": 1000}, test="b", published_slots=frozenset(told), routes=routes or (NEVER,)
    )
    rollout = {"stage": stage, "shown": True, "weight": 0, "proven": 0} | members
    return moment(rollout=rollout, slots=slots, traffic=traffic)


@pytest.mark.parametrize(
    ("members", "moved", "message"),
    [
        pytest.param({"source": 0}, False, "live slot a: 0 of 4 targets healthy", id="nobody can name it"),
        pytest.param({"source": 3}, False, "live slot a: 3 of 4 targets healthy", id="one is missing"),
        pytest.param({"source": None}, False, "live slot a: target health could not be", id="not read"),
        pytest.param({}, False, "route main: Deployment shop/wbe does not exist", id="it has no such port"),
        pytest.param({"source": 0, "full": True}, True, "", id="a person asks for the cure"),
        pytest.param({"full": True}, True, "", id="a person asks for the port"),
        pytest.param(
            {"full": True, "told": "ab"}, False, "route main: Deployment shop/wbe", id="it can be named"
        ),
        pytest.param(
            {"source": 0, "told": "ab"}, False, "route main: Deployment shop/wbe", id="it died after that"
        ),
        pytest.param({"kind": "First", "source": 0}, True, "", id="a first rollout has no source"),
    ],
)
def test_a_source_that_no_route_can_name(members: dict[str, Any], *, moved: bool, message: str) -> None:
    """Its first route came with the rollout: a person decides, since no proof can come."""
    work = standing("PreTraffic", **members)
    assert stepping.pre_traffic(work) is moved
    assert work.rollout.stage == ("Stepping" if moved else "PreTraffic")
    if message:
        assert work.waits is not None
        assert message in work.waits.message
        assert work.waits.counts is ("route main" in message)


@pytest.mark.parametrize("source", [0, 4])
def test_a_name_tells_of_a_source_that_no_target_group_is_told_of(source: int) -> None:
    """A name needs none: its proof is waited for, also of a source without tasks."""
    work = standing("PreTraffic", NAMES, source=source, full=True, told="")
    assert stepping.pre_traffic(work) is False
    assert work.waits is not None
    assert work.waits.message.startswith("the test listener: route main (discovery)")


@pytest.mark.parametrize(
    ("routes", "members", "held"),
    [
        pytest.param((NEVER,), {"carries_weight": False}, False, id="no rule was made"),
        pytest.param((NEVER,), {"carries_weight": True}, True, id="a rule sends to it"),
        pytest.param((NEVER,), {"carries_weight": None}, True, id="not read"),
        pytest.param((ONCE,), {"carries_weight": False}, True, id="a route has to tell"),
        pytest.param((NAMES,), {"carries_weight": False, "listed": "main"}, True, id="a name leads to it"),
        pytest.param((NAMES,), {"carries_weight": False}, False, id="the name can't be had"),
        pytest.param((NEW_NAMES,), {"carries_weight": False}, True, id="nobody looked for the name yet"),
    ],
)
def test_a_broken_source_has_nothing_to_take_back_from_who_got_nothing(
    routes: tuple[RouteFacts, ...], members: dict[str, Any], *, held: bool
) -> None:
    """Else a cure that was promoted could neither come nor go, and no revision after it begin."""
    given = {"reason": "Deadline", "decided_at": NOW, "verify_after": NOW, "weight": 1000, "shown": True}
    work = standing("RollingBack", *routes, source=0, **given | members)
    rollback.rolling_back(work)
    assert (work.rollout.weight == 1000) is held
    assert (work.waits is not None and "is held" in work.waits.message) is held
    assert ("proof" in work.needs) is (members["carries_weight"] is None)


@pytest.mark.parametrize(
    ("routes", "members", "drained"),
    [
        pytest.param((NAMES,), {}, True, id="the name can't be had"),
        pytest.param((NAMES,), {"listed": "main"}, False, id="its entries are there"),
        pytest.param((NEW_NAMES,), {}, False, id="nobody looked for the name yet"),
        pytest.param((NAMES,), {"verify_after": NOW - 14}, False, id="an older order may be written yet"),
    ],
)
def test_a_name_that_can_not_be_had_is_not_waited_for(
    routes: tuple[RouteFacts, ...], members: dict[str, Any], *, drained: bool
) -> None:
    """No rule leads to the candidate either: its drain begins."""
    given = {"reason": "Person", "decided_at": NOW - 20, "verify_after": NOW - 20, "evidence_taken": True}
    work = standing("CleaningUp", *routes, carries_weight=False, **given | members)
    rollback.cleaning_up(work)
    assert (work.rollout.verified_at == NOW) is drained


@pytest.mark.parametrize(
    ("routes", "candidate", "carries", "held"),
    [
        pytest.param((), 0, False, False, id="nothing to shift"),
        pytest.param((), 0, True, True, id="a rule still sends to it"),
        pytest.param((), 1, False, True, id="it is well: the route may come back"),
        pytest.param((), None, False, True, id="nobody knows how it is"),
        pytest.param((ONCE,), 0, False, True, id="a route says where requests go"),
    ],
)
def test_a_hold_ends_where_no_route_is_left(
    routes: tuple[RouteFacts, ...], candidate: int | None, *, carries: bool, held: bool
) -> None:
    """Both slots are dead then, and no request comes: no person has to decide anything."""
    slots = dict(moment().situation.slots)
    slots["a"] = dataclasses.replace(slots["a"], healthy=0)
    slots["b"] = dataclasses.replace(slots["b"], healthy=candidate, carries_weight=carries)
    given = {"stage": "RollingBack", "reason": "Unhealthy", "decided_at": NOW, "weight": 500, "shown": True}
    work = moment(rollout=given, slots=slots, traffic=TrafficFacts(weights={"a": 1000}, routes=routes))
    rollback.rolling_back(work)
    assert (work.rollout.weight == 500) is held


def test_a_route_that_proved_once_proves_again() -> None:
    """Not even for the cure: its rules are there, and must show the test listener."""
    work = standing("PreTraffic", ONCE, source=0, full=True)
    assert stepping.pre_traffic(work) is False
    assert work.waits is not None
    assert work.waits.message.startswith("the test listener: route main")


@pytest.mark.parametrize(
    ("routes", "members", "stage"),
    [
        pytest.param((NEVER,), {}, "CleaningUp", id="nothing but tests was sent"),
        pytest.param((ONCE,), {}, "RollingBack", id="a route tells what there is"),
        pytest.param((NEVER,), {"weight": 1}, "RollingBack", id="a weight was ordered"),
        pytest.param((NEVER,), {"proven": 1}, "RollingBack", id="a weight was proved"),
        pytest.param((NEVER,), {"header": ("x", "1")}, "RollingBack", id="a header was ordered"),
    ],
)
def test_the_way_back_from_tests_needs_no_proof(
    routes: tuple[RouteFacts, ...], members: dict[str, Any], stage: Stage
) -> None:
    """Routes were told to send nobody: nothing has to come back."""
    work = standing("PreTraffic", *routes, **members)
    assert rollback.fall_back(work, "Person", "abort") is True
    assert work.rollout.stage == stage
    assert work.rollout.verified_at == (NOW if stage == "CleaningUp" else 0.0)


LATE = NOW - 15
"""A write of an order before this one has taken place by now, or never will."""


@pytest.mark.parametrize(
    ("routes", "members", "stage"),
    [
        pytest.param((NEVER,), {"carries_weight": False}, "CleaningUp", id="no rule sends to it"),
        pytest.param((NEVER,), {"carries_weight": True}, "RollingBack", id="a rule sends to it"),
        pytest.param((NEVER,), {"carries_weight": None}, "RollingBack", id="not read"),
        pytest.param((ONCE,), {"carries_weight": False}, "RollingBack", id="a route has to tell"),
        pytest.param(
            (NEVER,), {"carries_weight": False, "verify_after": LATE + 1}, "RollingBack", id="too early"
        ),
    ],
)
def test_what_rules_show_is_proof_where_no_route_ever_gave_one(
    routes: tuple[RouteFacts, ...], members: dict[str, Any], stage: Stage
) -> None:
    """Once no older order can be written any more."""
    given = {"reason": "Alarm", "decided_at": LATE, "verify_after": LATE, "proven": 250} | members
    work = standing("RollingBack", *routes, **given)
    assert rollback.rolling_back(work) is (stage == "CleaningUp")
    assert work.rollout.stage == stage
    if stage == "CleaningUp":
        assert (work.rollout.proven, work.rollout.verified_at) == (0, NOW)
        (note,) = work.notes
        assert note.message == "no rule sends to r2, and no route ever proved one"
        assert note.reason == "RollbackVerified"
    else:
        assert (work.rollout.proven, work.notes) == (250, [])
        assert ("proof" in work.needs) is (members["carries_weight"] is None)
        assert work.wakes.count(NOW + 1) == ("verify_after" in members)


@pytest.mark.parametrize(("route", "ended"), [(NEVER, True), (ONCE, False)])
def test_the_end_of_the_clean_up(route: RouteFacts, *, ended: bool) -> None:
    """The rules were read: a route that never proved anything has nothing to add."""
    work = standing(
        "CleaningUp",
        route,
        carries_weight=False,
        reason="Alarm",
        outcome="RolledBack",
        decided_at=NOW - 900,
        verified_at=NOW - 900,
        evidence_taken=True,
    )
    assert rollback.cleaning_up(work) is ended
    assert (work.motion.rollout is None) is ended


@pytest.mark.parametrize(
    ("slot", "ready", "message"),
    [
        pytest.param({}, True, "4 of 4 tasks healthy", id="not told by ECS"),
        pytest.param({"current": 4}, True, "4 of 4 tasks healthy", id="all are the revision's"),
        pytest.param(
            {"current": 3},
            False,
            "3 of 4 tasks healthy; 1 of another task definition still run",
            id="one is not",
        ),
        pytest.param(
            {"current": 0},
            False,
            "0 of 4 tasks healthy; 4 of another task definition still run",
            id="none is",
        ),
        pytest.param(
            {"current": 3, "healthy": 2},
            False,
            "2 of 4 tasks healthy; 1 of another task definition still run",
            id="one of both",
        ),
        pytest.param({"current": 3, "running": 3, "healthy": 3}, False, "3 of 4 tasks healthy", id="few run"),
    ],
)
def test_tasks_of_an_older_revision_are_not_the_live_ones(
    slot: dict[str, Any], message: str, *, ready: bool
) -> None:
    """ECS keeps them while those of the newest deployment do not start."""
    found = {"exists": True, "revision": "", "desired": 4, "running": 4, "tasks": 4, "healthy": 4} | slot
    work = moment(wanted="r1", slots={"a": SlotFacts(name="a", **found), "b": SlotFacts(name="b")})
    work.motion = dataclasses.replace(work.motion, rollout=None)
    said = verdict(work)
    assert said.ready is ready
    assert said.message == f"revision r1 in slot a: {message}"
